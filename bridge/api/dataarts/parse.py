"""Header fields, bodies and queries of the dialect → what the core speaks. Pure; NotJson and BadField are all that
leaves. null is the same as absent: the vendor's SDK sends nulls."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from bridge.api.faults import BadField
from bridge.api.fields import MOST_NUMBER, decode, query_parameters, whole_number
from bridge.api.operation import Parameter
from bridge.api.schema import integer, shown, text
from bridge.model.device import PROJECT
from bridge.model.notification import Selection

DEFAULT_DELAY = 3 * 86_400_000
"""Milliseconds from now to the time of a confirmation that names none."""
DEFAULT_LIMIT = 100
MOST_LISTED = 1000
_WORKSPACE = re.compile(r"[\x21-\x7e]{1,128}")
_VERSIONS = ("SHARED", "EXCLUSIVE")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")
NAMED = re.compile("[^\x00-\x1f\x7f-\x9f]{1,128}")


_LATER = "Without it: three days from now."


class ConfirmBody(msgspec.Struct):
    """Types only, the rules are in `parse_confirmation`. The vendor's example has a time that means nothing."""

    message_id: Annotated[str, shown(NAMED, required=True)] | None = None
    action: Annotated[int, shown(enum=[0, 1], default=0, description="0: now. 1: at a time.")] | None = None
    time: Annotated[Any, shown(_TIME, f"In UTC, for action 1. {_LATER}", type=["string", "null"])] = None


EXAMPLE = {"message_id": "69a1b2c3000000000000beef", "action": 1, "time": "2099-03-23T10:00:00.000Z"}
FIELDS = (
    Parameter("workspace", text(_WORKSPACE), "Is not looked at further.", "header", required=True),
    Parameter("Dlm-Type", {"type": "string", "enum": list(_VERSIONS)}, "Is not looked at further.", "header"),
)
"""Of every request."""
PAGE_PARAMETERS = (
    Parameter("limit", integer(1, MOST_LISTED, default=DEFAULT_LIMIT)),
    Parameter("offset", integer(0, MOST_NUMBER, default=0), "Is rounded down to a multiple of limit."),
    Parameter("api_name", text(NAMED), "What it is about: nearly always a device id."),
)
"""Of ListMessage."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    message_id: str
    process_at: int | None
    """Milliseconds since the epoch; None: now."""


_CONFIRM = msgspec.json.Decoder(ConfirmBody)


def check_project(project: str) -> None:
    if not PROJECT.fullmatch(project):
        raise BadField("project_id", "1 to 64 letters, digits, _ and -")


def check_fields(fields: Mapping[bytes, bytes]) -> None:
    """The header fields of the vendor. They are checked, and nothing here depends on what they say."""
    if not _WORKSPACE.fullmatch(fields.get(b"workspace", b"").decode("latin-1")):
        raise BadField("workspace", "a required header field, 1 to 128 printable ASCII characters")
    if fields.get(b"dlm-type", b"SHARED").decode("latin-1") not in _VERSIONS:
        raise BadField("Dlm-Type", "SHARED or EXCLUSIVE")


def parse_confirmation(body: bytes, now: int) -> Confirmation:
    fields = decode(body, _CONFIRM)
    if fields.message_id is None:
        raise BadField("message_id", "required, as without one nothing says which notification is confirmed")
    if not NAMED.fullmatch(fields.message_id):
        raise BadField("message_id", "1 to 128 characters, no control characters")
    if fields.action not in {None, 0, 1}:
        raise BadField("action", "0 (now), which is the default, or 1 (at a time)")
    if not fields.action:
        return Confirmation(fields.message_id, None)
    return Confirmation(fields.message_id, now + DEFAULT_DELAY if fields.time is None else parse_time(fields.time))


def parse_time(value: object) -> int:
    """Milliseconds since the epoch."""
    try:
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            raise ValueError(value)
        moment = datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        raise BadField("time", "a time in UTC such as 2022-03-23T10:00:00.000Z") from None
    seconds = int(moment.timestamp())
    return seconds * 1000 + moment.microsecond // 1000


def parse_page(query: bytes) -> Selection:
    """A page begins at a multiple of `limit`; other offsets are rounded down, as the vendor does."""
    given = query_parameters(query)
    limit, offset = whole_number("limit", given.get("limit")), whole_number("offset", given.get("offset")) or 0
    if limit is not None and not 1 <= limit <= MOST_LISTED:
        raise BadField("limit", f"1 to {MOST_LISTED}")
    limit, about = limit or DEFAULT_LIMIT, given.get("api_name")
    if about is not None and not NAMED.fullmatch(about):
        raise BadField("api_name", "1 to 128 characters, no control characters")
    return Selection(limit=limit, offset=offset - offset % limit, about=about)
