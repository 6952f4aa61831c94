"""How an operation of this dialect is described: what is the same for all of them, filled in."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from bridge.api import faults
from bridge.api.dataarts.errors import INTERNAL, TABLE, DataArtsError
from bridge.api.dataarts.parse import FIELDS, NAMED
from bridge.api.error_fields import headers_of
from bridge.api.operation import ErrorCode, Keywords, Operation, Parameter, in_path
from bridge.api.samples import sample
from bridge.api.schema import text
from bridge.model import errors as core
from bridge.model.device import PROJECT

_PATH_PARAMETERS: Mapping[str, Parameter] = {
    "project_id": Parameter("project_id", text(PROJECT), "The project that the credentials are for.", "path"),
    "message_id": Parameter("message_id", text(NAMED), "Of a notification, or of what it is about.", "path"),
}
_ALWAYS: Sequence[type[BaseException]] = (
    faults.NoCredentials,
    faults.TooManyFailures,
    faults.Forbidden,
    faults.BadField,
    faults.BodyTooLarge,
    core.StoreUnavailable,
    asyncio.CancelledError,
)
_DEFECT = ErrorCode(500, INTERNAL, "process failed. The text gives the request id, and the log has the details.")


def operation(
    method: str,
    path: str,
    operation_id: str,
    summary: str,
    *,
    answers: Mapping[int, type | None],
    scope: str,
    query: Sequence[Parameter] = (),
    body: type | None = None,
    example: Keywords | None = None,
    errors: Sequence[type[BaseException]] = (),
) -> Operation:
    """`errors`: what this operation is refused for besides what any is; exceptions of the error table."""
    return Operation(
        method=method,
        path=path,
        operation_id=operation_id,
        summary=summary,
        tag="Confirmations",
        scope=scope,
        parameters=[*in_path(path, _PATH_PARAMETERS), *FIELDS, *query],
        body=body,
        example=example or {},
        answers=answers,
        errors=_error_codes([*errors, *_ALWAYS, *((faults.NotJson, faults.UnsupportedCoding) if body else ())]),
        error_body=DataArtsError,
    )


def _error_codes(reasons: Iterable[type[BaseException]]) -> list[ErrorCode]:
    return [*map(_error_code, dict.fromkeys(reasons)), _DEFECT]


def _error_code(reason: type[BaseException]) -> ErrorCode:
    status, code, words = TABLE[reason]
    return ErrorCode(status, code, words.format(sample(reason)), tuple(headers_of(sample(reason))))
