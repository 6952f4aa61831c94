import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.api.iotda.times import Moment, parse_time
from bridge.model.times import compact, precise

SECOND = 1_776_675_755_000
"""20260420T090235Z"""


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("20260420T090235Z", SECOND, SECOND + 999),
        ("2026-04-20T09:02:35Z", SECOND, SECOND + 999),
        ("2026-04-20T09:02:35.000Z", SECOND, SECOND),
        ("2026-04-20T09:02:35.123Z", SECOND + 123, SECOND + 123),
        ("2026-04-20T09:02:35.5Z", SECOND + 500, SECOND + 500),
        ("2026-04-20T09:02:35.05Z", SECOND + 50, SECOND + 50),
        ("19700101T000000Z", 0, 999),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000, -62_135_596_799_001),
        ("99991231T235959Z", 253_402_300_799_000, 253_402_300_799_999),
    ],
)
def test_times(text: str, first: int, last: int) -> None:
    assert parse_time(text) == Moment(first, last)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20260420T090235",
        "20260420T090235z",
        "20260420t090235Z",
        "20260420T090235Z\n",
        " 20260420T090235Z",
        "20260420T090235.123Z",
        "20260431T090235Z",
        "20260420T240000Z",
        "20260420T090260Z",
        "00000101T000000Z",
        "0000-01-01T00:00:00Z",
        "2026-04-20",
        "2026-04-20 09:02:35Z",
        "2026-04-20T09:02Z",
        "2026-04-20T09:02:35",
        "2026-04-20T09:02:35+00:00",
        "2026-04-20T09:02:35.Z",
        "2026-04-20T09:02:35.1234Z",
        "2026-04-20T09:02:35,123Z",
        "2026-13-20T09:02:35Z",
        "2026-W17-1T09:02:35Z",
        "\u0662\u0660260420T090235Z",
        "1776675755",
        "now",
    ],
)
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_time(text)


@given(st.integers(0, 253_402_300_799_999))
def test_what_is_shown_can_be_given(milliseconds: int) -> None:
    assert parse_time(precise(milliseconds)) == (milliseconds, milliseconds)
    assert parse_time(compact(milliseconds)).first == milliseconds // 1000 * 1000
