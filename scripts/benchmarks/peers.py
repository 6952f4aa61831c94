"""MQTT clients of whatever broker, many at once: one sends to all of them, or all of them send to one."""

import asyncio
from collections.abc import Callable
from typing import cast

from bridge.mqtt import Connect, Publish, Subscribe, Subscription, Version, encode, encode_publish_parts
from bridge.values import split_address
from scripts.benchmarks.crowd import AT_ONCE, PATIENCE
from scripts.benchmarks.device import CONNACK, PUBLISH, SUBACK
from scripts.benchmarks.plan import SIZE

PUBACK = 0x40
TOPIC = "bench/all"
HEAD, TAIL = encode_publish_parts(Publish(TOPIC, b"x" * SIZE, 1), Version.V5)
PACKET_ID = 2 + len(TOPIC)
"""Where it starts behind the fixed header of a PUBLISH."""
ROOM = 0xFFFF


class Peer(asyncio.Protocol):
    """One client. It acknowledges at once; `heard` is called with how many messages, or PUBACKs, came together."""

    __slots__ = ("_awaited", "_heard", "_hello", "_next", "_rest", "_transport", "ready")

    def __init__(self, client_id: str, heard: Callable[[int], None], *, subscribe: bool) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard = heard
        self._next = 0
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self._hello = encode(Connect(Version.V5, client_id, keep_alive=1200), Version.V5)
        self._awaited = CONNACK
        if subscribe:
            self._hello += encode(Subscribe(1, [Subscription(TOPIC, 1)]), Version.V5)
            self._awaited = SUBACK

    def publish(self) -> None:
        assert self._transport is not None  # noqa: S101
        self._next = self._next % ROOM + 1
        self._transport.write(HEAD + self._next.to_bytes(2) + TAIL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport.write(self._hello)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("a client was sent away"))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        pos, size, count, answers = 0, len(data), 0, b""
        while size - pos >= 2:
            start = pos + 2
            length = data[pos + 1]
            if length >= 0x80:  # packets are shorter than 16 KB
                length += (data[start] << 7) - 0x80
                start += 1
            if start + length > size:
                break
            kind = data[pos] & 0xF0
            if kind == PUBLISH:
                answers += b"\x40\x02" + data[start + PACKET_ID : start + PACKET_ID + 2]
                count += 1
            elif kind == PUBACK:
                count += 1
            elif kind == self._awaited:
                self._greeted(data[start + length - 1] if kind == SUBACK else data[start + 1])
            pos = start + length
        self._rest = data[pos:]
        if answers and self._transport is not None:
            self._transport.write(answers)
        if count:
            self._heard(count)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _greeted(self, code: int) -> None:
        if code >= 0x80:
            self.ready.set_exception(ConnectionError(f"a client was refused with reason code 0x{code:02X}"))
        else:
            self.ready.set_result(None)


class Peers:
    """Clients: `one` and `many`. Those that subscribe are counted in `received`, the others in `acknowledged`."""

    def __init__(self, address: str, count: int, *, many_subscribe: bool) -> None:
        self._address = split_address(address)
        self._changed = asyncio.Event()
        self.received = 0
        self.acknowledged = 0
        self.many = [self._peer(f"bench-{number}", many_subscribe) for number in range(count)]
        self.one = self._peer("bench-one", not many_subscribe)

    def _peer(self, client_id: str, subscribe: bool) -> Peer:
        return Peer(client_id, self._took if subscribe else self._told, subscribe=subscribe)

    async def connect(self) -> None:
        """Raises OSError."""
        everybody = [*self.many, self.one]
        for start in range(0, len(everybody), AT_ONCE):
            await asyncio.gather(*map(self._connect, everybody[start : start + AT_ONCE]))

    async def _connect(self, peer: Peer) -> None:
        await asyncio.get_running_loop().create_connection(lambda: peer, *self._address)
        await asyncio.wait_for(peer.ready, PATIENCE)

    async def until(self, received: int, acknowledged: int) -> None:
        """So many messages and PUBACKs have come. Raises TimeoutError."""
        while self.received < received or self.acknowledged < acknowledged:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), PATIENCE)

    def close(self) -> None:
        for peer in (*self.many, self.one):
            peer.close()

    def _took(self, count: int) -> None:
        self.received += count
        self._changed.set()

    def _told(self, count: int) -> None:
        self.acknowledged += count
        self._changed.set()
