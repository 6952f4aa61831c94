"""What a push carries so that its receiver can trust it. Pure. Source: Standard Webhooks 1.0."""

import base64
import hmac
from collections.abc import Iterable

from bridge.model.rule import signing_key


def signed(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three fields of the head; one signature with each secret. `timestamp` is in seconds."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = (hmac.digest(signing_key(secret), content, "sha256") for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures),
    }
