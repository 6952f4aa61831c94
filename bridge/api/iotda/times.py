"""Points in time as applications write them. Pure."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

FORMS = "yyyyMMdd'T'HHmmss'Z' or yyyy-MM-dd'T'HH:mm:ss[.SSS]'Z'"
_COMPACT = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_ISO = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,3}))?Z")
WRITTEN = re.compile(f"{_COMPACT.pattern}|{_ISO.pattern}")
"""Either of the FORMS."""


class Moment(NamedTuple):
    """All that a written time stands for: without a fraction, a whole second. Milliseconds since the epoch."""

    first: int
    last: int


def parse_time(text: str) -> Moment:
    """UTC, in one of the two FORMS. Raises ValueError."""
    if _COMPACT.fullmatch(text):
        return _second(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(text)
    second = _second(datetime.fromisoformat(found[1]).replace(tzinfo=UTC))
    if found[2] is None:
        return second
    exact = second.first + int(found[2].ljust(3, "0"))
    return Moment(exact, exact)


def _second(moment: datetime) -> Moment:
    first = int(moment.timestamp()) * 1000
    return Moment(first, first + 999)
