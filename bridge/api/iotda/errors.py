"""The error table of the dialect: what went wrong → status, code and text.

The vendor's codes where it has one. Ours: 000404, 000405, 000408, 000409, 000415, 000422, 000429, 000431, 000503,
010102, 010103, 014018, 014113 to 014119, 014130, 014131, 014140, 014141, 014201 to 014203.
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
from bridge.events import bodies
from bridge.model import errors
from bridge.model.batch import Obstacle

log = logging.getLogger(__name__)

FAILURES = bodies.FAILURES
"""The code in `error_info` of a FAILED message."""

BAD_PARAMETER = "IOTDA.000006"
BAD_TIME = "IOTDA.000009"
BAD_PERIOD = "IOTDA.000010"
BAD_LIMIT = "IOTDA.000017"
BAD_MARKER = "IOTDA.000018"
BAD_TOPIC = "IOTDA.014150"
NO_REPLY = "IOTDA.014140"

OBSTACLES: Mapping[Obstacle, tuple[str, str]] = {
    Obstacle.TIMEOUT: ("IOTDA.014117", "its ttl passed before the device took it"),
    Obstacle.UNKNOWN_DEVICE: ("IOTDA.014000", "the device does not exist"),
    Obstacle.REPEATED: ("IOTDA.014203", "the task names the device more than once; the first one counts"),
    Obstacle.DUPLICATE_MESSAGE: ("IOTDA.014130", "the device already has a message with this message_id"),
    Obstacle.QUEUE_FULL: ("IOTDA.014018", "the device has as many pending messages as are allowed"),
    Obstacle.REMOVED: ("IOTDA.014131", "the message was cancelled, or the device removed"),
}
"""The code and text in `error` of a target that Failed for another reason than a FAILED message."""


class Refusal(Exception):
    """A request that is answered with an error of this dialect. What a handler or a parser raises."""

    def __init__(self, status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, code, text)
        self.status = status
        self.code = code
        self.text = text
        self.headers = headers


def bad_parameter(field: str, allowed: str, code: str = BAD_PARAMETER) -> Refusal:
    """The 400 for one field: its name and what it has to be."""
    return Refusal(400, code, f"Invalid input data. {field}: {allowed}.")


_TABLE: Mapping[type[BaseException], tuple[int, str, str]] = {  # {} stands for the error's own words
    errors.UnknownDevice: (404, "IOTDA.014000", "The device does not exist."),
    errors.UnknownMessage: (404, "IOTDA.014131", "The device has no message with this id."),
    errors.DuplicateMessage: (400, "IOTDA.014130", "The device already has a message with this message_id."),
    errors.ForeignTopic: (
        400,
        BAD_TOPIC,
        "Invalid input data. topic_full_name: not below the topics of another device; those of a gateway are for the"
        " devices behind it.",
    ),
    errors.DuplicateDevice: (400, "IOTDA.014031", "The device already exists."),
    errors.UnsuitableGateway: (400, BAD_PARAMETER, "Invalid input data. gateway_id: {}."),
    errors.WrongAuthType: (400, BAD_PARAMETER, "Invalid input data. auth_type: {}."),
    errors.HasSubDevices: (403, "IOTDA.014024", "There are devices behind this device; delete them first."),
    errors.IsSubDevice: (403, "IOTDA.014038", "A device behind a gateway cannot be frozen; freeze the gateway."),
    errors.AlreadyFrozen: (403, "IOTDA.014039", "The device is already frozen."),
    errors.NotFrozen: (403, "IOTDA.014040", "The device is not frozen."),
    errors.KeyReused: (422, "IOTDA.000422", "The Idempotency-Key came with another request body before."),
    errors.RepeatedTooLate: (
        409,
        "IOTDA.000409",
        "The request with this Idempotency-Key was carried out, but its message was deleted since.",
    ),
    errors.UnknownRule: (404, "IOTDA.010002", "The rule does not exist."),
    errors.TooManyRules: (403, "IOTDA.010003", "The number of rules has reached the upper limit: {}."),
    errors.UnknownAction: (404, "IOTDA.010102", "The rule action does not exist."),
    errors.TooManyActions: (403, "IOTDA.010103", "The number of rule actions has reached the upper limit: {}."),
    errors.QueueFull: (
        403,
        "IOTDA.014018",
        "The device has as many pending messages as are allowed; nothing was stored.",
    ),
    errors.TooManyWaiting: (
        429,
        "IOTDA.014141",
        "As many calls as are allowed wait for the reply of a device; nothing was stored.",
    ),
    errors.UnknownTask: (404, "IOTDA.014200", "The batch task does not exist."),
    errors.WrongTaskState: (403, "IOTDA.014201", "The batch task is not in a state for that: {}."),
    errors.TooManyTasks: (403, "IOTDA.014202", "Too many batch tasks: {}; nothing was stored."),
    errors.StoreUnavailable: (
        503,
        "IOTDA.000503",
        "The message store is not available; nothing was accepted. Try again.",
    ),
    errors.OutcomeUnknown: (
        503,
        "IOTDA.000503",
        "The disk failed while the request was stored, and it is not known whether it was. Repeat it with the same"
        " message_id or Idempotency-Key: what was stored is then not stored again.",
    ),
    faults.NoSuchPath: (404, "IOTDA.000404", "There is nothing at this path."),
    faults.WrongMethod: (405, "IOTDA.000405", "This method is not allowed here."),
    faults.UnsupportedCoding: (415, "IOTDA.000415", "Unsupported request body. {}."),
    faults.TooManyFailures: (
        429,
        "IOTDA.000429",
        "Authentication failed, as too often before from this address. Correct the credentials.",
    ),
    faults.ClientGone: (400, "IOTDA.000008", "The request body ended early."),
    asyncio.CancelledError: (
        503,
        "IOTDA.000503",
        "The service is stopping; it is not known whether the request was carried out.",
    ),
}


def refusal_of(error: BaseException) -> Refusal | None:
    """How the dialect answers `error`; None when it is none of the errors one has to expect."""
    match error:
        case Refusal():
            return error
        case faults.NoCredentials():
            return Refusal(401, "IOTDA.000002", f"Authentication failed: {error}.", headers_of(error))
        case faults.Forbidden():
            return Refusal(403, "IOTDA.000021", f"No permission: {error}.")
        case faults.NotJson():
            return Refusal(400, "IOTDA.000008", f"Invalid request: {error}.")
        case faults.BodyTooLarge():
            return Refusal(400, BAD_PARAMETER, f"Invalid input data. body: {error}")
    status, code, text = _TABLE.get(type(error), (0, "", ""))
    return Refusal(status, code, text.format(error), headers_of(error)) if status else None


class ErrorBody(msgspec.Struct):
    error_code: str
    error_msg: str


_encode = msgspec.json.Encoder().encode

UNREADABLE: Mapping[int, ErrorBody] = {
    400: ErrorBody("IOTDA.000008", "Invalid request: this is not HTTP."),
    408: ErrorBody("IOTDA.000408", "The request did not arrive in time."),
    431: ErrorBody("IOTDA.000431", "The request line and header fields are larger than 65536 bytes."),
}
"""Status → what a request is told that was refused before it was complete."""


def error_body(status: int) -> bytes:
    """What a request is told that was refused before it was complete: 400, 408 or 431."""
    return _encode(UNREADABLE[status])


def answer_error(scope: Scope, error: BaseException) -> Response:
    """The answer to a request that raised `error`. Unforeseen is a defect: 500, and the details in the log."""
    refusal = refusal_of(error)
    if refusal is None:
        log.error("request %s: %s %r failed", scope[KEY], scope["method"], scope["path"], exc_info=error)
        refusal = Refusal(500, "IOTDA.000001", f"Internal error. Request id: {scope[KEY]}.")
    body = _encode(ErrorBody(refusal.code, refusal.text))
    return Response(body, refusal.status, refusal.headers, "application/json")
