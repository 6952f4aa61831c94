"""The error table of the dialect: what went wrong → status, code and text.

The vendor publishes the form and `DLS.1000`, "process failed". The other codes are ours.
"""

import asyncio
import logging
from collections.abc import Mapping

import msgspec
from starlette.responses import Response
from starlette.types import Scope

from bridge.api import faults
from bridge.api.error_fields import headers_of
from bridge.api.request_id import KEY
from bridge.model import errors

log = logging.getLogger(__name__)

INTERNAL = "DLS.1000"

TABLE: Mapping[type[BaseException], tuple[int, str, str]] = {  # {} stands for the error's own words
    faults.NotJson: (400, "DLS.1001", "Invalid request body: {}."),
    faults.ClientGone: (400, "DLS.1001", "Invalid request body: it ended early."),
    faults.BodyTooLarge: (400, "DLS.1001", "Invalid request body: {}."),
    faults.BadField: (400, "DLS.1002", "Invalid parameter. {}."),
    errors.TooBroad: (400, "DLS.1002", "Invalid parameter. api_name: too much to look through."),
    errors.UnknownNotification: (400, "DLS.1003", "message_id: no notification has this id or is about this message."),
    errors.AlreadyProcessed: (400, "DLS.1004", "message_id: already processed."),
    errors.PastTime: (400, "DLS.1005", "time: in the past."),
    faults.NoCredentials: (401, "DLS.1401", "Authentication failed: {}."),
    faults.BadSignature: (401, "DLS.1401", "Authentication failed: {}."),
    faults.Forbidden: (403, "DLS.1403", "No permission: {}."),
    faults.NoSuchPath: (404, "DLS.1404", "There is nothing at this path."),
    faults.WrongMethod: (405, "DLS.1405", "This method is not allowed here."),
    faults.UnsupportedCoding: (415, "DLS.1415", "Unsupported request body. {}."),
    faults.TooManyFailures: (429, "DLS.1429", "Authentication failed, as too often before from this address."),
    errors.StoreUnavailable: (503, "DLS.1503", "The store is not available; nothing was changed. Try again."),
    errors.OutcomeUnknown: (
        503,
        "DLS.1503",
        "The disk failed, and it is not known whether this was stored. Repeat it; what was confirmed stays confirmed.",
    ),
    asyncio.CancelledError: (
        503,
        "DLS.1503",
        "The service is stopping; it is not known whether the request was carried out.",
    ),
}


class DataArtsError(msgspec.Struct):
    error_code: str
    error_msg: str


_encode = msgspec.json.Encoder().encode


def answer_error(scope: Scope, error: BaseException) -> Response:
    """The answer to a request that raised `error`. Unforeseen is a defect: 500, and the details in the log."""
    status, code, text = TABLE.get(type(error), (500, INTERNAL, f"process failed. Request id: {scope[KEY]}."))
    if status == 500:
        log.error("request %s: %s %r failed", scope[KEY], scope["method"], scope["path"], exc_info=error)
    body = _encode(DataArtsError(code, text.format(error)))
    return Response(body, status, headers_of(error), "application/json")
