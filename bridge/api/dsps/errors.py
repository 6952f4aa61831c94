"""The error table of the dialect: what went wrong → status, text and code.

The texts and codes of DSPS where it has one. A code is only there where a client may act on it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from bridge.api import faults
from bridge.api.request_id import KEY
from bridge.model import errors

log = logging.getLogger(__name__)

INVALID_CHANNEL = "dsps.storage.invalid-channel"
UNKNOWN_CHANNEL = "dsps.storage.channel-not-found"
TOO_MANY = "dsps.storage.too-many-subscriptions"
UNKNOWN_SUBSCRIBER = "dsps.storage.subscription-not-found"
MALFORMED_HANDLE = "dsps.storage.ack-handle-malformed"
REJECTED = "dsps.auth.rejected"


class Refusal(Exception):
    """A request that is answered with an error of this dialect. What a handler or a parser raises."""

    def __init__(self, status: int, text: str, code: str | None = None, headers: Mapping[str, str] | None = None):
        super().__init__(status, text, code)
        self.status = status
        self.text = text
        self.code = code
        self.headers = headers


def invalid(parameter: str, code: str | None = None) -> Refusal:
    return Refusal(400, f'Invalid "{parameter}" parameter', code)


def missing(parameter: str) -> Refusal:
    return Refusal(400, f'Missing "{parameter}" parameter')


def no_channel() -> Refusal:
    return Refusal(404, "Channel not found", UNKNOWN_CHANNEL)


def rejected(reason: str) -> Refusal:
    return Refusal(403, f"Unauthorized: {reason}", REJECTED)


def not_json() -> Refusal:
    return Refusal(400, "Request body is not JSON")


def malformed_handle() -> Refusal:
    return Refusal(400, "Malformed ackHandle", MALFORMED_HANDLE)


_TABLE: Mapping[type[BaseException], Callable[[Any], Refusal]] = {
    errors.UnknownSubscriber: lambda _: Refusal(404, "Subscription not found", UNKNOWN_SUBSCRIBER),
    errors.TooManySubscribers: lambda _: Refusal(429, "Too many subscriptions", TOO_MANY, {"Retry-After": "60"}),
    errors.StoreUnavailable: lambda _: Refusal(
        503, "The message store is not available; nothing was accepted. Try again.", headers={"Retry-After": "1"}
    ),
    errors.OutcomeUnknown: lambda _: Refusal(
        503,
        "The disk failed while the request was stored, and it is not known whether it was. Repeat it with the same"
        " message id: what was stored is then not stored again.",
        headers={"Retry-After": "1"},
    ),
    faults.NoCredentials: lambda error: rejected(str(error)),
    faults.BadSignature: lambda error: rejected(str(error)),
    faults.Forbidden: lambda error: rejected(str(error)),
    faults.TooManyFailures: lambda _: Refusal(
        429,
        "Unauthorized, as too often before from this address. Correct the credentials.",
        REJECTED,
        {"Retry-After": "2"},
    ),
    faults.BodyTooLarge: lambda error: Refusal(413, f"Request body is {error}"),
    faults.UnsupportedCoding: lambda error: Refusal(
        415, f"Unsupported request body: {error}", headers={"Accept-Encoding": "identity"}
    ),
    faults.ClientGone: lambda _: not_json(),
    asyncio.CancelledError: lambda _: Refusal(
        503,
        "The service is stopping; it is not known whether the request was carried out.",
        headers={"Connection": "close"},
    ),
}


def refusal_of(error: BaseException) -> Refusal | None:
    """How the dialect answers `error`; None when it is none of the errors one has to expect."""
    if isinstance(error, Refusal):
        return error
    refuse = _TABLE.get(type(error))
    return refuse(error) if refuse else None


class DspsError(msgspec.Struct, omit_defaults=True):
    error: str
    code: str | None = None


_encode = msgspec.json.Encoder().encode


def answer_error(scope: Scope, error: BaseException) -> Response:
    """The answer to a request that raised `error`. Unforeseen is a defect: 500, and the details in the log."""
    match error:
        case faults.NoSuchPath():
            return PlainTextResponse("404 page not found\n", 404)
        case faults.WrongMethod():
            return PlainTextResponse("Method Not Allowed\n", 405, {"Allow": error.allow})
    refusal = refusal_of(error)
    if refusal is None:
        log.error("request %s: %s %r failed", scope[KEY], scope["method"], scope["path"], exc_info=error)
        refusal = Refusal(500, f"Internal error. Request id: {scope[KEY]}")
    return Response(_encode(DspsError(refusal.text, refusal.code)), refusal.status, refusal.headers, "application/json")
