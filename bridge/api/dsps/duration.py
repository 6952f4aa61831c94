"""Durations as Go's time.ParseDuration reads them: "300ms", "1.5s", "1h30m", a bare "0". Pure."""

import re

NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5 MICRO SIGN
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
LONGEST = (1 << 63) - 1
"""Nanoseconds. What Go's 64 bits hold, some 292 years."""
MOST_DIGITS = 19
"""Of a whole number within `LONGEST`, and as many of a fraction as can make a difference."""

_UNIT = "|".join(NANOSECONDS)
_NUMBER = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PART = re.compile(f"{_NUMBER}({_UNIT})")
DURATION = re.compile(f"([+-]?)(0|(?:{_NUMBER.replace('(', '(?:', 1)}(?:{_UNIT}))+)")


def parse_duration(text: str) -> float:
    """Seconds, negative for one that begins with a minus. Error: ValueError."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    total = sum(_nanoseconds(number, unit) for number, unit in _PART.findall(match[2]))
    if total > LONGEST:
        raise ValueError(text)
    return (-total if match[1] == "-" else total) / 1e9


def _nanoseconds(number: str, unit: str) -> int:
    whole, _, fraction = number.partition(".")
    whole, fraction = whole.lstrip("0"), fraction[:MOST_DIGITS]
    if len(whole) > MOST_DIGITS:
        raise ValueError(number)
    scale = NANOSECONDS[unit]
    part: int = int(fraction or "0") * scale // 10 ** len(fraction)
    return int(whole or "0") * scale + part
