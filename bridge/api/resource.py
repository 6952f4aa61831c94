"""One path as an ASGI endpoint."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.api.faults import NoSuchPath, WrongMethod
from bridge.api.request_id import FIELD, KEY, request_id_of
from bridge.model.principal import Principal


class Call(Request):
    """A request with its header fields in a dict: names in lower case, of a repeated field the last one."""

    principal: Principal | None = None
    """Who sent it, on paths that need credentials."""
    content: bytes | None = None
    """The body, once it has been read."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self.fields: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = scope[KEY] = request_id_of(self.fields)


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]
AnswerError: TypeAlias = Callable[[Scope, BaseException], Response]


class Identify(Protocol):
    """Finds out who is asking. Two methods, because nearly every request has a token, and that needs no waiting."""

    def bearer(self, fields: Mapping[bytes, bytes]) -> Principal | None:
        """Who has shown a valid token; None: nobody."""

    async def signer(self, call: Call) -> Principal:
        """Who has signed the request. Raises when nobody has."""


class Resource:
    """Picks the handler by method; every exception becomes the dialect's answer, and every answer has its X-Request-Id.

    HEAD is GET without the body. With `identify`, no handler is reached without credentials, and `call.principal` is
    who sent the request. Starlette takes an object that is not a function for a plain ASGI endpoint, so no adapter
    stands between.
    """

    def __init__(
        self, answer_error: AnswerError, handlers: Mapping[str, Handler], identify: Identify | None = None
    ) -> None:
        self._answer_error = answer_error
        self._identify = identify
        self._handlers = dict(handlers)
        if "GET" in self._handlers:
            self._handlers["HEAD"] = self._handlers["GET"]
        self._allow = ", ".join(sorted(self._handlers))

    @property
    def allowed(self) -> set[str]:
        """What is not answered with 405; nothing, where there is nothing."""
        return set(self._handlers)

    @property
    def methods(self) -> set[str]:
        """Those with a handler of their own."""
        return set(self._handlers) - {"HEAD"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.answer(Call(scope, receive))
        await response(scope, receive, send)

    async def answer(self, call: Call) -> Response:
        """The answer to a request, whatever happens inside."""
        try:
            handler = self._handler(call.scope["method"])
            if (who := self._identify) is not None:
                call.principal = who.bearer(call.fields) or await who.signer(call)
            response = await handler(call)
        except (Exception, asyncio.CancelledError) as error:  # cancelled: the daemon stops in the middle of the request
            return self.refuse(call, error)
        return _named(call, response)

    def knows(self, call: Call) -> bool:
        """Whether it is plain who sent the request, with nothing to wait for."""
        if self._identify is None:
            return True
        call.principal = self._identify.bearer(call.fields)
        return call.principal is not None

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
