"""Every property in every packet, allowed or not: table 2-4 of MQTT 5, written down a second time."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from bridge.mqtt import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ReasonCode,
    Side,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from tests.mqtt.raw import ID, MALFORMED, NEW, PROTOCOL, V5, Invalid, Valid, connect, pack, props, s

METHOD = b"\x15" + s("m")
"""Without it AUTH and authentication data are refused for another reason."""


class Holder(NamedTuple):
    """Something that carries a property list."""

    side: Side
    raw: Callable[[bytes], bytes]
    packet: Callable[[Properties], Packet]


class Property(NamedTuple):
    raw: bytes
    properties: Properties
    holders: str
    clause: str
    """Where its value and its standing once are required."""


def _acknowledgement(first: int, make: type[Puback] | type[Pubrec] | type[Pubrel] | type[Pubcomp]) -> Holder:
    return Holder(Side.SERVER, lambda raw: pack(first, ID, b"\0", raw), lambda p: make(10, 0, p))


HOLDERS: dict[str, Holder] = {
    "connect": Holder(
        Side.SERVER,
        lambda raw: connect(V5, 2, s("d"), properties=raw),
        lambda p: Connect(V5, "d", True, 60, properties=p),
    ),
    "will": Holder(
        Side.SERVER,
        lambda raw: connect(V5, 6, s("d"), raw, s("w"), s("")),
        lambda p: Connect(V5, "d", True, 60, will=Will("w", b"", properties=p)),
    ),
    "connack": Holder(Side.CLIENT, lambda raw: pack(0x20, b"\0\0", raw), lambda p: Connack(False, 0, p)),
    "publish": Holder(Side.CLIENT, lambda raw: pack(0x30, s("a"), raw), lambda p: Publish("a", properties=p)),
    "puback": _acknowledgement(0x40, Puback),
    "pubrec": _acknowledgement(0x50, Pubrec),
    "pubrel": _acknowledgement(0x62, Pubrel),
    "pubcomp": _acknowledgement(0x70, Pubcomp),
    "subscribe": Holder(
        Side.SERVER,
        lambda raw: pack(0x82, ID, raw, s("a"), b"\0"),
        lambda p: Subscribe(10, [Subscription("a")], p),
    ),
    "suback": Holder(Side.CLIENT, lambda raw: pack(0x90, ID, raw, b"\0"), lambda p: Suback(10, [0], p)),
    "unsubscribe": Holder(Side.SERVER, lambda raw: pack(0xA2, ID, raw, s("a")), lambda p: Unsubscribe(10, ["a"], p)),
    "unsuback": Holder(Side.CLIENT, lambda raw: pack(0xB0, ID, raw, b"\0"), lambda p: Unsuback(10, [0], p)),
    "disconnect": Holder(Side.SERVER, lambda raw: pack(0xE0, b"\0", raw), lambda p: Disconnect(0, p)),
    "auth": Holder(Side.SERVER, lambda raw: pack(0xF0, b"\x18", raw), lambda p: Auth(0x18, p)),
}

ANSWERS = "connack puback pubrec pubrel pubcomp suback unsuback disconnect auth"

PROPERTIES: tuple[Property, ...] = (
    Property(b"\x01\x01", {"payload_format_indicator": 1}, "publish will", "MQTT5 3.3.2.3.2"),
    Property(b"\x02\0\0\0\0", {"message_expiry_interval": 0}, "publish will", "MQTT5 3.3.2.3.3"),
    Property(b"\x03" + s("t/p"), {"content_type": "t/p"}, "publish will", "MQTT5 3.3.2.3.9"),
    Property(b"\x08" + s("r/t"), {"response_topic": "r/t"}, "publish will", "MQTT-3.3.2-14"),
    Property(b"\x09" + s(b"\0"), {"correlation_data": b"\0"}, "publish will", "MQTT5 3.3.2.3.6"),
    Property(b"\x0b\x01", {"subscription_identifiers": [1]}, "publish subscribe", "MQTT5 3.8.2.1.2"),
    Property(b"\x11\0\0\0\0", {"session_expiry_interval": 0}, "connect connack disconnect", "MQTT5 3.1.2.11.2"),
    Property(b"\x12" + s("c"), {"assigned_client_identifier": "c"}, "connack", "MQTT5 3.2.2.3.7"),
    Property(b"\x13\0\0", {"server_keep_alive": 0}, "connack", "MQTT5 3.2.2.3.14"),
    Property(METHOD, {"authentication_method": "m"}, "connect connack auth", "MQTT5 3.1.2.11.9"),
    Property(b"\x16" + s(b"x"), {"authentication_data": b"x"}, "connect connack auth", "MQTT5 3.1.2.11.10"),
    Property(b"\x17\x01", {"request_problem_information": 1}, "connect", "MQTT5 3.1.2.11.7"),
    Property(b"\x18\xff\xff\xff\xff", {"will_delay_interval": 0xFFFFFFFF}, "will", "MQTT5 3.1.3.2.2"),
    Property(b"\x19\x00", {"request_response_information": 0}, "connect", "MQTT5 3.1.2.11.6"),
    Property(b"\x1a" + s(""), {"response_information": ""}, "connack", "MQTT5 3.2.2.3.15"),
    Property(b"\x1c" + s("h"), {"server_reference": "h"}, "connack disconnect", "MQTT5 3.2.2.3.16"),
    Property(b"\x1f" + s("why"), {"reason_string": "why"}, ANSWERS, "MQTT5 3.2.2.3.9"),
    Property(b"\x21\x00\x01", {"receive_maximum": 1}, "connect connack", "MQTT5 3.1.2.11.3"),
    Property(b"\x22\x00\x00", {"topic_alias_maximum": 0}, "connect connack", "MQTT5 3.1.2.11.5"),
    Property(b"\x23\x00\x01", {"topic_alias": 1}, "publish", "MQTT-3.3.2-8"),
    Property(b"\x24\x00", {"maximum_qos": 0}, "connack", "MQTT5 3.2.2.3.4"),
    Property(b"\x25\x01", {"retain_available": 1}, "connack", "MQTT5 3.2.2.3.5"),
    Property(b"\x26" + s("k") + s("v"), {"user_properties": [("k", "v")]}, " ".join(HOLDERS), "MQTT-1.5.7-1"),
    Property(b"\x27\0\0\0\x01", {"maximum_packet_size": 1}, "connect connack", "MQTT5 3.1.2.11.4"),
    Property(b"\x28\x00", {"wildcard_subscription_available": 0}, "connack", "MQTT5 3.2.2.3.11"),
    Property(b"\x29\x01", {"subscription_identifier_available": 1}, "connack", "MQTT5 3.2.2.3.12"),
    Property(b"\x2a\x00", {"shared_subscription_available": 0}, "connack", "MQTT5 3.2.2.3.13"),
)

REPEATABLE = {("user_properties", holder) for holder in HOLDERS} | {("subscription_identifiers", "publish")}

REFUSED_VALUES: tuple[tuple[bytes, str, ReasonCode, str], ...] = (
    *((bytes([0x01, value]), "publish", PROTOCOL, "MQTT5 3.3.2.3.2") for value in (2, 255)),
    (b"\x01\x02", "will", PROTOCOL, "MQTT5 3.3.2.3.2"),
    *(
        (b"\x08" + s(topic), holder, PROTOCOL, "MQTT-3.3.2-14")
        for topic in ("", "+", "#", "a/+", "a/#")
        for holder in ("publish", "will")
    ),
    *((b"\x0b\x00", holder, PROTOCOL, "MQTT5 3.8.2.1.2") for holder in ("publish", "subscribe")),
    (b"\x0b\x80\x00", "publish", MALFORMED, "MQTT-1.5.5-1"),
    (b"\x0b\xff\xff\xff\xff\x01", "subscribe", MALFORMED, "MQTT5 1.5.5"),
    (b"\x17\x02", "connect", PROTOCOL, "MQTT5 3.1.2.11.7"),
    (b"\x19\xff", "connect", PROTOCOL, "MQTT5 3.1.2.11.6"),
    *((b"\x21\0\0", holder, PROTOCOL, "MQTT5 3.1.2.11.3") for holder in ("connect", "connack")),
    *((b"\x27\0\0\0\0", holder, PROTOCOL, "MQTT5 3.1.2.11.4") for holder in ("connect", "connack")),
    (b"\x23\0\0", "publish", ReasonCode.TOPIC_ALIAS_INVALID, "MQTT-3.3.2-8"),
    (b"\x24\x02", "connack", PROTOCOL, "MQTT5 3.2.2.3.4"),
    (b"\x25\x02", "connack", PROTOCOL, "MQTT5 3.2.2.3.5"),
    (b"\x28\x02", "connack", PROTOCOL, "MQTT5 3.2.2.3.11"),
    (b"\x29\x02", "connack", PROTOCOL, "MQTT5 3.2.2.3.12"),
    (b"\x2a\x02", "connack", PROTOCOL, "MQTT5 3.2.2.3.13"),
    (b"\x26" + s(b"\xff") + s("v"), "publish", MALFORMED, "MQTT-1.5.4-1"),
    (b"\x26" + s("k") + s(b"\xed\xa0\x80"), "connect", MALFORMED, "MQTT-1.5.4-1"),
    (b"\x1f" + s(b"\0"), "puback", MALFORMED, "MQTT-1.5.4-2"),
    (b"\x03" + s(b"\xc0\xaf"), "will", MALFORMED, "MQTT-1.5.4-1"),
)

UNKNOWN = sorted(set(range(256)) - {row.raw[0] for row in PROPERTIES})


def _parts(row: Property, holder: str) -> tuple[list[bytes], Properties]:
    """The property, with an authentication method in front where the packet is nothing without one."""
    name = next(iter(row.properties))
    if name != "authentication_method" and (holder == "auth" or (name, holder) == ("authentication_data", "connect")):
        return [METHOD, row.raw], {"authentication_method": "m", **row.properties}
    return [row.raw], row.properties


def _valid() -> Iterator[Valid]:
    for row in PROPERTIES:
        for holder in row.holders.split():
            side, raw, packet = HOLDERS[holder]
            parts, properties = _parts(row, holder)
            name = next(iter(row.properties))
            yield Valid(f"{name} in {holder}", NEW, raw(props(*parts)), packet(properties), side)


def _invalid() -> Iterator[Invalid]:
    for holder, (side, raw, _) in HOLDERS.items():
        for row in PROPERTIES:
            name = next(iter(row.properties))
            parts, _ = _parts(row, holder)
            if holder not in row.holders.split():
                yield Invalid(f"{name} in {holder}", NEW, raw(props(*parts)), MALFORMED, "MQTT5 2.2.2.2", side)
            elif (name, holder) not in REPEATABLE:
                twice = raw(props(*parts, row.raw))
                yield Invalid(f"{name} twice in {holder}", NEW, twice, PROTOCOL, row.clause, side)
        for identifier in UNKNOWN if holder == "publish" else UNKNOWN[::40]:
            unknown = raw(props(bytes([identifier, 0, 0])))
            yield Invalid(f"property {identifier:#04x} in {holder}", NEW, unknown, MALFORMED, "MQTT5 2.2.2.2", side)
    for number, (value, holder, reason, clause) in enumerate(REFUSED_VALUES):
        side, raw, _ = HOLDERS[holder]
        yield Invalid(f"refused value {number} in {holder}", NEW, raw(props(value)), reason, clause, side)


VALID_PROPERTIES: tuple[Valid, ...] = tuple(_valid())
INVALID_PROPERTIES: tuple[Invalid, ...] = tuple(_invalid())
