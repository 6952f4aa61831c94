"""The query of ListDevices, as a table for every parameter."""

from typing import Any
from urllib.parse import urlencode

import pytest

from bridge.api.iotda.device_query import parse_action, parse_search
from bridge.api.iotda.errors import Refusal
from bridge.api.iotda.paging import record_id
from bridge.model.record import Search


def query(**given: str) -> bytes:
    return urlencode(given).encode()


def test_the_least() -> None:
    assert parse_search(b"") == Search(10)
    assert parse_search(b"unknown=1&limit=5&limit=6&count=%00") == Search(6)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"limit": "1"}, {"limit": 1}),
        ({"limit": "50"}, {"limit": 50}),
        ({"limit": "050"}, {"limit": 50}),
        ({"marker": "f" * 24}, {"before": 16**24 - 1}),
        ({"marker": "F" * 24}, {"before": 16**24 - 1}),
        ({"marker": record_id(77)}, {"before": 77}),
        ({"offset": "0"}, {"offset": 0}),
        ({"offset": "500"}, {"offset": 500}),
        ({"product_id": "p_1"}, {"product_id": "p_1"}),
        ({"gateway_id": "g-1"}, {"gateway_id": "g-1"}),
        ({"gateway_id": "g-1", "is_cascade_query": "True"}, {"gateway_id": "g-1", "cascade": True}),
        ({"is_cascade_query": "false"}, {"cascade": False}),
        ({"node_id": "aa:bb"}, {"node_id": "aa:bb"}),
        ({"device_name": "灯 #1"}, {"name": "灯 #1"}),
        ({"app_id": "a"}, {"app_id": "a"}),
        ({"start_time": "19700101T000001Z"}, {"since": 1000}),
        ({"end_time": "19700101T000001Z"}, {"until": 1999}),
        (
            {"start_time": "20240229T235959Z", "end_time": "20240229T235959Z"},
            {"since": 1709251199000, "until": 1709251199999},
        ),
    ],
)
def test_every_parameter(given: dict[str, str], expected: dict[str, Any]) -> None:
    assert parse_search(query(**given)) == Search(**{"limit": 10, **expected})


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        *(("limit", text, "IOTDA.000017") for text in ("", "0", "51", "-1", "1.0", "x", "\u0661", "1\n", "9999")),
        *(("marker", text, "IOTDA.000018") for text in ("", "0", "f" * 23, "f" * 25, "g" * 24, "f" * 24 + "\n")),
        *(("offset", text, "IOTDA.000006") for text in ("", "501", "-1", "x", "1e2", "9" * 400)),
        *(("product_id", text, "IOTDA.000006") for text in ("", "a b", "p" * 37, "p\n")),
        *(("gateway_id", text, "IOTDA.000006") for text in ("", "a/b", "g" * 129)),
        *(("node_id", text, "IOTDA.000006") for text in ("", "a b", "n" * 65)),
        *(("device_name", text, "IOTDA.000006") for text in ("x" * 257, "\x00", "<b>")),
        *(("app_id", text, "IOTDA.000006") for text in ("", "a b", "a" * 37)),
        *(("is_cascade_query", text, "IOTDA.000006") for text in ("", "1", "yes")),
        *(
            (field, text, "IOTDA.000009")
            for field in ("start_time", "end_time")
            for text in ("", "x", "20240230T000000Z", "20240101T240000Z", "2024-01-01T00:00:00Z", "20240101T000000Z\n")
        ),
        *(
            ("start_time", text, "IOTDA.000009")
            for text in ("00000101T000000Z", "20240101T000060Z", "\uff120240101T000000Z")
        ),
    ],
)
def test_what_it_may_not_be(field: str, text: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_search(query(**{field: text}))
    assert (caught.value.status, caught.value.code) == (400, code)
    assert caught.value.text.startswith(f"Invalid input data. {field}: ")


def test_the_end_is_not_before_the_start() -> None:
    with pytest.raises(Refusal) as caught:
        parse_search(b"start_time=20240101T000001Z&end_time=20240101T000000Z")
    assert (caught.value.status, caught.value.code) == (400, "IOTDA.000010")


@pytest.mark.parametrize("data", [b"limit=%ff", b"marker=%c3%28", b"\xff=1"])
def test_what_is_not_utf_8(data: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_search(data)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "data", [b"", b"action_id=", b"action_id=resetsecret", b"action_id=reboot", b"action=resetSecret"]
)
def test_no_other_action(data: bytes) -> None:
    with pytest.raises(Refusal, match="action_id") as caught:
        parse_action(data)
    assert caught.value.code == "IOTDA.000006"


def test_the_action() -> None:
    parse_action(b"action_id=resetSecret")
    parse_action(b"action_id=reboot&action_id=resetSecret&x=1")
