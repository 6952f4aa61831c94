"""Query strings and paths of this dialect. Pure; the only exception that leaves is `Refusal`."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import parse_qsl

from bridge.api.iotda.errors import BAD_LIMIT, BAD_MARKER, BAD_PERIOD, BAD_TIME, Refusal, bad_parameter
from bridge.api.iotda.parse import MESSAGE_ID
from bridge.api.iotda.times import FORMS, WRITTEN, Moment, parse_time
from bridge.api.operation import Parameter
from bridge.api.schema import integer, text
from bridge.model.device import DEVICE_ID, PROJECT
from bridge.model.errors import UnknownDevice, UnknownMessage
from bridge.model.inquiry import Inquiry
from bridge.model.message import Status

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

_LIMIT = re.compile(r"[0-9]{1,4}")
_CURSOR = re.compile(rb"s([0-9]{1,18})")
_PLACE = re.compile(r"~([0-9]{1,18})")
"""No message has such an id."""
_MARKER = re.compile(f"{MESSAGE_ID.pattern}|{_PLACE.pattern}")

_WRITTEN = {**text(WRITTEN), "examples": ["2026-01-02T03:04:05Z"]}
_LIMITED = Parameter("limit", integer(1, MAX_LIMIT, default=DEFAULT_LIMIT))
_IN_STATE = Parameter("status", {"type": "string", "enum": list(Status)})
PARAMETERS = (
    _LIMITED,
    Parameter("marker", text(_MARKER), "As the page before gave it, or its last message_id."),
    _IN_STATE,
    Parameter("start_time", _WRITTEN, "Accepted then or later."),
    Parameter("end_time", _WRITTEN, "Accepted then or earlier."),
)
"""Of ListDeviceMessages."""
EXPORT_PARAMETERS = (
    Parameter("device_id", text(DEVICE_ID)),
    _IN_STATE,
    Parameter("from", _WRITTEN, "Accepted then or later."),
    Parameter("to", _WRITTEN, "Accepted then or earlier."),
)
"""Of ExportProjectMessages."""
PROJECT_PARAMETERS = (
    *EXPORT_PARAMETERS,
    _LIMITED,
    Parameter("cursor", text(re.compile("[A-Za-z0-9_-]{1,26}")), "As the page before gave it."),
)
"""Of ListProjectMessages."""


@dataclass(frozen=True, slots=True)
class Page:
    limit: int = DEFAULT_LIMIT
    marker: int | str | None = None
    """`Message.seq` of the last message of the page before, or its id."""
    status: Status | None = None
    period: tuple[int | None, int | None] = (None, None)
    """First and last millisecond of acceptance."""


def parse_page(query: bytes) -> Page:
    """What ListDeviceMessages asks for. Unknown parameters are ignored; of a repeated one the last counts."""
    given = parameters(query)
    marker, period = _marker(given.get("marker")), _period(given, "start_time", "end_time")
    return Page(_limit(given.get("limit")), marker, _status(given.get("status")), period)


def parse_inquiry(query: bytes) -> Inquiry:
    """What the list of a project asks for. Unknown parameters are ignored; of a repeated one the last counts."""
    given = parameters(query)
    since, until = _period(given, "from", "to")
    device_id = given.get("device_id")
    if device_id is not None and not DEVICE_ID.fullmatch(device_id):
        raise bad_parameter("device_id", "1 to 128 letters, digits, _ and -")
    return Inquiry(
        limit=_limit(given.get("limit")),
        device_id=device_id,
        status=_status(given.get("status")),
        since=since,
        until=until,
        before=_cursor(given.get("cursor")),
    )


def cursor_of(rest: int) -> str:
    """Where a list goes on, for whoever asks for the next page. Opaque; it does not hold what was asked for."""
    return urlsafe_b64encode(b"s%d" % rest).decode().rstrip("=")


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        found = _CURSOR.fullmatch(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if found is None or cursor_of(int(found[1])) != text:
            raise ValueError(text)
    except ValueError:
        raise bad_parameter("cursor", "as the page before gave it", BAD_MARKER) from None
    return int(found[1])


def _period(given: dict[str, str], start: str, end: str) -> tuple[int | None, int | None]:
    since, until = _moment(start, given.get(start)), _moment(end, given.get(end))
    if since is not None and until is not None and since.first > until.last:
        raise bad_parameter(start, f"not after {end}", BAD_PERIOD)
    return since and since.first, until and until.last


def _moment(field: str, text: str | None) -> Moment | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError:
        raise bad_parameter(field, FORMS, BAD_TIME) from None


def parameters(query: bytes) -> dict[str, str]:
    """Of a repeated one the last counts. Errors: Refusal."""
    try:
        return dict(parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise bad_parameter("query", "percent-encoded UTF-8") from None


def parse_flag(field: str, text: str | None) -> bool | None:
    """None: not given."""
    if text is None:
        return None
    if text.lower() not in {"true", "false"}:
        raise bad_parameter(field, "true or false")
    return text.lower() == "true"


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= MAX_LIMIT:
        raise bad_parameter("limit", f"1 to {MAX_LIMIT}", BAD_LIMIT)
    return int(text)


def marker_of(seq: int) -> str:
    """The marker of the page that ends with this message; for nobody to look into."""
    return f"~{seq}"


def _marker(text: str | None) -> int | str | None:
    if text is None:
        return None
    if place := _PLACE.fullmatch(text):
        return int(place[1])
    if not MESSAGE_ID.fullmatch(text):
        raise bad_marker()
    return text


def bad_marker() -> Refusal:
    return bad_parameter("marker", "as the page before gave it, or the message_id of its last message", BAD_MARKER)


def _status(text: str | None) -> Status | None:
    if text is None:
        return None
    try:
        return Status(text)
    except ValueError:
        raise bad_parameter("status", "one of " + ", ".join(Status)) from None


def check_device(project: str, device_id: str) -> None:
    """Errors: UnknownDevice for names no device can have, Refusal for percent-encoding that is none."""
    if DEVICE_ID.fullmatch(device_id) and PROJECT.fullmatch(project):
        return
    check_encoding("device_id", project + device_id)
    raise UnknownDevice


def check_project(project: str) -> None:
    """Errors: Refusal for names no project can have."""
    if not PROJECT.fullmatch(project):
        raise bad_parameter("project_id", "1 to 64 letters, digits, _ and -")


def check_message_id(message_id: str) -> None:
    """Errors: UnknownMessage for an id no message can have, Refusal for percent-encoding that is none."""
    if not MESSAGE_ID.fullmatch(message_id):
        check_encoding("message_id", message_id)
        raise UnknownMessage


def check_encoding(field: str, text: str) -> None:
    """The server decodes a path leniently: what is not UTF-8 becomes U+FFFD, what is not percent-encoding stays."""
    if "\ufffd" in text or "%" in text:
        raise bad_parameter(field, "percent-encoded UTF-8")
