"""The query strings of the device operations. Pure; the only exception that leaves is `Refusal`."""

import re
from datetime import UTC, datetime

from bridge.api.iotda.device_parse import ID, NAME, NODE_ID, SHORT_ID, checked
from bridge.api.iotda.errors import BAD_LIMIT, BAD_MARKER, BAD_PERIOD, BAD_TIME, bad_parameter
from bridge.api.iotda.query import parameters
from bridge.model.record import Search

DEFAULT_LIMIT = 10
MAX_LIMIT = 50
MAX_OFFSET = 500
SECOND = 1000

_NUMBER = re.compile(r"[0-9]{1,3}")
_MARKER = re.compile(r"[0-9A-Fa-f]{24}")
_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def parse_search(query: bytes) -> Search:
    """What ListDevices asks for. Unknown parameters are ignored; of a repeated one the last counts."""
    given = parameters(query)
    since, until = parse_time("start_time", given.get("start_time")), parse_time("end_time", given.get("end_time"))
    if since is not None and until is not None and since > until:
        raise bad_parameter("start_time", "not after end_time", BAD_PERIOD)
    return Search(
        limit=parse_limit(given.get("limit")),
        before=parse_marker(given.get("marker")),
        offset=parse_offset(given.get("offset")),
        product_id=checked("product_id", given.get("product_id"), SHORT_ID),
        node_id=checked("node_id", given.get("node_id"), NODE_ID),
        name=checked("device_name", given.get("device_name"), NAME),
        app_id=checked("app_id", given.get("app_id"), SHORT_ID),
        gateway_id=checked("gateway_id", given.get("gateway_id"), ID),
        cascade=_flag("is_cascade_query", given.get("is_cascade_query")),
        since=since,
        until=None if until is None else until + SECOND - 1,  # create_time shows whole seconds
    )


def parse_action(query: bytes) -> None:
    """What is to be done with a device: the only choice is resetSecret."""
    if parameters(query).get("action_id") != "resetSecret":
        raise bad_parameter("action_id", "resetSecret")


def parse_limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MAX_LIMIT:
        raise bad_parameter("limit", f"1 to {MAX_LIMIT}", BAD_LIMIT)
    return int(text)


def parse_offset(text: str | None) -> int:
    if text is None:
        return 0
    if not _NUMBER.fullmatch(text) or int(text) > MAX_OFFSET:
        raise bad_parameter("offset", f"0 to {MAX_OFFSET}")
    return int(text)


def parse_marker(text: str | None) -> int | None:
    """A record id is a `Device.key`, see `device_render.record_id`."""
    if text is None:
        return None
    if not _MARKER.fullmatch(text):
        raise bad_parameter("marker", "24 hexadecimal digits, as the page before gave it", BAD_MARKER)
    return int(text, 16)


def _flag(field: str, text: str | None) -> bool:
    if text is not None and text.lower() not in {"true", "false"}:
        raise bad_parameter(field, "true or false")
    return text is not None and text.lower() == "true"


def parse_time(field: str, text: str | None) -> int | None:
    """Milliseconds since the epoch."""
    if text is None:
        return None
    try:
        if not _TIME.fullmatch(text):
            raise ValueError(text)
        moment = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise bad_parameter(field, "yyyyMMdd'T'HHmmss'Z'", BAD_TIME) from None
    return int(moment.timestamp()) * SECOND
