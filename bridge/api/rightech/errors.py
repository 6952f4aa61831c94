"""The error table of the dialect: what went wrong → status, and what to say beside its standard phrase."""

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response
from starlette.types import Scope

from bridge.api import faults
from bridge.api.error_fields import headers_of
from bridge.api.request_id import KEY
from bridge.model import errors

log = logging.getLogger(__name__)

_TABLE: Mapping[type[BaseException], tuple[int, str]] = {  # {} stands for the error's own words
    errors.UnknownNotification: (404, ""),
    errors.TooBroad: (400, "begin: too much to look through; narrow the window, everything before {} is left"),
    errors.StoreUnavailable: (503, "nothing was changed; try again"),
    errors.OutcomeUnknown: (
        503,
        "the disk failed, and it is not known whether anything was changed; look, then try again",
    ),
    faults.NoSuchPath: (404, ""),
    faults.WrongMethod: (405, ""),
    faults.NoCredentials: (401, "{}"),
    faults.BadSignature: (401, "{}"),
    faults.Forbidden: (403, "{}"),
    faults.NotJson: (400, "body: {}"),
    faults.UnsupportedCoding: (415, "{}"),
    faults.BadField: (400, "{}"),
    faults.BodyTooLarge: (413, "body: {}"),
    faults.ClientGone: (400, "body: it ended early"),
    faults.TooManyFailures: (429, "wrong credentials, as too often before from this address"),
    asyncio.CancelledError: (503, "the service is stopping; it is not known whether the request was carried out"),
}


class RightechError(msgspec.Struct):
    success: bool
    name: str
    code: str
    message: str
    tags: list[str]
    codes: list[str]


_encode = msgspec.json.Encoder().encode


def error_body(status: int, detail: str) -> bytes:
    phrase = HTTPStatus(status).phrase
    tags = [f"error_{phrase.lower().replace(' ', '_')}", "error_messages"]
    return _encode(
        RightechError(
            success=False,
            name=phrase.title().replace(" ", "") + "Error",
            code=str(status),
            message=f"{phrase}: {detail}" if detail else phrase,
            tags=tags,
            codes=tags,
        )
    )


def status_of(error: BaseException) -> tuple[int, str]:
    """Status and detail; 500 for what nobody has to expect."""
    status, detail = _TABLE.get(type(error), (500, ""))
    own = error.reached if isinstance(error, errors.TooBroad) else error
    return status, detail.format(own)


def answer_error(scope: Scope, error: BaseException) -> Response:
    """The answer to a request that raised `error`. Unforeseen is a defect: 500, and the details in the log."""
    status, detail = status_of(error)
    if status == 500:
        log.error("request %s: %s %r failed", scope[KEY], scope["method"], scope["path"], exc_info=error)
        detail = f"request id {scope[KEY]}"
    return Response(error_body(status, detail), status, headers_of(error), "application/json")
