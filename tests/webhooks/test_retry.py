import pytest

from bridge.webhooks.retry import back_off, retry_after

NOW = 1_700_000_000_000
"""Tue, 14 Nov 2023 22:13:20 GMT."""


@pytest.mark.parametrize(
    ("failures", "dice", "seconds"),
    [(1, 1.0, 1.0), (1, 0.0, 0.5), (2, 1.0, 2.0), (5, 0.5, 12.0), (11, 1.0, 600.0), (1_000_000, 0.0, 300.0)],
)
def test_back_off_doubles_up_to_a_limit_and_spreads(failures: int, dice: float, seconds: float) -> None:
    assert back_off(failures, dice, first=1.0, longest=600.0) == seconds


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("99999999999999999999", 3600.0),
        ("3601", 3600.0),
        ("-5", None),
        ("1.5", None),
        ("\u0663", None),
        ("", None),
        ("soon", None),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:14:20 -0000", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("Tue, 14 Nov 2093 22:00:00 GMT", 3600.0),
        ("Tue, 99 Nov 2023 22:14:20 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 3600.0),
    ],
)
def test_retry_after(field: str | None, seconds: float | None) -> None:
    assert retry_after(field, NOW, longest=3600.0) == seconds
