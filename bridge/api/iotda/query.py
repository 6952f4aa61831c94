"""Query strings and paths of this dialect. Pure; the only exception that leaves is `Refusal`."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from bridge.api.iotda.errors import BAD_LIMIT, BAD_MARKER, Refusal, bad_parameter
from bridge.api.iotda.parse import MESSAGE_ID
from bridge.model.device import DEVICE_ID, PROJECT
from bridge.model.errors import UnknownDevice, UnknownMessage
from bridge.model.message import Status

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

_LIMIT = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Page:
    limit: int = DEFAULT_LIMIT
    marker: str | None = None
    """The id of the last message of the page before."""
    status: Status | None = None


def parse_page(query: bytes) -> Page:
    """What ListDeviceMessages asks for. Unknown parameters are ignored; of a repeated one the last counts."""
    given = parameters(query)
    return Page(_limit(given.get("limit")), _marker(given.get("marker")), _status(given.get("status")))


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


def _marker(text: str | None) -> str | None:
    if text is not None and not MESSAGE_ID.fullmatch(text):
        raise bad_marker()
    return text


def bad_marker() -> Refusal:
    return bad_parameter("marker", "the message_id of a message of this device", BAD_MARKER)


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
