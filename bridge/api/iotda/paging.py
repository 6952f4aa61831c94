"""The vendor's way through long lists: `limit`, `marker`, `offset`. Pure; the only exception that leaves is
`Refusal`."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from bridge.api.iotda.errors import BAD_LIMIT, BAD_MARKER, bad_parameter
from bridge.api.operation import Parameter
from bridge.api.schema import integer, text

DEFAULT_LIMIT = 10
MAX_LIMIT = 50
MAX_OFFSET = 500

_NUMBER = re.compile(r"[0-9]{1,3}")
_MARKER = re.compile(r"[0-9A-Fa-f]{24}")

PAGING = (
    Parameter("limit", integer(1, MAX_LIMIT, default=DEFAULT_LIMIT)),
    Parameter("marker", text(_MARKER), "As the page before gave it."),
    Parameter("offset", integer(0, MAX_OFFSET, default=0), "How many to pass over."),
)
"""What `parse_paging` takes."""


class Paging(NamedTuple):
    limit: int
    before: int | None
    """Those with a smaller key; None: from the newest on."""
    offset: int
    """How many of them to pass over."""


class Page(msgspec.Struct, omit_defaults=True):
    """What an answer says of the whole list."""

    count: int
    """Of all there are, whatever the page."""
    marker: str | None = None
    """Of the last one here."""


def parse_paging(given: Mapping[str, str]) -> Paging:
    """From the parameters of a query."""
    return Paging(_limit(given.get("limit")), _marker(given.get("marker")), _offset(given.get("offset")))


def record_id(key: int) -> str:
    """A marker: 24 hexadecimal digits, larger for a newer record; for nobody to look into."""
    return f"{key:024x}"


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MAX_LIMIT:
        raise bad_parameter("limit", f"1 to {MAX_LIMIT}", BAD_LIMIT)
    return int(text)


def _offset(text: str | None) -> int:
    if text is None:
        return 0
    if not _NUMBER.fullmatch(text) or int(text) > MAX_OFFSET:
        raise bad_parameter("offset", f"0 to {MAX_OFFSET}")
    return int(text)


def _marker(text: str | None) -> int | None:
    if text is None:
        return None
    if not _MARKER.fullmatch(text):
        raise bad_parameter("marker", "24 hexadecimal digits, as the page before gave it", BAD_MARKER)
    return int(text, 16)
