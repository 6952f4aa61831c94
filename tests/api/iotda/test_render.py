import json

import pytest

from bridge.api.iotda.errors import FAILURES
from bridge.api.iotda.render import compact, render_created, render_message, render_messages
from bridge.model.message import AcknowledgedBy, Draft, Failure, Message, Outcome, Status
from tests.api.memory import NOW

LATER = NOW + 61_000


def message(draft: Draft | None = None, outcome: Outcome | None = None) -> Message:
    return Message(1, draft or Draft("m-1", '"hello"', 5), NOW, NOW + 300_000, 1, outcome)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "19700101T000000Z"), (999, "19700101T000000Z"), (1000, "19700101T000001Z"), (NOW, "20260420T090235Z")],
)
def test_compact_time(milliseconds: int, text: str) -> None:
    assert compact(milliseconds) == text


def test_created_while_pending() -> None:
    assert render_created(message()) == (
        b'{"message_id":"m-1","result":{"status":"PENDING","created_time":"20260420T090235Z"}}'
    )


def test_created_and_delivered() -> None:
    outcome = Outcome(Status.DELIVERED, LATER, AcknowledgedBy.DEVICE)
    assert json.loads(render_created(message(outcome=outcome))) == {
        "message_id": "m-1",
        "result": {"status": "DELIVERED", "created_time": "20260420T090235Z", "finished_time": "20260420T090336Z"},
    }


def test_unset_fields_are_left_out() -> None:
    assert json.loads(render_message(message())) == {
        "message_id": "m-1",
        "message": "hello",
        "status": "PENDING",
        "created_time": "20260420T090235Z",
    }


def test_all_fields() -> None:
    draft = Draft(
        "m-1",
        '{"a": 1.0}',
        5,
        name="n",
        encoding="none",
        payload_format="raw",
        topic="$oc/devices/lamp-1/user/x",
        correlation_data="c",
        response_topic="r",
        user_properties=(("k", "1"), ("k", "2")),
    )
    outcome = Outcome(Status.DELIVERED, LATER, AcknowledgedBy.SENT)
    assert json.loads(render_message(message(draft, outcome))) == {
        "message_id": "m-1",
        "name": "n",
        "message": {"a": 1.0},
        "encoding": "none",
        "payload_format": "raw",
        "topic": "$oc/devices/lamp-1/user/x",
        "properties": {
            "correlation_data": "c",
            "response_topic": "r",
            "user_properties": [{"prop_key": "k", "prop_value": "1"}, {"prop_key": "k", "prop_value": "2"}],
        },
        "status": "DELIVERED",
        "created_time": "20260420T090235Z",
        "finished_time": "20260420T090336Z",
        "acknowledged_by": "sent",
    }


@pytest.mark.parametrize(
    ("draft", "properties"),
    [
        (Draft("m", '""', 5, correlation_data="c"), {"correlation_data": "c"}),
        (Draft("m", '""', 5, response_topic="r"), {"response_topic": "r"}),
        (Draft("m", '""', 5, user_properties=(("k", ""),)), {"user_properties": [{"prop_key": "k", "prop_value": ""}]}),
    ],
)
def test_some_properties(draft: Draft, properties: dict[str, object]) -> None:
    assert json.loads(render_message(message(draft)))["properties"] == properties


@pytest.mark.parametrize("text", ['{"b":1.0,"a":1e400,"a" : -0}', '"\\u4e2d\\/"', '"中"', '{"n":' + "9" * 500 + "}"])
def test_the_message_comes_back_as_it_was_sent(text: str) -> None:
    assert b'"message":' + text.encode() + b',"status"' in render_message(message(Draft("m", text, 5)))


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure.OFFLINE, "IOTDA.014016"),
        (Failure.NOT_SUBSCRIBED, "IOTDA.014112"),
        (Failure.REFUSED, "IOTDA.014113"),
        (Failure.TOO_LARGE, "IOTDA.014114"),
        (Failure.DISPLACED, "IOTDA.014115"),
    ],
)
def test_error_info(failure: Failure, code: str) -> None:
    outcome = Outcome(Status.FAILED, LATER, failure=failure, detail="Because.")
    rendered = json.loads(render_message(message(outcome=outcome)))
    assert rendered["error_info"] == {"error_code": code, "error_msg": "Because."}
    assert "error_info" not in json.loads(render_created(message(outcome=outcome)))["result"]


def test_every_failure_has_a_code_and_a_text() -> None:
    assert set(FAILURES) == set(Failure)
    assert len(set(FAILURES.values())) == len(Failure)
    outcome = Outcome(Status.FAILED, LATER, failure=Failure.OFFLINE)
    assert json.loads(render_message(message(outcome=outcome)))["error_info"]["error_msg"] == "offline"


def test_timeout_has_no_error() -> None:
    rendered = json.loads(render_message(message(outcome=Outcome(Status.TIMEOUT, LATER))))
    assert rendered["status"] == "TIMEOUT"
    assert "error_info" not in rendered


def test_list() -> None:
    found = [message(Draft("m-2", "{}", 5)), message()]
    rendered = json.loads(render_messages("lamp-1", found))
    assert rendered["device_id"] == "lamp-1"
    assert [each["message_id"] for each in rendered["messages"]] == ["m-2", "m-1"]
    assert json.loads(render_messages("lamp-1", [])) == {"device_id": "lamp-1", "messages": []}
