from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from bridge.api.dataarts.parse import (
    Confirmation,
    check_fields,
    check_project,
    parse_confirmation,
    parse_page,
    parse_time,
)
from bridge.api.faults import BadField, NotJson
from bridge.model.notification import Selection

NOW = 1_700_000_000_000


def body(**fields: Any) -> bytes:
    return msgspec.json.encode({"message_id": "m-1", "action": 1, **fields})


@pytest.mark.parametrize(
    ("given", "process_at"),
    [
        (body(action=0), None),
        (body(action=None), None),
        (b'{"message_id": "m-1"}', None),
        (b'{"message_id": "m-1", "time": "2099-03-23T10:00:00.000Z"}', None),
        (body(action=0, time="2022-03-23T10:00:00.000Z"), None),
        (body(action=0, time=["nothing", {"of": "meaning"}]), None),
        (body(), NOW + 3 * 86_400_000),
        (body(time=None), NOW + 3 * 86_400_000),
        (body(time="2022-03-23T10:00:00.000Z"), 1_648_029_600_000),
        (body(time="2022-03-23T10:00:00.123Z"), 1_648_029_600_123),
        (body(time="2022-03-23T10:00:00Z", more=1), 1_648_029_600_000),
    ],
)
def test_confirmations(given: bytes, process_at: int | None) -> None:
    assert parse_confirmation(given, NOW) == Confirmation("m-1", process_at)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (body(message_id=None), "message_id"),
        (body(message_id=""), "message_id"),
        (body(message_id="a\nb"), "message_id"),
        (body(message_id="x" * 129), "message_id"),
        (body(message_id=7), "message_id"),
        (body(message_id={"id": "m-1"}), "message_id"),
        (body(action=2), "action"),
        (body(action=-1), "action"),
        (body(action="1"), "action"),
        (body(action=True), "action"),
        (body(action=[0]), "action"),
        (b'{"message_id": "m-1", "action": 1' + b"0" * 30 + b"}", "action"),
        (b'{"message_id": "m-1", "action": 0.5}', "action"),
        (body(time=""), "time"),
        (body(time=NOW), "time"),
        (body(time="tomorrow"), "time"),
        (body(time="2022-03-23"), "time"),
        (body(time="2022-03-23T10:00:00.000"), "time"),
        (body(time="2022-03-23T10:00:00.000+02:00"), "time"),
        (body(time="2022-13-23T10:00:00.000Z"), "time"),
        (body(time="2022-02-30T10:00:00.000Z"), "time"),
        (body(time="2022-02-03T24:00:00.000Z"), "time"),
        (body(time="0000-01-01T00:00:00.000Z"), "time"),
        (body(time="2022-03-23T10:00:00.000Z\n"), "time"),
        (body(time={"at": 1}), "time"),
    ],
)
def test_what_is_no_confirmation(given: bytes, field: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_confirmation(given, NOW)
    assert caught.value.field == field


@pytest.mark.parametrize("given", [b"", b"[]", b'{"message_id": "\xff"}', b"{" * 10_000, b'{"x": ' + b"[" * 100_000])
def test_what_is_no_json(given: bytes) -> None:
    with pytest.raises(NotJson):
        parse_confirmation(given, NOW)


def test_the_ends_of_time() -> None:
    assert parse_time("0001-01-01T00:00:00.000Z") == -62_135_596_800_000
    assert parse_time("9999-12-31T23:59:59.999Z") == 253_402_300_799_999


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", Selection()),
        ("limit=5&offset=10", Selection(limit=5, offset=10)),
        ("limit=5&offset=14", Selection(limit=5, offset=10)),
        ("limit=1000&offset=999", Selection(limit=1000)),
        ("api_name=lamp", Selection(about="lamp")),
    ],
)
def test_pages(query: str, wanted: Selection) -> None:
    assert parse_page(query.encode()) == wanted


@pytest.mark.parametrize("value", ["-1", "1.5", "", "1" + "0" * 30, "x", "1\n"])
@pytest.mark.parametrize("field", ["limit", "offset"])
def test_numbers_that_are_none(field: str, value: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_page(urlencode({field: value}).encode())
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=1001", "limit"), ("api_name=", "api_name"), ("api_name=%FF", "query")],
)
def test_pages_that_cannot_be(query: str, field: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_page(query.encode())
    assert caught.value.field == field


@pytest.mark.parametrize("version", [{}, {b"dlm-type": b"SHARED"}, {b"dlm-type": b"EXCLUSIVE"}])
def test_header_fields(version: dict[bytes, bytes]) -> None:
    check_fields({b"workspace": b"0b28e1", **version})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "workspace"),
        ({b"workspace": b""}, "workspace"),
        ({b"workspace": b"\xff"}, "workspace"),
        ({b"workspace": b"w" * 129}, "workspace"),
        ({b"workspace": b"w", b"dlm-type": b"shared"}, "Dlm-Type"),
        ({b"workspace": b"w", b"dlm-type": b""}, "Dlm-Type"),
    ],
)
def test_header_fields_that_cannot_be(fields: dict[bytes, bytes], field: str) -> None:
    with pytest.raises(BadField) as caught:
        check_fields(fields)
    assert caught.value.field == field


@pytest.mark.parametrize("project", ["", "a b", "x" * 65, "a\n", "ü"])
def test_what_is_no_project(project: str) -> None:
    with pytest.raises(BadField, match="project_id"):
        check_project(project)
