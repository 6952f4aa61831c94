import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.api.iotda.errors import Refusal
from bridge.api.iotda.query import Page, check_device, check_message_id, cursor_of, parse_inquiry, parse_page
from bridge.model.errors import UnknownDevice, UnknownMessage
from bridge.model.inquiry import Inquiry
from bridge.model.message import Status

SECOND = 1_776_675_755_000
"""20260420T090235Z"""


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
        (b"start_time=20260420T090235Z", Page(period=(SECOND, None))),
        (b"end_time=20260420T090235Z", Page(period=(None, SECOND + 999))),
        (b"start_time=19700101T000000Z&end_time=1970-01-01T00:00:00.000Z", Page(period=(0, 0))),
        (b"from=x&to=x&cursor=x", Page()),
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
        *((b"start_time=" + value, "IOTDA.000009", "start_time") for value in (b"", b"2026", b"20260420T090235Z%0A")),
        (b"end_time=20260431T090235Z", "IOTDA.000009", "end_time"),
        (b"start_time=20260420T090236Z&end_time=20260420T090235Z", "IOTDA.000010", "start_time"),
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


@pytest.mark.parametrize(
    ("query", "inquiry"),
    [
        (b"", Inquiry(100)),
        (b"device_id=lamp-1&status=FAILED&limit=7", Inquiry(7, "lamp-1", Status.FAILED)),
        (b"from=2026-04-20T09:02:35.5Z&to=20260420T090235Z", Inquiry(100, since=SECOND + 500, until=SECOND + 999)),
        (b"cursor=" + cursor_of(42).encode(), Inquiry(100, before=42)),
        (b"cursor=" + cursor_of(10**18 - 1).encode(), Inquiry(100, before=10**18 - 1)),
        (b"start_time=x&end_time=x&marker=%20", Inquiry(100)),
    ],
)
def test_inquiry(query: bytes, inquiry: Inquiry) -> None:
    assert parse_inquiry(query) == inquiry


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        *((b"device_id=" + value, "IOTDA.000006", "device_id") for value in (b"", b"a%20b", b"a%0A", b"x" * 129)),
        (b"status=gone", "IOTDA.000006", "status"),
        (b"limit=1001", "IOTDA.000017", "limit"),
        (b"from=yesterday", "IOTDA.000009", "from"),
        (b"to=20260420", "IOTDA.000009", "to"),
        (b"from=20260420T090235Z&to=2026-04-20T09:02:34.999Z", "IOTDA.000010", "from"),
        *(
            (b"cursor=" + value, "IOTDA.000018", "cursor")
            for value in (b"", b"x", b"42", b"czQ=", b"czQ%0A", b"cy0x", b"%C3%A9", b"_" * 5000, b"czA0", b"A" * 25)
        ),
        (b"x=%ff", "IOTDA.000006", "query"),
    ],
)
def test_inquiry_refused(query: bytes, code: str, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_inquiry(query)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert f" {field}:" in caught.value.text


@given(st.text())
def test_any_cursor(text: str) -> None:
    with contextlib.suppress(Refusal):
        parse_inquiry(b"cursor=" + text.encode("ascii", "ignore"))
