"""One keep-alive connection that posts messages, one after the other."""

import asyncio
from collections import deque
from typing import Protocol, cast

from scripts.benchmarks.plan import NUMBER, content

HEAD = """\
POST /v5/iot/default/devices/{name}/messages HTTP/1.1\r
Host: {host}\r
X-Auth-Token: {token}\r
Content-Type: application/json\r
Content-Length: {length}\r
\r
"""


class Target:
    """A device to send to, with its requests as good as written: only the number of the message is missing."""

    __slots__ = ("_after", "_before", "name", "sent")

    def __init__(self, name: str, *, host: str, token: str) -> None:
        body = f'{{"message":{content(0)}}}'
        text = HEAD.format(name=name, host=host, token=token, length=len(body)) + body
        at = text.index(content(0)) + 1
        self.name = name
        self.sent = 0
        self._before = text[:at].encode()
        self._after = text[at + NUMBER :].encode()

    def next_request(self) -> bytes:
        self.sent += 1
        return b"%b%08d%b" % (self._before, self.sent, self._after)


class Traffic(Protocol):
    """What senders share."""

    targets: deque[Target]
    """Those without a request under way: a device is sent one message at a time, so that their order is known."""

    def more(self) -> bool:
        """Whether another request is to be sent."""

    def answered(self, status: bytes, body: bytes) -> None: ...

    def idle(self) -> None:
        """A sender has nothing more to do."""


class Sender(asyncio.Protocol):
    """Expects answers with Content-Length, their head in lower case as uvicorn writes it."""

    __slots__ = ("_rest", "_target", "_traffic", "_transport")

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._rest = b""
        self._target: Target | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._target is not None:
            self._traffic.answered(b"lost", b"")
            self._traffic.idle()

    def send(self) -> None:
        """Start the next request, or none if enough were sent."""
        if self._transport is None or not self._traffic.more():
            self._target = None
            self._traffic.idle()
            return
        self._target = self._traffic.targets.popleft()
        self._transport.write(self._target.next_request())

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        head = data.find(b"\r\n\r\n")
        at = data.find(b"content-length: ") + 16
        if head < 0 or len(data) < head + 4 + int(data[at : data.find(b"\r", at)]):
            self._rest = data
            return
        assert self._target is not None  # noqa: S101  servers speak when they are spoken to
        self._traffic.targets.append(self._target)
        self._traffic.answered(data[9:12], data[head:])
        self.send()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
