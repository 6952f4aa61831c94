import json
from typing import Any

import pytest

from bridge.events.bodies import FAILURES, presence_text, report_text, status_text
from bridge.model.event import StatusChange, Subject
from bridge.model.message import Failure

AT = 1_700_000_000_123
LAMP = Subject("lamp", "node-1", "p1", "hub", "app-1", (("room", "Küche"),))
BARE = Subject("lamp", "node-1", "default")


def test_the_whole_form() -> None:
    text = status_text(StatusChange(LAMP, "m1", "n", "t", "DELIVERED", AT), 77)
    assert text == (
        '{"resource":"device.message.status","event":"update","event_time":"20231114T221320Z",'
        '"event_time_ms":"2023-11-14T22:13:20.123Z","request_id":"77","notify_data":{"header":{"app_id":"app-1",'
        '"device_id":"lamp","node_id":"node-1","product_id":"p1","gateway_id":"hub",'
        '"tags":[{"tag_key":"room","tag_value":"Küche"}]},"body":{"message_id":"m1","name":"n","topic":"t",'
        '"status":"DELIVERED","timestamp":"20231114T221320Z"}}}'
    )


def body(text: str) -> Any:
    return json.loads(text)["notify_data"]["body"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            StatusChange(BARE, "m1", None, None, "PENDING", AT),
            {"message_id": "m1", "topic": "$oc/devices/lamp/sys/messages/down", "status": "PENDING"},
        ),
        (
            StatusChange(BARE, "m1", None, "t", "FAILED", AT, Failure.REFUSED.value, "no"),
            {
                "message_id": "m1",
                "topic": "t",
                "status": "FAILED",
                "error_info": {"error_code": "IOTDA.014113", "error_msg": "no"},
            },
        ),
        (
            StatusChange(BARE, "m1", None, "t", "FAILED", AT, Failure.OFFLINE.value),
            {
                "message_id": "m1",
                "topic": "t",
                "status": "FAILED",
                "error_info": {"error_code": "IOTDA.014016", "error_msg": "offline"},
            },
        ),
    ],
)
def test_a_status(change: StatusChange, expected: dict[str, Any]) -> None:
    assert body(status_text(change, 1)) == {**expected, "timestamp": "20231114T221320Z"}


def test_a_bare_device_is_its_own_gateway() -> None:
    header = json.loads(presence_text(True, AT, AT, BARE, 1))["notify_data"]["header"]
    assert header == {
        "device_id": "lamp",
        "node_id": "node-1",
        "product_id": "default",
        "gateway_id": "lamp",
        "tags": [],
    }


def test_presence() -> None:
    assert body(presence_text(True, AT, AT, BARE, 1)) == {
        "status": "ONLINE",
        "last_online_time": "2023-11-14T22:13:20.123Z",
        "status_update_time": "2023-11-14T22:13:20.123Z",
    }
    assert body(presence_text(False, AT, None, BARE, 1)) == {
        "status": "OFFLINE",
        "status_update_time": "2023-11-14T22:13:20.123Z",
    }


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", {"content": ""}),
        (b'{"a": 1.0}', {"content": '{"a": 1.0}'}),
        ("Grüße\x00\u2028".encode(), {"content": "Grüße\x00\u2028"}),
        (b"\xff\x00", {"content": "/wA=", "encoding": "base64"}),
        (b"\xed\xa0\x80", {"content": "7aCA", "encoding": "base64"}),
    ],
)
def test_a_report(payload: bytes, expected: dict[str, str]) -> None:
    text = report_text("t", payload, AT, BARE, 1)
    assert body(text) == {"topic": "t", **expected}
    text.encode()


def test_every_failure_has_a_code() -> None:
    assert FAILURES.keys() == set(Failure)
