"""The query strings of the device operations. Pure; the only exception that leaves is `Refusal`."""

import re
from datetime import UTC, datetime

from bridge.api.iotda.device_parse import ID, NAME, NODE_ID, SHORT_ID, checked
from bridge.api.iotda.errors import BAD_PERIOD, BAD_TIME, bad_parameter
from bridge.api.iotda.paging import PAGING, parse_paging
from bridge.api.iotda.query import parameters, parse_flag
from bridge.api.operation import Parameter
from bridge.api.schema import text
from bridge.model.record import Search

SECOND = 1000

TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
RESET_SECRET = "resetSecret"  # noqa: S105

_MOMENT = {**text(TIME), "examples": ["20260102T030405Z"]}
PARAMETERS = (
    *PAGING,
    Parameter("product_id", text(SHORT_ID.pattern)),
    Parameter("gateway_id", text(ID.pattern), "Those behind this device."),
    Parameter("is_cascade_query", {"type": "boolean", "default": False}, "Those behind the devices behind it, too."),
    Parameter("node_id", text(NODE_ID.pattern)),
    Parameter("device_name", text(NAME.pattern)),
    Parameter("app_id", text(SHORT_ID.pattern)),
    Parameter("start_time", _MOMENT, "Registered then or later."),
    Parameter("end_time", _MOMENT, "Registered then or earlier."),
)
"""Of ListDevices."""
ACTION_PARAMETERS = (Parameter("action_id", {"type": "string", "enum": [RESET_SECRET]}, required=True),)
"""Of ResetDeviceSecret."""


def parse_search(query: bytes) -> Search:
    """What ListDevices asks for. Unknown parameters are ignored; of a repeated one the last counts."""
    given = parameters(query)
    since, until = parse_time("start_time", given.get("start_time")), parse_time("end_time", given.get("end_time"))
    if since is not None and until is not None and since > until:
        raise bad_parameter("start_time", "not after end_time", BAD_PERIOD)
    return Search(
        **parse_paging(given)._asdict(),
        product_id=checked("product_id", given.get("product_id"), SHORT_ID),
        node_id=checked("node_id", given.get("node_id"), NODE_ID),
        name=checked("device_name", given.get("device_name"), NAME),
        app_id=checked("app_id", given.get("app_id"), SHORT_ID),
        gateway_id=checked("gateway_id", given.get("gateway_id"), ID),
        cascade=bool(parse_flag("is_cascade_query", given.get("is_cascade_query"))),
        since=since,
        until=None if until is None else until + SECOND - 1,  # create_time shows whole seconds
    )


def parse_action(query: bytes) -> None:
    """What is to be done with a device: the only choice is resetSecret."""
    if parameters(query).get("action_id") != RESET_SECRET:
        raise bad_parameter("action_id", RESET_SECRET)


def parse_time(field: str, text: str | None) -> int | None:
    """Milliseconds since the epoch."""
    if text is None:
        return None
    try:
        if not TIME.fullmatch(text):
            raise ValueError(text)
        moment = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise bad_parameter(field, "yyyyMMdd'T'HHmmss'Z'", BAD_TIME) from None
    return int(moment.timestamp()) * SECOND
