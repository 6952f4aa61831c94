"""How an operation of this dialect is described: what is the same for all of them, filled in."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from bridge.api import faults
from bridge.api.iotda.batch_query import TASK_ID
from bridge.api.iotda.device_parse import SHORT_ID
from bridge.api.iotda.errors import (
    BAD_LIMIT,
    BAD_MARKER,
    BAD_PARAMETER,
    BAD_PERIOD,
    BAD_TIME,
    BAD_TOPIC,
    UNREADABLE,
    ErrorBody,
    refusal_of,
)
from bridge.api.iotda.parse import MESSAGE_ID
from bridge.api.operation import ErrorCode, Keywords, Operation, Parameter, in_path
from bridge.api.samples import sample
from bridge.api.schema import text
from bridge.model.device import DEVICE_ID, PROJECT
from bridge.model.errors import StoreUnavailable

Reason: TypeAlias = type[BaseException] | str
"""An exception that the error table knows, or the code of a 400."""

PATH_PARAMETERS: Mapping[str, Parameter] = {
    "project_id": Parameter("project_id", text(PROJECT), "The project that the credentials are for.", "path"),
    "device_id": Parameter("device_id", text(DEVICE_ID), where="path"),
    "message_id": Parameter("message_id", text(MESSAGE_ID), where="path"),
    "task_id": Parameter("task_id", text(TASK_ID), where="path"),
    "rule_id": Parameter("rule_id", text(SHORT_ID.pattern), where="path"),
    "action_id": Parameter("action_id", text(SHORT_ID.pattern), where="path"),
}
"""What may stand between braces in a path."""

_BAD_REQUESTS: Mapping[str, str] = {
    BAD_PARAMETER: "Invalid input data; the text names the field or parameter and says what it has to be.",
    BAD_TIME: "Not a time; the text names the parameter.",
    BAD_PERIOD: "The end is before the start.",
    BAD_LIMIT: "limit is out of range.",
    BAD_MARKER: "marker is none that a page before gave.",
    BAD_TOPIC: "A topic that cannot be.",
}
_ANY = [ErrorCode(status, error.error_code, error.error_msg) for status, error in UNREADABLE.items()]
_DEFECT = ErrorCode(500, "IOTDA.000001", "Internal error; the text gives the request id, and the log has the details.")
_WITH_CREDENTIALS: Sequence[Reason] = (
    faults.NoCredentials,
    faults.TooManyFailures,
    faults.Forbidden,
    StoreUnavailable,
    BAD_PARAMETER,  # names in the path that are not UTF-8
)
_WITH_BODY: Sequence[Reason] = (faults.NotJson, faults.UnsupportedCoding, BAD_PARAMETER)


def operation(
    method: str,
    path: str,
    operation_id: str,
    summary: str,
    *,
    tag: str,
    answers: Mapping[int, type | None],
    scope: str | None,
    query: Sequence[Parameter] = (),
    body: type | None = None,
    body_required: bool = True,
    example: Keywords | None = None,
    limits: Mapping[str, Keywords] | None = None,
    max_body: int | None = None,
    errors: Sequence[Reason] = (),
    media_type: str = "application/json",
    also: Mapping[str, type] | None = None,
) -> Operation:
    """`errors`: what this operation is refused for besides what any is: unreadable, no credentials, no right, not JSON,
    a bad parameter, the disk. Give exceptions of the error table, and codes of 400s."""
    reasons = [*errors, *(_WITH_CREDENTIALS if scope else ()), *(_WITH_BODY if body else ())]
    return Operation(
        method=method,
        path=path,
        operation_id=operation_id,
        summary=summary,
        tag=tag,
        scope=scope,
        parameters=[*in_path(path, PATH_PARAMETERS), *query],
        body=body,
        body_required=body_required,
        example=example or {},
        limits=limits or {},
        max_body=max_body,
        answers=answers,
        media_type=media_type,
        also=also or {},
        errors=error_codes(reasons),
        error_body=ErrorBody,
    )


def error_codes(reasons: Iterable[Reason]) -> list[ErrorCode]:
    """What is answered for these reasons, and for what may happen to every request."""
    return list(dict.fromkeys([*map(_error_code, reasons), *_ANY, _DEFECT]))


def _error_code(reason: Reason) -> ErrorCode:
    if isinstance(reason, str):
        return ErrorCode(400, reason, _BAD_REQUESTS[reason])
    refusal = refusal_of(sample(reason))
    if refusal is None:
        raise LookupError(f"{reason.__name__} is not in the error table of this dialect")
    return ErrorCode(refusal.status, refusal.code, refusal.text, tuple(refusal.headers or ()))
