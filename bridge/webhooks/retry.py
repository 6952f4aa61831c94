"""When to try again. Pure: the time and the dice come as arguments."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MOST_DIGITS = 9


def back_off(failures: int, dice: float, *, first: float, longest: float) -> float:
    """Seconds after the given number of failures, at least one: doubling, and between half and all of it, so that what
    failed together does not come back together. `dice` is in 0..1."""
    full = min(longest, first * 2.0 ** min(failures - 1, 60))
    return full * (0.5 + dice / 2)


def retry_after(field: str | None, now: int, *, longest: float) -> float | None:
    """Seconds that a target asks for, as a number or as a date (RFC 9110, section 10.2.3); None: nothing one can
    understand. `now` is in milliseconds since the epoch."""
    if field is None:
        return None
    text = field.strip()
    if text.isascii() and text.isdigit():
        return min(longest, float(text[:MOST_DIGITS])) if len(text) <= MOST_DIGITS else longest
    try:
        date = parsedate_to_datetime(text)
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.fromtimestamp(now / 1000, UTC)
    except (ValueError, OverflowError):
        return None
    return min(longest, max(0.0, seconds.total_seconds()))
