"""One path as an ASGI endpoint."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.api.faults import NoSuchPath, WrongMethod
from bridge.api.request_id import FIELD, KEY, request_id_of


class Call(Request):
    """A request with its header fields in a dict: names in lower case, of a repeated field the last one."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self.fields: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = scope[KEY] = request_id_of(self.fields)


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]
AnswerError: TypeAlias = Callable[[Scope, BaseException], Response]


class Resource:
    """Picks the handler by method; every exception becomes the dialect's answer, and every answer has its X-Request-Id.

    HEAD is GET without the body. Starlette takes an object that is not a function for a plain ASGI endpoint, so no
    adapter stands between.
    """

    def __init__(self, answer_error: AnswerError, handlers: Mapping[str, Handler]) -> None:
        self._answer_error = answer_error
        self._handlers = dict(handlers)
        if "GET" in self._handlers:
            self._handlers["HEAD"] = self._handlers["GET"]
        self._allow = ", ".join(sorted(self._handlers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.answer(Call(scope, receive))
        await response(scope, receive, send)

    async def answer(self, call: Call) -> Response:
        """The answer to a request, whatever happens inside."""
        try:
            response = await self._handler(call.scope["method"])(call)
        except (Exception, asyncio.CancelledError) as error:  # cancelled: the daemon stops in the middle of the request
            return self.refuse(call, error)
        return _named(call, response)

    def settle(self, call: Call, produce: Callable[..., Response], *args: Any) -> Response:
        """The answer to a request whose handler did not wait for it: `produce(*args)`, whatever happens inside."""
        try:
            return _named(call, produce(*args))
        except Exception as error:  # answered
            return self.refuse(call, error)

    def refuse(self, call: Call, error: BaseException) -> Response:
        """The answer to a request that ended in `error`."""
        response = self._answer_error(call.scope, error)
        if getattr(error, "hang_up", False) or b"expect" in call.fields:
            # A client that waits for "100 Continue" may or may not send the body now: what follows is not clear.
            response.headers["connection"] = "close"
        return _named(call, response)

    def _handler(self, method: str) -> Handler:
        handler = self._handlers.get(method)
        if handler is None:
            raise WrongMethod(self._allow)
        return handler


class NoResource(Resource):
    """What stands at every path that has nothing else."""

    def __init__(self, answer_error: AnswerError) -> None:
        super().__init__(answer_error, {})

    def _handler(self, method: str) -> Handler:
        raise NoSuchPath


def _named(call: Call, response: Response) -> Response:
    response.raw_headers.append((FIELD, call.request_id.encode()))
    return response
