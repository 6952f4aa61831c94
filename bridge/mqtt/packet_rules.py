"""What the standard allows per packet type, as data: who sends it, its header flags, its reason codes."""

from enum import Enum
from typing import Final

from bridge.mqtt.datatypes import malformed, violation
from bridge.mqtt.packets import PacketType, Version


class Side(Enum):
    """Who reads: we as a server read what clients send, and the other way round."""

    SERVER = "server"
    CLIENT = "client"


SENT_BY_CLIENT_ONLY: Final = frozenset(
    {PacketType.CONNECT, PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE, PacketType.PINGREQ}
)
SENT_BY_SERVER_ONLY: Final = frozenset(
    {PacketType.CONNACK, PacketType.SUBACK, PacketType.UNSUBACK, PacketType.PINGRESP}
)

FLAGS: Final[dict[PacketType, int]] = {  # [MQTT-2.1.3-1]
    PacketType.CONNECT: 0b0000,
    PacketType.CONNACK: 0b0000,
    PacketType.PUBACK: 0b0000,
    PacketType.PUBREC: 0b0000,
    PacketType.PUBREL: 0b0010,  # [MQTT-3.6.1-1]
    PacketType.PUBCOMP: 0b0000,
    PacketType.SUBSCRIBE: 0b0010,  # [MQTT-3.8.1-1]
    PacketType.SUBACK: 0b0000,
    PacketType.UNSUBSCRIBE: 0b0010,  # [MQTT-3.10.1-1]
    PacketType.UNSUBACK: 0b0000,
    PacketType.PINGREQ: 0b0000,
    PacketType.PINGRESP: 0b0000,
    PacketType.DISCONNECT: 0b0000,  # [MQTT-3.14.1-1]
    PacketType.AUTH: 0b0000,  # [MQTT-3.15.1-1]
}
"""The low four bits of the first byte. Those of PUBLISH say something about the message."""

_RECEIVED: Final = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
_RELEASED: Final = frozenset({0x00, 0x92})

REASON_CODES: Final[dict[PacketType, tuple[frozenset[int], str]]] = {
    PacketType.CONNACK: (
        frozenset({0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, *range(0x99, 0x9E), 0x9F}),
        "MQTT-3.2.2-8",
    ),
    PacketType.PUBACK: (_RECEIVED, "MQTT-3.4.2-1"),
    PacketType.PUBREC: (_RECEIVED, "MQTT-3.5.2-1"),
    PacketType.PUBREL: (_RELEASED, "MQTT-3.6.2-1"),
    PacketType.PUBCOMP: (_RELEASED, "MQTT-3.7.2-1"),
    PacketType.SUBACK: (
        frozenset({0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}),
        "MQTT-3.9.3-2",
    ),
    PacketType.UNSUBACK: (frozenset({0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}), "MQTT-3.11.3-2"),
    PacketType.DISCONNECT: (  # 0x8C stands in table 2-6 only
        frozenset({0x00, 0x04, *range(0x80, 0x84), 0x87, 0x89, *range(0x8B, 0x91), *range(0x93, 0xA3)}),
        "MQTT-3.14.2-1",
    ),
    PacketType.AUTH: (frozenset({0x00, 0x18, 0x19}), "MQTT-3.15.2-1"),
}
"""Packet type → what it may carry in MQTT 5, and the clause that says so."""


def is_allowed(code: int, kind: PacketType) -> bool:
    """Whether MQTT 5 lets a packet of this type carry the reason code."""
    return code in REASON_CODES[kind][0]


def check_reason(code: int, kind: PacketType) -> int:
    """Return `code` if MQTT 5 lets a packet of this type carry it, else raise ProtocolError."""
    if not is_allowed(code, kind):
        raise violation(f"{kind.name} has no reason code {code}", REASON_CODES[kind][1])
    return code


def check_first_byte(first: int, version: Version | None, side: Side) -> PacketType:
    """The type of the packet that starts with this byte. Raises ProtocolError if we must not be sent it.

    `version` is None as long as no CONNECT was read.
    """
    code = first >> 4
    if version is None and code != PacketType.CONNECT:
        raise violation("the first packet is not CONNECT", "MQTT-3.1.0-1")  # [MQTT-3.1.0-1]
    if code == 0 or (code == PacketType.AUTH and version is not Version.V5):
        raise violation(f"packet type {code} is reserved", "MQTT5 2.1.2")
    kind = PacketType(code)
    # The form first, then the sender: what cannot be parsed is malformed, whoever sends it [MQTT5 1.2].
    if kind is PacketType.PUBLISH:
        _check_publish_flags(first)
    elif version is None:
        _check_first_flags(first)
    elif first & _flag_mask(kind, version) != FLAGS[kind]:
        raise malformed(f"{kind.name} with reserved flags", "MQTT-2.1.3-1")  # [MQTT-2.1.3-1]
    if kind in (SENT_BY_SERVER_ONLY if side is Side.SERVER else SENT_BY_CLIENT_ONLY):
        raise violation(f"{kind.name} does not come from a {_other(side)}", "MQTT5 2.1.2")
    if kind is PacketType.DISCONNECT and side is Side.CLIENT and version is not Version.V5:
        raise violation("DISCONNECT does not come from a server", "MQTT3-3.14")
    return kind


def _other(side: Side) -> str:
    return "client" if side is Side.SERVER else "server"


def _check_publish_flags(first: int) -> None:
    if first & 0b0110 == 0b0110:
        raise malformed("QoS is 3", "MQTT-3.3.1-4")  # [MQTT-3.3.1-4]
    if first & 0b1110 == 0b1000:
        raise malformed("DUP at QoS 0", "MQTT-3.3.1-2")  # [MQTT-3.3.1-2]


def _check_first_flags(first: int) -> None:
    """Of a CONNECT, which itself says whether its version leaves them open. No version has a QoS of 3, and that is how
    TLS begins (0x16)."""
    if first & 0b0110 == 0b0110:
        raise malformed("CONNECT with reserved flags", "MQTT-2.1.3-1")  # [MQTT-2.1.3-1]


def _flag_mask(kind: PacketType, version: Version | None) -> int:
    if version is not Version.V31:
        return 0b1111
    # It leaves the flags it does not use open, and its clients repeat PUBREL, SUBSCRIBE and UNSUBSCRIBE with DUP set.
    return 0b0110 if FLAGS[kind] else 0b0000
