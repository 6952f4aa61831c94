"""The one request that every message begins with, answered without the ASGI machinery.

A POST of a message passes through uvicorn's cycle and Starlette's router like any other request, or, when it arrives in
the plain form that clients send, straight from the parser to its `Resource` and back. That halves what HTTP costs a
message, and nothing but the way differs: the handler, its errors and its answer are the same objects.
"""

import asyncio
import re
from typing import Any

from starlette.responses import Response
from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from bridge.api.resource import Call, Resource


class Direct:
    """One path, one method. `pattern` matches the whole target of a request; its groups are the path parameters."""

    def __init__(self, method: bytes, pattern: bytes, resource: Resource) -> None:
        self.method = method
        self.match = re.compile(pattern).fullmatch
        self._resource = resource

    async def answer(self, match: re.Match[bytes], headers: list[tuple[bytes, bytes]], body: bytes) -> Response:
        """What `Resource` answers, whatever happens inside."""

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        scope: dict[str, Any] = {
            "type": "http",
            "method": self.method.decode(),
            "path": match[0].decode(),
            "query_string": b"",
            "headers": headers,
            "path_params": {name: value.decode() for name, value in match.groupdict().items()},
        }
        return await self._resource.answer(Call(scope, receive))


class DirectCycle:
    """Stands where uvicorn keeps the cycle of the running request; has what its protocol asks a cycle for."""

    __slots__ = ("disconnected", "keep_alive", "response_complete", "response_started")

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_started = False
        self.response_complete = False

    @property
    def message_event(self) -> "DirectCycle":
        return self

    def set(self) -> None:
        """Nobody waits for more of the body: it is there."""

    def finish(self, transport: asyncio.Transport, fields: list[tuple[bytes, bytes]], response: Response) -> None:
        """Write the answer; `fields` stand before the response's own."""
        self.response_started = self.response_complete = True
        if self.disconnected:
            return
        if response.headers.get("connection") == "close":
            self.keep_alive = False
        elif not self.keep_alive:
            response.raw_headers.append((b"connection", b"close"))
        head = b"".join([b"%b: %b\r\n" % field for field in (*fields, *response.raw_headers)])
        transport.write(b"%b%b\r\n%b" % (STATUS_LINE[response.status_code], head, bytes(response.body)))
        if not self.keep_alive:
            transport.close()
