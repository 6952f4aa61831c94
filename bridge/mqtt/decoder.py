"""A stream of bytes → packets: framing, and the little that outlives one chunk."""

from collections.abc import Iterator
from typing import Final

from bridge.mqtt.datatypes import malformed
from bridge.mqtt.decode import Decode, decode_connect, decoder_for, decoders, protocol_level
from bridge.mqtt.packet_rules import Side
from bridge.mqtt.packets import Packet, Version
from bridge.mqtt.reasons import ProtocolError, ReasonCode

LARGEST_PACKET: Final = 268_435_460
"""What MQTT can express: five bytes of fixed header and 268,435,455 behind it."""

_BEFORE_CONNECT: Final[dict[int, Decode]] = {}


class Decoder:
    """Reads what one peer sends.

    `side` says who we are. `version` is what the peer speaks: None until its CONNECT is read, which then decides the
    form of everything behind it. `requested_level` is the protocol level of a first CONNECT that was refused, as far as
    it could be read: it tells which form of CONNACK the client understands.
    """

    __slots__ = ("_broken", "_decoders", "_largest", "_missing", "_partial", "_side", "requested_level", "version")

    def __init__(
        self, *, max_packet_size: int = LARGEST_PACKET, version: Version | None = None, side: Side = Side.SERVER
    ) -> None:
        if version is None and side is Side.CLIENT:
            raise ValueError("a client knows the version it asked for")
        self.version = version
        self.requested_level: int | None = None
        self._side = side
        self._largest = max_packet_size
        self._decoders = _BEFORE_CONNECT if version is None else decoders(version, side)
        self._partial: bytearray | None = None
        self._missing = 0
        self._broken: tuple[ReasonCode, str] | None = None

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Yield the packets that `data` completes; nothing is taken in before the iterator runs.

        Raises ProtocolError behind the last whole packet, and on every call after that. Nothing else is raised,
        whatever the bytes are. An iterator that is given up early leaves the rest to the next call.
        """
        data = self._join(data)
        pos = 0
        try:
            while pos < len(data):
                framed = self._frame(data, pos)
                if framed is None:
                    break
                packet, pos = framed
                yield packet
        except ProtocolError as error:
            self._broken = (error.reason_code, error.clause)
            pos = len(data)
            raise
        finally:
            if pos < len(data):
                self._partial = bytearray(data[pos:])

    def _join(self, data: bytes) -> bytes:
        """What can be framed now: the beginning of a packet kept so far and `data`; empty while that is too little."""
        if self._broken is not None:
            raise ProtocolError(self._broken[0], "an earlier packet was refused", self._broken[1])
        if self._partial is None:
            return data
        self._partial += data
        if len(self._partial) < self._missing:
            return b""
        data = bytes(self._partial)
        self._partial = None
        self._missing = 0
        return data

    def _frame(self, data: bytes, pos: int) -> tuple[Packet, int] | None:
        """The packet at `pos` and where it ends; None while its end is missing."""
        first = data[pos]
        decode = self._decoders.get(first) or decoder_for(first, self.version, self._side)
        start = pos + 2
        if start > len(data):
            return None
        length = data[pos + 1]
        if length >= 0x80:
            length, start = self._long_length(data, pos + 1)
            if length < 0:
                return None
        end = start + length
        if end - pos > self._largest:
            raise self._too_large(end - pos)
        if end > len(data):
            self._missing = end - pos
            return None
        if self.version is None:
            return self._connect(data, pos, start, end), end
        return decode(data, start, end, first), end

    def _long_length(self, data: bytes, pos: int) -> tuple[int, int]:
        """A Remaining Length of two to four bytes and where it ends; -1 while a byte of it is missing."""
        value = 0
        for shift in (0, 7, 14, 21):
            if pos == len(data):
                return -1, pos
            byte = data[pos]
            pos += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if not byte and self.version is Version.V5:
                    raise _overlong()
                return value, pos
        raise malformed("remaining length of more than four bytes", "MQTT5 1.5.5")

    def _connect(self, data: bytes, pos: int, start: int, end: int) -> Packet:
        try:
            packet = decode_connect(data, start, end, data[pos])
            if packet.version is Version.V5 and start > pos + 2 and not data[start - 1]:
                raise _overlong()
        except ProtocolError:
            self.requested_level = protocol_level(data, start, end)
            raise
        self.version = packet.version
        self._decoders = decoders(packet.version, self._side)
        return packet

    def _too_large(self, size: int) -> ProtocolError:
        clause = "MQTT-3.2.2-15" if self._side is Side.SERVER else "MQTT-3.1.2-24"  # [MQTT-3.2.2-15] [MQTT-3.1.2-24]
        return ProtocolError(ReasonCode.PACKET_TOO_LARGE, f"packet of {size:,} bytes is too large", clause)


def _overlong() -> ProtocolError:
    # Only MQTT 5 forbids it, and some 3.1.1 devices write the length in a fixed number of bytes.
    return malformed("remaining length is longer than needed", "MQTT-1.5.5-1")  # [MQTT-1.5.5-1]
