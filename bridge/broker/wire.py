"""The bytes of one connection: decoding what comes, collecting what goes, letting neither side drown the other."""

import asyncio
from typing import cast

from bridge.broker.wheel import Wheel
from bridge.mqtt import Decoder, Packet, ProtocolError, Version, encode

_MOST_COLLECTED = 262_144
"""Bytes for one client in one turn of the loop; what goes beyond waits until these are written."""
_LINGER = 5.0
"""Seconds a closed connection has to take its last bytes."""


class Outbox:
    """Connections with something to write: each is written once a turn of the loop, however many packets it got."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wires: list[Wire] = []

    def add(self, wire: "Wire") -> None:
        if not self._wires:
            self._loop.call_soon(self._flush)
        self._wires.append(wire)

    def _flush(self) -> None:
        wires, self._wires = self._wires, []
        for wire in wires:
            wire.flush()


class Wire(asyncio.Protocol):
    """Subclasses get `received`, `failed`, `lost` and `drained`, and use `write` and `hang_up`.

    `seen`: the wheel's tick of the last bytes from the client. `congested`: the client does not read what it is sent.
    """

    __slots__ = (
        "_chunks",
        "_collected",
        "_decoder",
        "_outbox",
        "_paused",
        "_transport",
        "_wheel",
        "closing",
        "congested",
        "linger",
        "seen",
        "version",
    )

    def __init__(self, wheel: Wheel, outbox: Outbox, max_packet_size: int) -> None:
        self._wheel = wheel
        self._outbox = outbox
        self._decoder = Decoder(max_packet_size=max_packet_size)
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._collected = 0
        self._paused = False
        self.seen = wheel.now
        self.closing = False
        self.congested = False
        self.linger = 0
        self.version = Version.V311

    def received(self, packet: Packet) -> None:
        raise NotImplementedError

    def failed(self, error: ProtocolError) -> None:
        """The client broke the protocol."""
        raise NotImplementedError

    def lost(self) -> None:
        """The connection is gone."""
        raise NotImplementedError

    def drained(self) -> None:
        """No longer congested."""
        raise NotImplementedError

    def written(self) -> None:
        """What was collected has been handed to the operating system."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its base class

    def data_received(self, data: bytes) -> None:
        self.seen = self._wheel.now
        try:
            for packet in self._decoder.feed(data):
                if self.closing:
                    return
                self.received(packet)
        except ProtocolError as error:
            if not self.closing:
                self.failed(error)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self._transport = None
        self.lost()

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read: its answers would only pile up."""
        self._paused = True
        self.congested = True
        self.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        self.congested = False
        self.resume_reading()
        self.drained()

    # for subclasses

    @property
    def peer(self) -> str:
        name = self._transport.get_extra_info("peername") if self._transport else None
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "-"

    def pause_reading(self) -> None:
        if self._transport is not None and not self.closing:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self.closing:
            self._transport.resume_reading()

    def send(self, packet: Packet) -> None:
        self.write(encode(packet, self.version))

    def write(self, data: bytes) -> None:
        if self.closing:
            return
        if not self._chunks:
            self._outbox.add(self)
        self._chunks.append(data)
        self._collected += len(data)
        if self._collected > _MOST_COLLECTED:
            self.congested = True

    def flush(self) -> None:
        chunks = self._chunks
        if not chunks or self._transport is None:
            return
        self._chunks = []
        self._collected = 0
        self._transport.write(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        self.written()
        if self.congested and not self._paused and not self.closing:
            self.congested = False
            self.drained()

    def hang_up(self) -> None:
        """Send what was collected, then close. A client that does not take its last bytes is cut off."""
        if self.closing:
            return
        self.closing = True  # before the flush, which would make room for more behind a DISCONNECT [MQTT-3.14.4-1]
        self.flush()
        if self._transport is not None:
            self._transport.close()
            self.linger = self._wheel.after(_LINGER)
            self._wheel.watch(self, self.linger)

    def due(self, now: int) -> int:
        if now < self.linger:
            return 0
        if self._transport is not None:
            self._transport.abort()
        return 0
