"""How an operation of this dialect is described: what is the same for all of them, filled in."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from bridge.api import faults
from bridge.api.dsps.duration import DURATION
from bridge.api.dsps.errors import INVALID_CHANNEL, DspsError, Refusal, invalid, refusal_of
from bridge.api.dsps.handle import HANDLE
from bridge.api.dsps.parse import DEFAULT_MAX, ID, LAST_SECOND, MAX_JTI, MAX_WANTED, MOST
from bridge.api.operation import ErrorCode, Operation, Parameter, in_path
from bridge.api.samples import sample
from bridge.api.schema import integer, text
from bridge.model.device import PROJECT
from bridge.model.errors import StoreUnavailable

Reason: TypeAlias = type[BaseException] | Refusal
"""An exception that the error table knows, or the refusal itself."""

_ID = text(ID)
_VISIBLE = {"type": "string", "pattern": "^[!-~]+$"}
_PATH_PARAMETERS: Mapping[str, Parameter] = {
    name: Parameter(name, _ID, where="path") for name in ("channel", "subscriber", "message")
}
_OF_PATHS: Mapping[str, Sequence[Reason]] = {
    "channel": (invalid("channelID"), invalid("channelID", INVALID_CHANNEL)),
    "subscriber": (invalid("subscriberID"),),
    "message": (invalid("messageID"),),
}
"""What is refused for them."""

PROJECT_PARAMETER = Parameter("project", text(PROJECT), "For credentials that open every project.")
ACK_HANDLE = Parameter("ackHandle", text(HANDLE), "Of a poll of this subscriber.", required=True)
POLL = (
    Parameter(
        "timeout",
        text(DURATION),
        "How long to wait for a message, as Go writes it: 30s, 1m30s. `max_wait` of the configuration is the most.",
    ),
    Parameter("max", integer(0, MAX_WANTED, default=DEFAULT_MAX), f"Messages. More than {MOST} is {MOST}."),
)
STREAM = (
    Parameter("Last-Event-ID", text(HANDLE), "Acknowledges what was read before.", "header"),
    Parameter("access_token", _VISIBLE, "A token, for a caller that cannot send Authorization."),
)
LOG_LEVEL = (
    Parameter("category", _VISIBLE, "The name of a logger; * for all that have no level of their own.", required=True),
    Parameter("level", _VISIBLE, "From which level on it writes.", required=True),
)
REVOCATION = (
    Parameter("jti", {"type": "string", "minLength": 1, "maxLength": MAX_JTI}, "Of the token.", required=True),
    Parameter("exp", integer(0, LAST_SECOND), "Of the token, in seconds since the epoch.", required=True),
)

_WITH_CREDENTIALS: Sequence[Reason] = (
    faults.NoCredentials,
    faults.TooManyFailures,
    faults.Forbidden,
    faults.BodyTooLarge,
    StoreUnavailable,
    asyncio.CancelledError,
)
_DEFECT = ErrorCode(500, None, "Internal error. The text gives the request id, and the log has the details.")


def operation(
    method: str,
    path: str,
    operation_id: str,
    summary: str,
    *,
    answers: Mapping[int, type | None],
    scope: str | None,
    parameters: Sequence[Parameter] = (),
    body: Any = None,
    errors: Sequence[Reason] = (),
    **more: Any,
) -> Operation:
    """`path` is without the prefix. `errors`: what this operation is refused for besides what any is, and besides the
    names in its path."""
    own = in_path(path, _PATH_PARAMETERS)
    if PROJECT_PARAMETER in parameters:
        errors = (*errors, invalid("project"))
    if body is not None:
        errors = (*errors, faults.UnsupportedCoding)
    reasons = [
        *errors,
        *(_WITH_CREDENTIALS if scope else ()),
        *(each for one in own for each in _OF_PATHS[one.name]),
    ]
    return Operation(
        method=method,
        path=path,
        operation_id=operation_id,
        summary=summary,
        tag="Channels",
        scope=scope,
        parameters=[*own, *parameters],
        body=body,
        answers=answers,
        errors=_error_codes(reasons),
        error_body=DspsError,
        **more,
    )


def _error_codes(reasons: Iterable[Reason]) -> list[ErrorCode]:
    return list(dict.fromkeys([*map(_error_code, reasons), _DEFECT]))


def _error_code(reason: Reason) -> ErrorCode:
    refusal = reason if isinstance(reason, Refusal) else refusal_of(sample(reason))
    if refusal is None:
        raise LookupError(f"{reason} is not in the error table of this dialect")
    return ErrorCode(refusal.status, refusal.code, refusal.text, tuple(refusal.headers or ()))
