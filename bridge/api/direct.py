"""The one request that every message begins with, answered without the ASGI machinery and without a task.

A POST of a message passes through uvicorn's cycle and Starlette's router like any other request, or, when it arrives in
the plain form that clients send, straight from the parser to its handler, and its answer is written by whoever has the
result: the acknowledgement of the device. That halves what HTTP costs a message, and nothing but the way differs: the
checks, the errors and the answer are the same.
"""

import re
from collections.abc import Callable, Set
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from starlette.responses import Response
from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from bridge.api.cork import CorkedTransport
from bridge.api.resource import Call, Resource
from bridge.model.errors import StoreUnavailable

_CLOSE = (b"connection", b"close")
Fields: TypeAlias = list[tuple[bytes, bytes]]


class Reply(Protocol):
    """Gives a request its answer: what `produce(*args)` returns, or the answer to what it raises."""

    def __call__(self, produce: Callable[..., Response], *args: Any) -> None: ...


Handler: TypeAlias = Callable[[Call, bytes, Reply], None]
"""(request, its body, where the answer goes). It raises, or calls `Reply` once, then or later."""


class Direct:
    """One path, one method. `pattern` matches the whole target of a request; its groups are the path parameters.

    Only for who shows a valid token: to check a signature, and to refuse wrong credentials, may have to wait. And only
    without any of the header fields `without`, in lower case, which ask for more than the handler does.
    """

    def __init__(
        self, method: bytes, pattern: bytes, resource: Resource, handler: Handler, *, without: Set[bytes]
    ) -> None:
        self.method = method
        self._without = without
        self._pattern = re.compile(pattern)
        self.match = self._pattern.fullmatch
        self._names = tuple(self._pattern.groupindex)
        self._resource = resource
        self._handler = handler

    def open(self, match: re.Match[bytes], fields: Fields) -> Call | None:
        """The request. None: it takes longer to find out who sent it or what it asks, which is left to the long way."""
        scope: dict[str, Any] = {
            "type": "http",
            "method": self.method.decode(),
            "path": match[0].decode(),
            "query_string": b"",
            "headers": fields,
            "path_params": dict(zip(self._names, map(bytes.decode, match.groups()), strict=True)),
        }
        call = Call(scope, _nothing_to_receive)
        if not self._without.isdisjoint(call.fields):
            return None
        try:
            return call if self._resource.knows(call) else None
        except StoreUnavailable:
            return None

    def begin(self, call: Call, body: bytes, cycle: "DirectCycle") -> None:
        cycle.call = call
        cycle.resource = self._resource
        try:
            self._handler(call, body, cycle)
        except Exception as error:  # answered
            cycle.refuse(error)


class Answering(Protocol):
    """The connection of a running request."""

    transport: CorkedTransport

    def own_fields(self, request: Fields) -> Fields:
        """The header fields that every answer has. `request`: those of the request."""

    def on_response_complete(self) -> None: ...


class DirectCycle:
    """The running request; stands where uvicorn keeps its cycle and has what uvicorn's protocol asks one for."""

    __slots__ = ("_protocol", "call", "disconnected", "keep_alive", "resource", "response_complete", "response_started")

    call: Call
    resource: Resource

    def __init__(self, protocol: Answering, keep_alive: bool) -> None:
        self._protocol = protocol
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_started = False
        self.response_complete = False

    @property
    def message_event(self) -> "DirectCycle":
        return self

    def set(self) -> None:
        """Nobody waits for more of the body: it is there."""

    def __call__(self, produce: Callable[..., Response], *args: Any) -> None:
        """`Reply`. Nothing happens when the request has its answer: the daemon has stopped waiting."""
        if not self.response_complete:
            self._finish(self.resource.settle(self.call, produce, *args))

    def refuse(self, error: BaseException) -> None:
        if not self.response_complete:
            self._finish(self.resource.refuse(self.call, error))

    def _finish(self, response: Response) -> None:
        self.response_started = self.response_complete = True
        if self.disconnected:
            return
        protocol = self._protocol
        fields = response.raw_headers
        if _CLOSE in fields:
            self.keep_alive = False
        elif not self.keep_alive:
            fields.append(_CLOSE)
        status, own = STATUS_LINE[response.status_code], _lines(tuple(protocol.own_fields(self.call.scope["headers"])))
        head = b"".join([b"%b: %b\r\n" % field for field in fields])
        protocol.transport.write(b"%b%b%b\r\n%b" % (status, own, head, bytes(response.body)))
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()


@lru_cache(maxsize=16)
def _lines(fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Header fields that many answers share; the time among them changes once a second."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


async def _nothing_to_receive() -> Message:
    raise RuntimeError("the body of a direct request is given to its handler")
