"""Pure: what a call that waits asks for, and what it is told."""

import json
from typing import Any

import pytest

from bridge.api.iotda.errors import Refusal
from bridge.api.iotda.replies import Wait, check_response_topic, parse_wait, render_no_reply, render_reply
from bridge.model.message import AcknowledgedBy, Draft, Failure, Message, Outcome, Status
from bridge.model.reply import Reply

NOW = 1_776_675_755_123
TIME = "20260420T090235Z"


@pytest.mark.parametrize(
    ("query", "preferred", "wait"),
    [
        (b"", None, None),
        (b"other=1", None, None),
        (b"wait=reply", None, Wait(10)),
        (b"wait=reply&timeout=1", None, Wait(1)),
        (b"timeout=60&wait=reply", None, Wait(60)),
        (b"timeout=2&wait=reply&timeout=3", None, Wait(3)),
        (b"", "10", Wait(10, preferred=True)),
        (b"", "1", Wait(1, preferred=True)),
        (b"", "61", Wait(60, preferred=True)),
        (b"", "999999999", Wait(60, preferred=True)),
        (b"", "9999999999", None),
        (b"", "0", None),
        (b"", "-1", None),
        (b"", "1.5", None),
        (b"", "soon", None),
        (b"", "", None),
        (b"", "\u0661", None),
        (b"wait=reply", "20", Wait(20, preferred=True)),
        (b"wait=reply&timeout=5", "20", Wait(5)),
        (b"timeout=5", "20", Wait(5)),
        (b"wait=reply", "soon", Wait(10)),
    ],
)
def test_how_long_to_wait(query: bytes, preferred: str | None, wait: Wait | None) -> None:
    preferences = {} if preferred is None else {"wait": preferred, "respond-async": ""}
    assert parse_wait(query, preferences, 60) == wait


def test_the_default_is_not_more_than_what_is_allowed() -> None:
    assert parse_wait(b"wait=reply", {}, 5) == Wait(5)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (b"wait=", "wait"),
        (b"wait=delivered", "wait"),
        (b"wait=Reply", "wait"),
        (b"wait=reply%00", "wait"),
        (b"wait=true&timeout=5", "wait"),
        (b"timeout=5", "timeout"),
        (b"wait=reply&timeout=", "timeout"),
        (b"wait=reply&timeout=0", "timeout"),
        (b"wait=reply&timeout=61", "timeout"),
        (b"wait=reply&timeout=-1", "timeout"),
        (b"wait=reply&timeout=1.5", "timeout"),
        (b"wait=reply&timeout=10s", "timeout"),
        (b"wait=reply&timeout=1%0A", "timeout"),
        (b"wait=reply&timeout=%D9%A1", "timeout"),
        (b"wait=reply&timeout=" + b"9" * 5000, "timeout"),
        (b"wait=%ff", "query"),
        (b"wait=\xff", "query"),
    ],
)
def test_what_makes_no_sense_is_refused(query: bytes, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_wait(query, {}, 60)
    assert (refused.value.status, refused.value.code) == (400, "IOTDA.000006")
    assert f" {field}: " in refused.value.text


@pytest.mark.parametrize(("topic", "fine"), [(None, True), ("a/b", True), ("a/+", False), ("#", False)])
def test_response_topics(topic: str | None, fine: bool) -> None:
    draft = Draft("m", '"x"', 60, response_topic=topic)
    if fine:
        check_response_topic(draft)
    else:
        with pytest.raises(Refusal, match="wildcards"):
            check_response_topic(draft)


def message(outcome: Outcome | None = None) -> Message:
    return Message(1, Draft("m", '"x"', 60), NOW, NOW + 1, 1, outcome)


DELIVERED = Outcome(Status.DELIVERED, NOW, AcknowledgedBy.DEVICE)


def test_a_reply() -> None:
    reply = Reply("t", "grün\0".encode(), 12, "text/plain", (("k", "1"), ("a", ""), ("k", "1")))
    assert json.loads(render_reply(message(DELIVERED), reply)) == {
        "message_id": "m",
        "result": {"status": "DELIVERED", "created_time": TIME, "finished_time": TIME},
        "reply": {
            "topic": "t",
            "payload": "grün\0",
            "encoding": "none",
            "latency_ms": 12,
            "content_type": "text/plain",
            "user_properties": [
                {"prop_key": "k", "prop_value": "1"},
                {"prop_key": "a", "prop_value": ""},
                {"prop_key": "k", "prop_value": "1"},
            ],
        },
    }


@pytest.mark.parametrize(
    ("payload", "text", "encoding"),
    [(b"", "", "none"), (b"\xff\x00", "/wA=", "base64"), (b"\xed\xa0\x80", "7aCA", "base64")],
)
def test_payloads(payload: bytes, text: str, encoding: str) -> None:
    assert json.loads(render_reply(message(), Reply("t", payload, 0))) == {
        "message_id": "m",
        "result": {"status": "PENDING", "created_time": TIME},
        "reply": {"topic": "t", "payload": text, "encoding": encoding, "latency_ms": 0},
    }


@pytest.mark.parametrize(
    ("outcome", "text", "more"),
    [
        (None, "The message still waits for it.", {}),
        (DELIVERED, "It has taken the message.", {}),
        (Outcome(Status.TIMEOUT, NOW), "The message has expired.", {}),
        (
            Outcome(Status.FAILED, NOW, None, Failure.OFFLINE, "not online"),
            "The message has failed: not online.",
            {"error_info": {"error_code": "IOTDA.014016", "error_msg": "not online"}},
        ),
    ],
)
def test_no_reply(outcome: Outcome | None, text: str, more: dict[str, Any]) -> None:
    finished = {"finished_time": TIME} if outcome else {}
    assert json.loads(render_no_reply(message(outcome))) == {
        "error_code": "IOTDA.014140",
        "error_msg": f"The device did not reply. {text}",
        "message_id": "m",
        "result": {"status": message(outcome).status, "created_time": TIME, **finished},
        **more,
    }
