"""Events as the vendor pushes them. Pure. Source: IoTDA, "Pushes to the application".

`position`: of the event in its channel; as `request_id` it tells one event from another.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from bridge.model.event import StatusChange, Subject
from bridge.model.message import Failure
from bridge.model.times import compact, precise
from bridge.model.topics import default_downlink

FAILURES: Mapping[str, str] = {
    Failure.OFFLINE: "IOTDA.014016",
    Failure.NOT_SUBSCRIBED: "IOTDA.014112",
    Failure.REFUSED: "IOTDA.014113",
    Failure.TOO_LARGE: "IOTDA.014114",
    Failure.DISPLACED: "IOTDA.014115",
    Failure.UNSENDABLE: "IOTDA.014116",
    Failure.REMOVED: "IOTDA.014118",
    Failure.BUSY: "IOTDA.014119",
}
"""The `error_code` of a FAILED message."""

_HEADER = '"notify_data":{"header":'
"""Only numbers, times and words of ours stand before it."""
_DECODER = json.JSONDecoder()


def status_text(change: StatusChange, position: int) -> str:
    """A message has come into a state."""
    body: dict[str, Any] = {
        "message_id": change.message_id,
        "name": change.name,
        "topic": change.topic or default_downlink(change.subject.device_id),
        "status": change.status,
        "timestamp": compact(change.at),
    }
    if change.failure is not None:
        body["error_info"] = {"error_code": FAILURES[change.failure], "error_msg": change.detail or change.failure}
    return _event(("device.message.status", "update"), change.at, position, change.subject, body)


def presence_text(online: bool, at: int, last_online: int | None, subject: Subject, position: int) -> str:
    """A device has connected, or its connection has ended."""
    body = {
        "status": "ONLINE" if online else "OFFLINE",
        "last_online_time": None if last_online is None else precise(last_online),
        "status_update_time": precise(at),
    }
    return _event(("device.status", "update"), at, position, subject, body)


def report_text(topic: str, payload: bytes, at: int, subject: Subject, position: int) -> str:
    """A device has published something. `content` is its text; what is not UTF-8 comes in Base64, with `encoding`."""
    body = {"topic": topic}
    try:
        body["content"] = payload.decode()
    except UnicodeDecodeError:
        body["content"] = base64.b64encode(payload).decode("ascii")
        body["encoding"] = "base64"
    return _event(("device.message", "report"), at, position, subject, body)


def about(content: str) -> tuple[str, str | None]:
    """Of an event written here: the id of the device that it is about, and its `app_id`. The rest is not looked at."""
    header, _ = _DECODER.raw_decode(content, content.index(_HEADER) + len(_HEADER))
    return header["device_id"], header.get("app_id")


def _event(kind: tuple[str, str], at: int, position: int, subject: Subject, body: Mapping[str, Any]) -> str:
    resource, event = kind
    return _json(
        {
            "resource": resource,
            "event": event,
            "event_time": compact(at),
            "event_time_ms": precise(at),
            "request_id": str(position),
            "notify_data": {"header": _header(subject), "body": _given(body)},
        }
    )


def _header(subject: Subject) -> dict[str, Any]:
    header = {
        "app_id": subject.app_id,
        "device_id": subject.device_id,
        "node_id": subject.node_id,
        "product_id": subject.product_id,
        "gateway_id": subject.gateway_id or subject.device_id,
        "tags": [{"tag_key": key, "tag_value": value} for key, value in subject.tags],
    }
    return _given(header)


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Unset fields are left out."""
    return {name: value for name, value in fields.items() if value is not None}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
