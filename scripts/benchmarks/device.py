"""One MQTT 5 device that acknowledges at once.

Packets are taken apart by hand, only as far as needed: the topic of a PUBLISH is known, its properties are skipped, and
its payload ends with the message and the two characters that end the envelope.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from bridge.model.topics import default_downlink
from bridge.mqtt import Connect, Subscribe, Subscription, Version, encode
from scripts.benchmarks.plan import NUMBER, SECRET, SIZE

CONNACK = 0x20
PUBLISH = 0x30
SUBACK = 0x90
DUP = 0x08
FROM_END = SIZE + len('"}')
"""Where the message starts in the envelope."""


class Device(asyncio.Protocol):
    """`ready` is done when the device is connected and subscribed, or has failed to."""

    __slots__ = (
        "_awaited",
        "_from_start",
        "_hello",
        "_on_message",
        "_rest",
        "_transport",
        "name",
        "ready",
        "received",
        "resent",
        "wrong",
    )

    def __init__(self, name: str, subscription: str, on_message: Callable[[int], None]) -> None:
        """`subscription`: a topic filter or nothing. `on_message` is told how many came at once."""
        self.name = name
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = 0
        """Messages; the number in the last one, too, if all is well."""
        self.wrong = 0
        """Messages that were not the next one: lost, twice, or out of order."""
        self.resent = 0
        self._on_message = on_message
        self._from_start = 2 + len(default_downlink(name))
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        connect = Connect(Version.V5, name, keep_alive=1200, username=name, password=SECRET.encode())
        self._hello = encode(connect, Version.V5)
        self._awaited = {CONNACK}
        if subscription:
            self._hello += encode(Subscribe(1, [Subscription(subscription, 1)]), Version.V5)
            self._awaited.add(SUBACK)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport.write(self._hello)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError(f"{self.name} was sent away"))

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        pos, size = 0, len(data)
        answers = b""
        before = self.received
        while size - pos >= 3:  # the shortest packet here is longer
            start = pos + 2
            length = data[pos + 1]
            if length >= 0x80:  # messages are shorter than 16 KB
                length += (data[start] << 7) - 0x80
                start += 1
            end = start + length
            if end > size:
                break
            if data[pos] & 0xF0 == PUBLISH:
                identifier = start + self._from_start
                answers += b"\x40\x02" + data[identifier : identifier + 2]
                self._received(data[pos], data[end - FROM_END : end - FROM_END + NUMBER])
            else:
                self._greeted(data[pos], data[start:end])
            pos = end
        if pos < size:
            self._rest = data[pos:]
        if answers and self._transport is not None:
            self._transport.write(answers)
            self._on_message(self.received - before)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _received(self, first: int, number: bytes) -> None:
        self.received += 1
        if int(number) != self.received:
            self.wrong += 1
        if first & DUP:
            self.resent += 1

    def _greeted(self, first: int, body: bytes) -> None:
        code = body[1] if first == CONNACK else body[-1]
        if code >= 0x80:
            self.ready.set_exception(ConnectionError(f"{self.name} was refused with reason code 0x{code:02X}"))
            return
        self._awaited.discard(first)
        if not self._awaited and not self.ready.done():
            self.ready.set_result(None)
