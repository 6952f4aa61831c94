import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.api.iotda.errors import Refusal
from bridge.api.iotda.query import Page, check_device, check_message_id, parse_page
from bridge.model.errors import UnknownDevice, UnknownMessage
from bridge.model.message import Status


@pytest.mark.parametrize(
    ("query", "page"),
    [
        (b"", Page()),
        (b"limit=1", Page(limit=1)),
        (b"limit=1000&marker=m-1&status=FAILED", Page(1000, "m-1", Status.FAILED)),
        (b"limit=0010", Page(limit=10)),
        (b"limit=1&limit=2", Page(limit=2)),
        (b"unknown=%zz&&;=&a", Page()),
        (b"l%69mit=7", Page(limit=7)),
    ],
)
def test_page(query: bytes, page: Page) -> None:
    assert parse_page(query) == page


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        *(
            (b"limit=" + value, "IOTDA.000017", "limit")
            for value in (
                b"",
                b"0",
                b"1001",
                b"-1",
                b"+1",
                b"1.0",
                b"x",
                b"%D9%A1",
                b"1%0A",
                b"9" * 5000,
                b"%zz",
                b"%00",
                b"%EF%BC%91",
            )
        ),
        *((b"marker=" + value, "IOTDA.000018", "marker") for value in (b"", b"a%20b", b"%", b"a%0A", b"x" * 129)),
        *((b"status=" + value, "IOTDA.000006", "status") for value in (b"", b"pending", b"GONE", b"PENDING%0A")),
        (b"limit=%ff", "IOTDA.000006", "query"),
        (b"x=\xff", "IOTDA.000006", "query"),
        (b"%ed%a0%80=1", "IOTDA.000006", "query"),
    ],
)
def test_refused(query: bytes, code: str, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_page(query)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert caught.value.text.startswith(f"Invalid input data. {field}: ")


@given(st.binary())
def test_any_query_parses_or_is_refused(query: bytes) -> None:
    with contextlib.suppress(Refusal):
        parse_page(query)


def test_names_in_the_path() -> None:
    check_device("p" * 64, "d" * 128)
    check_message_id("m" * 128)
    for project, device in [
        ("p", "d" * 129),
        ("p" * 65, "d"),
        ("p", "a b"),
        ("p", "d\n"),
        ("p:", "d"),
        ("p", "\u00e9"),
    ]:
        with pytest.raises(UnknownDevice):
            check_device(project, device)
    for message_id in ("m" * 129, "a b", "m\n"):
        with pytest.raises(UnknownMessage):
            check_message_id(message_id)


@pytest.mark.parametrize("name", ["%zz", "a%", "\ufffd"])
def test_what_is_no_percent_encoding(name: str) -> None:
    for check, names in ((check_device, ["p", name]), (check_device, [name, "d"]), (check_message_id, [name])):
        with pytest.raises(Refusal, match=r"IOTDA\.000006"):
            check(*names)
