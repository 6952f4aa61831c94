"""Rows of the tables of raw packets, and what their bytes are put together with.

Nothing here comes from the codec: the tables are to say what the standard says.
"""

from dataclasses import dataclass

from bridge.mqtt import Packet, ReasonCode, Side, Version

V31, V311, V5 = Version
OLD = (V31, V311)
NEW = (V5,)
ALL = (V31, V311, V5)
STRICT = (V311, V5)

MALFORMED = ReasonCode.MALFORMED_PACKET
PROTOCOL = ReasonCode.PROTOCOL_ERROR
NOT_VALID = ReasonCode.CLIENT_IDENTIFIER_NOT_VALID
SHORT = "MQTT5 1.2"
"""The clause of fields and packets that are longer or shorter than they say."""


@dataclass(frozen=True)
class Valid:
    name: str
    versions: tuple[Version, ...]
    raw: bytes
    packet: Packet
    side: Side = Side.SERVER
    """Who reads it."""
    canonical: bool = True
    """Whether we would write the same bytes."""


@dataclass(frozen=True)
class Invalid:
    name: str
    versions: tuple[Version, ...]
    """Empty: before any CONNECT."""
    raw: bytes
    reason: ReasonCode
    clause: str
    side: Side = Side.SERVER
    refused_after: int | None = None
    """How many bytes are enough to refuse it; None: all of them."""


def pack(first: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([first]) + vbi(len(body)) + body


def s(value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return len(raw).to_bytes(2, "big") + raw


def vbi(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value % 128 + 128]) + vbi(value // 128)


def props(*parts: bytes) -> bytes:
    return vbi(sum(map(len, parts))) + b"".join(parts)


MQTT4 = b"\x00\x04MQTT\x04"
MQTT5 = b"\x00\x04MQTT\x05"
MQISDP = b"\x00\x06MQIsdp\x03"
HEADS = {V31: MQISDP, V311: MQTT4, V5: MQTT5}
KEEP_ALIVE = b"\x00\x3c"
ID = b"\x00\x0a"
NONE = b"\x00"
"""An empty property list."""


def connect(version: Version, flags: int, *payload: bytes, properties: bytes = NONE) -> bytes:
    return pack(0x10, HEADS[version], bytes([flags]), KEEP_ALIVE, properties if version is V5 else b"", *payload)
