"""An application that is pushed to: a real HTTP server in the event loop of the test."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, Self

PATIENCE = 20.0
Answer = bytes | AsyncIterator[bytes]
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Received(NamedTuple):
    target: str
    head: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.head["webhook-id"]

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def device(self) -> str:
        return str(self.event["notify_data"]["header"]["device_id"])

    @property
    def content(self) -> str:
        """What a device has reported."""
        return str(self.event["notify_data"]["body"]["content"])


def answering(status: int, *fields: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class Receiver:
    """`async with Receiver() as receiver`. `answer(received)` may be exchanged at any time."""

    def __init__(self) -> None:
        self.answer: Callable[[Received], Answer] = lambda _: NO_CONTENT
        self.received: list[Received] = []
        self.connections = 0
        self.at_once = self.most_at_once = 0
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None] | None] = set()
        self._came = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        serving = [task for task in self._serving if task is not None]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?x=1"

    async def have(self, count: int) -> list[Received]:
        """As soon as that many have come."""
        async with asyncio.timeout(PATIENCE), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving.add(asyncio.current_task())
        try:
            while received := await _request(reader):
                await self._answer(received, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._serving.discard(asyncio.current_task())
            writer.transport.abort()

    async def _answer(self, received: Received, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        async with self._came:
            self.received.append(received)
            self._came.notify_all()
        try:
            answer = self.answer(received)
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                async for piece in answer:
                    writer.write(piece)
                    await writer.drain()
            await writer.drain()
        finally:
            self.at_once -= 1


async def _request(reader: asyncio.StreamReader) -> Received | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Received(first.split()[1], fields, await reader.readexactly(int(fields["content-length"])))
