"""The bytes of one connection: decoding what comes, collecting what goes, letting neither side drown the other."""

import asyncio
import hashlib
import socket
import ssl
from typing import cast

from bridge.broker.wheel import Wheel
from bridge.mqtt import Decoder, Packet, ProtocolError, Version, encode
from bridge.turn import Turn

_MOST_COLLECTED = 262_144
"""Bytes for one client in one turn of the loop; what goes beyond waits until these are written."""
_LINGER = 5.0
"""Seconds a client has to take its last bytes, and to close its side of a connection that is closed here."""
_LONGEST_IDLE = 32_767
"""Seconds that Linux takes for TCP_KEEPIDLE."""
_MOST_DISCARDED = 16_777_216
"""Bytes that are read from a connection that is closed here, only to be thrown away."""

_MOST_UNREAD = 1_048_576
"""Bytes from all clients that may wait for the end of a turn."""


class Turns:
    """What the connections do together once a turn of the loop: read what came, write what was collected."""

    def __init__(self) -> None:
        self.reading: Turn[tuple[Wire, bytes]] = Turn(_read, at_most=_MOST_UNREAD)
        self.writing: Turn[Wire] = Turn(Wire.flush)


class Wire(asyncio.Protocol):  # [MQTT-4.2.0-1]
    """Subclasses get `received`, `failed`, `lost` and `drained`, and use `write` and `hang_up`.

    `seen`: the wheel's tick of the last bytes from the client. `congested`: the client does not read what it is sent.
    `closing`: the connection has ended for us, and what still comes is not heard. `ended`: the client closed its side
    before that. `peer`: address and port.
    """

    __slots__ = (
        "_chunks",
        "_collected",
        "_decoder",
        "_discarded",
        "_paused",
        "_transport",
        "_turns",
        "_wheel",
        "closing",
        "congested",
        "ended",
        "linger",
        "peer",
        "seen",
        "version",
    )

    def __init__(self, wheel: Wheel, turns: Turns, max_packet_size: int) -> None:
        self._wheel = wheel
        self._turns = turns
        self._decoder = Decoder(max_packet_size=max_packet_size)
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._collected = 0
        self._paused = False
        self._discarded = 0
        self.peer = "-"
        self.seen = wheel.now
        self.ended = False
        self.closing = False
        self.congested = False
        self.linger = 0
        self.version = Version.V311

    def received(self, packet: Packet) -> None:
        raise NotImplementedError

    def failed(self, error: ProtocolError, data: bytes) -> None:
        """The client broke the protocol with something in `data`, or with what came before."""
        raise NotImplementedError

    def lost(self, error: Exception | None) -> None:
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
        name = transport.get_extra_info("peername")  # not to be had any more when the connection is reset
        self.peer = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "-"

    def data_received(self, data: bytes) -> None:
        if self.closing:
            self.discard(len(data))
        else:
            self._turns.reading.add((self, data), len(data))

    def eof_received(self) -> bool:
        """A client that sends and leaves is still heard, and told what can be told at once."""
        self._turns.reading.run()
        self.ended = not self.closing
        self.flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._turns.reading.run()
        self.closing = True
        self._transport = None
        self.lost(exc)

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

    def feed(self, data: bytes) -> None:
        """Hand on the packets that are complete with these bytes."""
        self.seen = self._wheel.now
        try:
            for packet in self._decoder.feed(data):
                if self.closing:  # [MQTT-3.1.4-6]
                    return
                self.received(packet)
        except ProtocolError as error:
            if not self.closing:
                self.failed(error, data)
        except Exception:  # a defect: raised again, and this connection cannot go on
            self.abort()
            raise

    def probe(self, seconds: int) -> None:
        """Let TCP find out whether a client that may be silent for ever is still there, each time it was silent for so
        long. Nothing is asked of the client itself [RFC 9293 3.8.4]."""
        plain: socket.socket | None = self._transport.get_extra_info("socket") if self._transport else None
        if plain is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, min(seconds, _LONGEST_IDLE))

    def abort(self) -> None:
        """Cut the connection off."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def descriptor(self) -> int:
        """The number of its file descriptor; -1 when it has none any more."""
        plain: socket.socket | None = self._transport.get_extra_info("socket") if self._transport else None
        return -1 if plain is None else plain.fileno()

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.ssl_object is not None

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """The TLS connection, if it is one."""
        channel: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object") if self._transport else None
        return channel

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the client's certificate, in lower-case hexadecimal digits; empty when it showed none."""
        channel = self.ssl_object
        certificate = channel.getpeercert(binary_form=True) if channel is not None else None
        return hashlib.sha256(certificate).hexdigest() if certificate else ""

    def pause_reading(self) -> None:
        if self._transport is not None and not self.closing:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Unless there is another reason not to."""
        if self._transport is not None and not (self.closing or self._paused):
            self._transport.resume_reading()

    def send(self, packet: Packet) -> None:
        self.write(encode(packet, self.version))

    def write(self, data: bytes) -> None:
        if self.closing:
            return
        if not self._chunks:
            self._turns.writing.add(self)
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

    def hang_up(self, *, linger: bool = True) -> None:
        """Send what was collected, then close. A client that does not take its last bytes is cut off.

        `linger`: close our side only, and throw away what the client still sends until it closes its own. Closing both
        sides while bytes of the client are not read resets the connection, and the reset overtakes a DISCONNECT that
        the client has not read yet.
        """
        if self.closing:
            return
        self.closing = True  # before the flush, which would make room for more behind a DISCONNECT [MQTT-3.14.4-1]
        self.flush()
        if self._transport is not None:
            self.linger = self._wheel.after(_LINGER)
            self._wheel.watch(self, self.linger)
            # [MQTT-3.14.4-2] [MQTT-3.2.2-7] [MQTT-4.13.2-1]
            if linger:
                self._close_our_side(self._transport)
            else:
                self._transport.close()

    def _close_our_side(self, transport: asyncio.Transport) -> None:
        if transport.is_closing():
            return
        try:
            transport.write_eof()
        except OSError:  # the client has reset the connection, which nobody has heard of yet
            transport.abort()
        else:
            transport.resume_reading()

    def close(self) -> None:
        """Wait for the client no longer: what lingers is closed."""
        self.hang_up(linger=False)
        if self._transport is not None:
            self._transport.close()

    def discard(self, size: int) -> None:
        """Bytes came from a connection that is closed here. Whoever sends too many of them is cut off."""
        self._discarded += size
        if self._discarded > _MOST_DISCARDED:
            self.abort()

    def due(self, now: int) -> int:
        if now < self.linger:
            return 0
        self.abort()
        return 0


def _read(arrived: tuple[Wire, bytes]) -> None:
    wire, data = arrived
    if not wire.closing:  # [MQTT-3.1.4-6]
        wire.feed(data)
