"""One of each thing that applications have here, and one more of each that a test may remove."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.acceptance.daemon import Daemon
from tests.acceptance.http_api import Api
from tests.acceptance.waiting import eventually

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
        notification = put(api, "POST", "/api/v1/messages", id="lamp", importance="important", text="hot")["_id"]
        for name in ("reader", "spare"):
            put(api, "PUT", f"{CHANNEL}/subscription/polling/{name}")
        put(api, "PUT", f"{CHANNEL}/message/m-0", text="hello")
        handle = put(api, "GET", f"{CHANNEL}/subscription/polling/reader")["ackHandle"]
        later, to_stop = (made(api, "batchtasks", **LATER, task_policy=tomorrow())["task_id"] for _ in range(2))
        failed, spare_task = (made(api, "batchtasks", **FAILS)["task_id"] for _ in range(2))
        for task_id in (failed, spare_task):
            eventually(lambda: task_status(api, task_id) == "Fail")  # noqa: B023 - called here only
    return {
        "project_id": "default",
        "device_id": "lamp",
        "message_id": "m-0",
        "rule_id": rule,
        "action_id": action["action_id"],
        "channel": "news",
        "subscriber": "reader",
        "message": "m-0",
        "notification_id": notification,
        "handle": handle,
        "task_id": later,
        "to_stop": to_stop,
        "failed_task": failed,
        "spare_task": spare_task,
        "spare_rule": spare_rule,
        "spare_action": spare_action["action_id"],
    }


SUBJECT = {"resource": "device.status", "event": "update"}
CHANNEL = "/channel/news"
TASK = {"task_type": "createMessages", "document": {"message": "hello"}}
LATER = {**TASK, "task_name": "later", "targets": ["lamp"]}
FAILS = {**TASK, "task_name": "fails", "targets": ["nobody"]}
DETAIL = {"http_forwarding": {"url": "https://example.com/pushes"}}


def made(api: Api, kind: str, **fields: object) -> Any:
    answer = api.call("POST", f"/v5/iot/default/{kind}", json.dumps(fields).encode())
    assert answer.status == 201, answer.body
    return answer.body


def put(api: Api, method: str, path: str, **fields: object) -> Any:
    answer = api.call(method, path, json.dumps(fields).encode() if fields else None)
    assert answer.status == 200, answer.body
    return answer.body


def tomorrow() -> dict[str, str]:
    """A task that begins when these tests are over: until then nothing about it changes."""
    return {"schedule_time": f"{datetime.now(UTC) + timedelta(days=1):%Y%m%dT%H%M%SZ}"}


def task_status(api: Api, task_id: str) -> str:
    return str(api.call("GET", f"/v5/iot/default/batchtasks/{task_id}").body["batchtask"]["status"])
