from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from bridge.api.faults import BadField, NotJson
from bridge.api.rightech.parse import parse_notice, parse_only, parse_project, parse_read, parse_selection
from bridge.model.notification import Importance, Notice, Selection

GOOD: dict[str, Any] = {"id": "lamp", "importance": "important", "text": "hello"}


def body(**changes: Any) -> bytes:
    return msgspec.json.encode({**GOOD, **changes})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (body(), Notice("home", "lamp", Importance.IMPORTANT, "hello")),
        (body(_id="x", time=[], read="no", type=7), Notice("home", "lamp", Importance.IMPORTANT, "hello")),
        (body(text=None, body={"text": "hi", "type": "text"}), Notice("home", "lamp", Importance.IMPORTANT, "hi")),
        (body(text=None, body={"text": "hi"}), Notice("home", "lamp", Importance.IMPORTANT, "hi")),
        (body(body={"text": "hello"}), Notice("home", "lamp", Importance.IMPORTANT, "hello")),
        (body(body={"text": None, "type": "text"}), Notice("home", "lamp", Importance.IMPORTANT, "hello")),
        (body(id="ä/ü \U0001f600", text="\n\x00é"), Notice("home", "ä/ü \U0001f600", Importance.IMPORTANT, "\n\x00é")),
        (
            body(id="x" * 128, text="\U0001f600" * 65536),
            Notice("home", "x" * 128, Importance.IMPORTANT, "\U0001f600" * 65536),
        ),
        (body(importance="critical"), Notice("home", "lamp", Importance.CRITICAL, "hello")),
    ],
)
def test_notices(given: bytes, wanted: Notice) -> None:
    assert parse_notice(given, "home") == wanted


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (body(id=None), "id"),
        (body(id=""), "id"),
        (body(id="x" * 129), "id"),
        (body(id="a\nb"), "id"),
        (body(id="lamp\n"), "id"),
        (body(id=7), "id"),
        (body(id=["lamp"]), "id"),
        (body(importance=None), "importance"),
        (body(importance="urgent"), "importance"),
        (body(importance="IMPORTANT"), "importance"),
        (body(importance={"a": {"b": []}}), "importance"),
        (body(text=None), "text"),
        (body(text=""), "text"),
        (body(text="x" * 65537), "text"),
        (body(text=1), "text"),
        (body(text=True), "text"),
        (body(text=None, body="hi"), "body"),
        (body(body={"text": "other"}), "body.text"),
        (body(body={"type": "html"}), "body.type"),
        (body(text=None, body={}), "body.text"),
        (body(text=None, body={"text": []}), "body.text"),
        (body(text=None, body={"text": "hi", "type": "html"}), "body.type"),
    ],
)
def test_what_is_no_notice(given: bytes, field: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_notice(given, "home")
    assert caught.value.field == field


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"id": "\xff"}',
        b'{"unknown": "\xc3\x28"}',
        b'{"id": "\\ud800", "importance": "important", "text": "x"}',
        b'{"id": "lamp",}',
        b'{"other": ' + b"[" * 100_000,
        b'{"read": NaN}',
    ],
)
def test_what_is_no_json(given: bytes) -> None:
    with pytest.raises(NotJson):
        parse_notice(given, "home")


def test_read() -> None:
    assert parse_read(b'{"read": true}') is True
    assert parse_read(b'{"read": false, "more": 1}') is False


@pytest.mark.parametrize("given", [b"{}", b'{"read": null}', b'{"read": 1}', b'{"read": "true"}', b'{"read": [true]}'])
def test_what_is_neither_read_nor_unread(given: bytes) -> None:
    with pytest.raises(BadField) as caught:
        parse_read(given)
    assert caught.value.field == "read"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", Selection()),
        ("begin=5&end=7", Selection(5, 7)),
        ("from=5&to=7", Selection(5, 7)),
        ("from=1&begin=5&to=9&end=7", Selection(5, 7)),
        ("offset=3&limit=0", Selection(offset=3, limit=0)),
        ("limit=10000", Selection(limit=10000)),
        ("limit=10001", Selection(limit=10000)),
        ("offset=999999999999999", Selection(offset=999999999999999)),
        (
            "read=false&importance=critical&id=a%2Fb&search=%C3%A4",
            Selection(about="a/b", importance=Importance.CRITICAL, read=False, search="ä"),
        ),
        ("read=true&unknown=1&_=2", Selection(read=True)),
        ("limit=1&limit=2", Selection(limit=2)),
    ],
)
def test_selections(query: str, wanted: Selection) -> None:
    assert parse_selection(query.encode()) == wanted


@pytest.mark.parametrize("field", ["begin", "end", "from", "to", "offset", "limit"])
@pytest.mark.parametrize("value", ["-1", "1e3", "1.5", "", " 1", "1\n", "0x10", "NaN", "1" + "0" * 30, "[1]", "\u0661"])
def test_numbers_that_are_none(field: str, value: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_selection(urlencode({field: value}).encode())
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("read=1", "read"),
        ("read=TRUE", "read"),
        ("importance=", "importance"),
        ("importance=critical%0A", "importance"),
        ("id=", "id"),
        ("id=a%0Ab", "id"),
        ("id=" + "x" * 129, "id"),
        ("search=", "search"),
        ("search=" + "x" * 1001, "search"),
        ("id=%FF", "query"),
        ("&".join(["a=1"] * 101), "query"),
    ],
)
def test_selections_that_cannot_be(query: str, field: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_selection(query.encode())
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", ()),
        ("only=", ()),
        ("only=_id", (("_id",),)),
        ("only=_id,body.text,%20read%20,", (("_id",), ("body", "text"), ("read",))),
    ],
)
def test_only(query: str, wanted: tuple[tuple[str, ...], ...]) -> None:
    assert parse_only(query.encode()) == wanted


def test_too_many_fields() -> None:
    with pytest.raises(BadField, match="only"):
        parse_only(b"only=" + b",".join([b"a"] * 65))


@pytest.mark.parametrize(
    ("query", "own", "wanted"),
    [
        ("", "plant", "plant"),
        ("", None, "default"),
        ("project=site-7", None, "site-7"),
        ("project=site-7", "plant", "site-7"),
    ],
)
def test_project(query: str, own: str | None, wanted: str) -> None:
    assert parse_project(query.encode(), own) == wanted


@pytest.mark.parametrize("query", ["project=", "project=a%0A", "project=a/b", "project=" + "x" * 65])
def test_what_is_no_project(query: str) -> None:
    with pytest.raises(BadField, match="project"):
        parse_project(query.encode(), None)
