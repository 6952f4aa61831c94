"""The last message of a topic, kept for those who subscribe later [MQTT5 3.3.1.3]."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class RetainedMessage:
    """Never changed: a newer message of the topic is another one."""

    topic: str
    payload: bytes
    """Not empty: an empty one deletes."""
    qos: int
    sender: str
    """Client identifier of the publisher; empty when it was no client."""
    expires_at: int | None
    """Steady time (`bridge.model.clock`)."""
    properties: Mapping[str, Any]
    """Of MQTT 5, by name, those that receivers get, without the Message Expiry Interval."""
