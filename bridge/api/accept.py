"""Which of several forms of an answer a client likes best (RFC 9110, section 12.5.1). Pure, and never an error."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_QUALITY = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_MOST = 64
"""Media ranges that are looked at."""


class _Range(NamedTuple):
    """`text/html`, `text/*` or `*/*`, with how much it is wanted and where it stands."""

    media_type: str
    quality: float
    place: int


def preferred(accept: str, offers: Sequence[str]) -> str:
    """One of `offers`, media types without parameters. The first of them if all are as good, or none is wanted.

    Of two that are wanted as much, the one that is named is better than the one that a wildcard stands for, and then
    the one that is named first, which is what clients mean.
    """
    ranges = [_range(text, place) for place, text in enumerate(accept.split(",")[:_MOST])]
    return max(offers, key=lambda offer: _worth(offer, ranges))


def _range(text: str, place: int) -> _Range:
    media_type, *parameters = (part.strip().lower() for part in text.split(";"))
    qualities = [float(found[1]) for each in parameters if (found := _QUALITY.fullmatch(each))]
    return _Range(media_type, qualities[0] if qualities else 1.0, place)


def _worth(offer: str, ranges: Sequence[_Range]) -> tuple[float, int, int]:
    """(quality, how exactly it is named, how early). The most exact range that has the offer decides."""
    for exactness, media_type in ((2, offer), (1, offer.partition("/")[0] + "/*"), (0, "*/*")):
        for each in ranges:
            if each.media_type == media_type:
                return each.quality, exactness, -each.place if exactness else 0
    return 0.0, 0, 0
