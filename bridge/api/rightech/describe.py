"""How an operation of this dialect is described: what is the same for all of them, filled in."""

import asyncio
from collections.abc import Mapping, Sequence

from bridge.api import faults
from bridge.api.error_fields import headers_of
from bridge.api.operation import ErrorCode, Keywords, Operation, Parameter, in_path
from bridge.api.rightech.errors import RightechError, status_of
from bridge.api.rightech.parse import PROJECT_PARAMETER
from bridge.api.samples import sample
from bridge.api.schema import text
from bridge.model import errors as core
from bridge.model.notification import ID

_PATH_PARAMETERS: Mapping[str, Parameter] = {"message_id": Parameter("message_id", text(ID), where="path")}
_ALWAYS: Sequence[type[BaseException]] = (
    faults.NoCredentials,
    faults.TooManyFailures,
    faults.Forbidden,
    faults.BadField,
    faults.BodyTooLarge,
    core.StoreUnavailable,
    asyncio.CancelledError,
)
_DEFECT = ErrorCode(500, "500", "The text gives the request id, and the log has the details.")


def operation(
    method: str,
    path: str,
    operation_id: str,
    summary: str,
    *,
    answer: type,
    scope: str,
    query: Sequence[Parameter] = (),
    body: type | None = None,
    example: Keywords | None = None,
    errors: Sequence[type[BaseException]] = (),
) -> Operation:
    """`errors`: what this operation is refused for besides what any is; exceptions of the error table."""
    reasons = [*errors, *_ALWAYS, *((faults.NotJson, faults.UnsupportedCoding) if body else ())]
    return Operation(
        method=method,
        path=path,
        operation_id=operation_id,
        summary=summary,
        tag="Inbox",
        scope=scope,
        parameters=[*in_path(path, _PATH_PARAMETERS), PROJECT_PARAMETER, *query],
        body=body,
        example=example or {},
        answers={200: answer},
        errors=[*map(_error_code, reasons), _DEFECT],
        error_body=RightechError,
    )


def _error_code(reason: type[BaseException]) -> ErrorCode:
    error = sample(reason)
    status, detail = status_of(error)
    return ErrorCode(status, str(status), detail or "No such message.", tuple(headers_of(error)))
