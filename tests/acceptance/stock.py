"""One of each thing that applications have here, and one more of each that a test may remove."""

import json
from typing import Any

from tests.acceptance.daemon import Daemon
from tests.acceptance.http_api import Api

CERTIFICATE = {"auth_type": "CERTIFICATES", "fingerprint": "ab" * 32}


def stock(daemon: Daemon) -> dict[str, str]:
    """Makes them, and returns their names as paths have them; those to be removed begin with `spare_`."""
    with daemon.api() as api:
        for name in ("lamp", "spare", "parked"):
            made(api, "devices", device_id=name, node_id=name)
        made(api, "devices", device_id="badge", node_id="badge", auth_info=CERTIFICATE)
        for name in ("m-0", "m-9"):
            made(api, "devices/lamp/messages", message="hello", message_id=name)
        rule, spare_rule = (made(api, "routing-rule/rules", subject=SUBJECT)["rule_id"] for _ in range(2))
        action, spare_action = (
            made(api, "routing-rule/actions", rule_id=rule, channel="HTTP_FORWARDING", channel_detail=DETAIL)
            for _ in range(2)
        )
    return {
        "project_id": "default",
        "device_id": "lamp",
        "message_id": "m-0",
        "rule_id": rule,
        "action_id": action["action_id"],
        "spare_rule": spare_rule,
        "spare_action": spare_action["action_id"],
    }


SUBJECT = {"resource": "device.status", "event": "update"}
DETAIL = {"http_forwarding": {"url": "https://example.com/pushes"}}


def made(api: Api, kind: str, **fields: object) -> Any:
    answer = api.call("POST", f"/v5/iot/default/{kind}", json.dumps(fields).encode())
    assert answer.status == 201, answer.body
    return answer.body
