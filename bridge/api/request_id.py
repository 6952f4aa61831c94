"""X-Request-Id on every answer, and an answer to everything that was not foreseen."""

import asyncio
import itertools
import re
import secrets
from collections.abc import Callable
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY = "bridge.request_id"
"""Where the id stands in the ASGI scope."""

Answer: TypeAlias = Callable[[Scope, BaseException], Response]

_ACCEPTED = re.compile(rb"[A-Za-z0-9_.-]{1,128}")
_START = secrets.token_hex(8)
_NUMBER = itertools.count()


def new_request_id() -> str:
    """Unlike any other one of this or another process, and cheaper than a UUID."""
    return f"{_START}{next(_NUMBER):08x}"


class RequestIds:
    """Middleware: takes the caller's X-Request-Id if it is well formed, else makes one, and sends it back.

    An exception nobody caught, or the end of the daemon in the middle of a request, becomes `answer(scope, exception)`.
    """

    def __init__(self, app: ASGIApp, answer: Answer) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope[KEY] = request_id.decode()
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if not started:
                started = True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except (Exception, asyncio.CancelledError) as error:
            if started:
                raise
            await self._answer(scope, error)(scope, receive, send_with_id)


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ACCEPTED.fullmatch(value):
            return bytes(value)
    return new_request_id().encode()
