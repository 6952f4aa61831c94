"""The bytes behind the fixed header → a packet. One function a packet type; `decoders` picks them by first byte."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Final, TypeVar

from bridge.mqtt.datatypes import (
    malformed,
    read_binary,
    read_byte,
    read_name,
    read_string,
    read_u16,
    short,
    violation,
)
from bridge.mqtt.packet_rules import Side, check_first_byte, check_reason
from bridge.mqtt.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    PacketType,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Version,
    Will,
)
from bridge.mqtt.properties import Properties
from bridge.mqtt.property_rules import WILL, check_authentication, read_properties, rules_for
from bridge.mqtt.reasons import ProtocolError, ReasonCode
from bridge.mqtt.topics import check_topic_filter, check_topic_name, split_shared

V31: Final = Version.V31
V311: Final = Version.V311
V5: Final = Version.V5

Decode = Callable[[bytes, int, int, int], Packet]
"""(bytes, start of the body, its end, first byte of the packet) → packet."""

PROTOCOLS: Final = {("MQIsdp", 3): V31, ("MQTT", 4): V311, ("MQTT", 5): V5}
PROTOCOL_NAMES: Final = frozenset(name for name, _ in PROTOCOLS)

Acknowledgement = TypeVar("Acknowledgement", Puback, Pubrec, Pubrel, Pubcomp)


def _trailing() -> ProtocolError:
    return malformed("bytes behind the last field", "MQTT5 1.2")


def _packet_id(
    data: bytes, pos: int, end: int, refusal: Callable[[str, str], ProtocolError] = violation
) -> tuple[int, int]:
    after = pos + 2
    if after > end:
        raise short()
    packet_id = data[pos] << 8 | data[pos + 1]
    if not packet_id:
        raise refusal("packet identifier is 0", "MQTT-2.2.1-3")  # [MQTT-2.2.1-3] [MQTT-2.2.1-4]
    return packet_id, after


def _request_id(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Of SUBSCRIBE and UNSUBSCRIBE. For an identifier of 0 the text has no reason code; other servers use this one."""
    return _packet_id(data, pos, end, malformed)


def _properties(data: bytes, pos: int, end: int, holder: int) -> tuple[Properties, int]:
    return read_properties(data, pos, end, holder, rules_for(holder))


def protocol_level(data: bytes, pos: int, end: int) -> int | None:
    """The protocol level a CONNECT asks for, whatever else is wrong with it; None if it does not get that far, or if
    what asks is no MQTT client."""
    try:
        name, pos = read_string(data, pos, end)
        level, _ = read_byte(data, pos, end)
    except ProtocolError:
        return None
    return level if name in PROTOCOL_NAMES else None


def decode_connect(data: bytes, pos: int, end: int, first: int) -> Connect:
    version, pos = _protocol(data, pos, end)
    if first & 0x0F and version is not V31:  # which leaves them open
        raise malformed("CONNECT with reserved flags", "MQTT-2.1.3-1")  # [MQTT-2.1.3-1]
    flags, pos = read_byte(data, pos, end)
    _check_connect_flags(flags, version)
    keep_alive, pos = read_u16(data, pos, end)
    properties: Properties = {}
    if version is V5:
        properties, pos = _properties(data, pos, end, PacketType.CONNECT)
        check_authentication(properties)
    unseemly = ReasonCode.CLIENT_IDENTIFIER_NOT_VALID if version is V5 else ReasonCode.MALFORMED_PACKET
    client_id, pos = read_name(data, pos, end, unseemly)  # [MQTT-3.1.3-1] [MQTT-3.1.3-3] [MQTT-3.1.3-4]
    will = username = password = None
    if flags & 0x04:
        will, pos = _will(data, pos, end, flags, version)
    # In 3.1 the packet may end although the flags announce a user name or a password.
    if flags & 0x80 and not (version is V31 and pos == end):
        username, pos = read_name(data, pos, end)  # [MQTT-3.1.2-17] [MQTT-3.1.3-12]
    if flags & 0x40 and not (version is V31 and pos == end):
        password, pos = read_binary(data, pos, end)  # [MQTT-3.1.2-19]
    if pos != end:
        raise _trailing()  # [MQTT-3.1.2-16] [MQTT-3.1.2-18]
    return Connect(version, client_id, flags & 0x02 != 0, keep_alive, username, password, will, properties)


def _protocol(data: bytes, pos: int, end: int) -> tuple[Version, int]:
    name, pos = read_string(data, pos, end)
    level, pos = read_byte(data, pos, end)
    version = PROTOCOLS.get((name, level))
    if version is None:  # [MQTT-3.1.2-1] [MQTT-3.1.2-2]
        clause = "MQTT-3.1.2-2" if name == "MQTT" else "MQTT-3.1.2-1"
        message = f"protocol {name[:20]!r} level {level} is unknown"
        raise ProtocolError(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, message, clause)
    return version, pos


def _check_connect_flags(flags: int, version: Version) -> None:
    will = flags & 0x04
    if version is not V31:  # which disregards what it does not use
        if flags & 0x01:
            raise malformed("reserved connect flag is set", "MQTT-3.1.2-3")  # [MQTT-3.1.2-3]
        if not will and flags & 0x18:
            raise malformed("will QoS without a will", "MQTT-3.1.2-11")  # [MQTT-3.1.2-11]
        if not will and flags & 0x20:
            raise malformed("will retain without a will", "MQTT-3.1.2-13")  # [MQTT-3.1.2-13]
    if will and flags & 0x18 == 0x18:
        raise malformed("will QoS is 3", "MQTT-3.1.2-12")  # [MQTT-3.1.2-12]
    if version is not V5 and flags & 0xC0 == 0x40:
        raise malformed("password without a user name", "MQTT3-3.1.2-22")  # [MQTT3-3.1.2-22]


def _will(data: bytes, pos: int, end: int, flags: int, version: Version) -> tuple[Will, int]:
    properties: Properties = {}
    if version is V5:
        properties, pos = _properties(data, pos, end, WILL)  # [MQTT-3.1.2-9]
    topic, pos = read_name(data, pos, end)  # [MQTT-3.1.3-11]
    check_topic_name(topic)
    payload, pos = read_binary(data, pos, end)
    return Will(topic, payload, flags >> 3 & 3, flags & 0x20 != 0, properties), pos


def decode_connack(data: bytes, pos: int, end: int, _first: int) -> Connack:
    flags, pos = read_byte(data, pos, end)
    if flags & 0xFE:
        raise malformed("reserved acknowledge flags are set", "MQTT-3.2.2-1")  # [MQTT-3.2.2-1]
    code, pos = read_byte(data, pos, end)
    check_reason(code, PacketType.CONNACK)  # [MQTT-3.2.2-8]
    if flags and code:
        raise violation("session present in a refusal", "MQTT-3.2.2-6")  # [MQTT-3.2.2-6]
    properties, pos = _properties(data, pos, end, PacketType.CONNACK)
    if pos != end:
        raise _trailing()
    return Connack(flags != 0, code, properties)


def _decode_connack3(version: Version) -> Decode:
    def decode(data: bytes, pos: int, end: int, _first: int) -> Connack:
        flags, pos = read_byte(data, pos, end)
        if version is V31:
            flags = 0  # the byte is not used
        if flags & 0xFE:
            raise malformed("reserved acknowledge flags are set", "MQTT-3.2.2-1")  # [MQTT-3.2.2-1]
        code, pos = read_byte(data, pos, end)
        if code > 5:
            raise violation(f"{code} is no return code", "MQTT3-3.2.2-6")
        if flags and code:
            raise violation("session present in a refusal", "MQTT3-3.2.2-4")  # [MQTT3-3.2.2-4]
        if pos != end:
            raise _trailing()
        return Connack(flags != 0, code, {})

    return decode


def _decode_publish(side: Side) -> Decode:
    rules = rules_for(PacketType.PUBLISH)

    def decode(data: bytes, pos: int, end: int, first: int) -> Publish:
        topic, pos = read_name(data, pos, end)  # [MQTT-3.3.2-1]
        if "+" in topic or "#" in topic:
            check_topic_name(topic)  # [MQTT-3.3.2-2]
        qos = first >> 1 & 3
        packet_id = 0  # [MQTT-2.2.1-2]
        if qos:
            packet_id, pos = _packet_id(data, pos, end)
        if pos < end and not data[pos]:  # most have none
            properties: Properties = {}
            pos += 1
        else:
            properties, pos = read_properties(data, pos, end, PacketType.PUBLISH, rules)
            if side is Side.SERVER and "subscription_identifiers" in properties:
                raise violation("subscription identifier from a client", "MQTT-3.3.4-6")  # [MQTT-3.3.4-6]
        if not topic and "topic_alias" not in properties:
            raise violation("neither topic name nor topic alias", "MQTT5 3.3.2.1")
        return Publish(topic, data[pos:end], qos, first & 1 != 0, first & 8 != 0, packet_id, properties)

    return decode


def decode_publish3(data: bytes, pos: int, end: int, first: int) -> Publish:
    topic, pos = read_name(data, pos, end)
    if not topic or "+" in topic or "#" in topic:
        check_topic_name(topic)  # [MQTT-3.3.2-2] [MQTT-4.7.3-1]
    qos = first >> 1 & 3
    packet_id = 0
    if qos:
        packet_id, pos = _packet_id(data, pos, end)
    return Publish(topic, data[pos:end], qos, first & 1 != 0, first & 8 != 0, packet_id, {})


def _decode_acknowledgement(make: type[Acknowledgement], kind: PacketType, version: Version) -> Decode:
    def decode(data: bytes, pos: int, end: int, _first: int) -> Acknowledgement:
        packet_id, pos = _packet_id(data, pos, end)
        if pos == end:
            return make(packet_id, 0, {})
        if version is not V5:
            raise _trailing()
        code = check_reason(data[pos], kind)
        pos += 1
        if pos == end:
            return make(packet_id, code, {})
        properties, pos = _properties(data, pos, end, kind)
        if pos != end:
            raise _trailing()
        return make(packet_id, code, properties)

    return decode


def _decode_subscribe(version: Version) -> Decode:
    def decode(data: bytes, pos: int, end: int, _first: int) -> Subscribe:
        packet_id, pos = _request_id(data, pos, end)
        properties: Properties = {}
        if version is V5:
            properties, pos = _properties(data, pos, end, PacketType.SUBSCRIBE)
        if pos == end:
            raise violation("SUBSCRIBE without a topic filter", "MQTT-3.8.3-2")  # [MQTT-3.8.3-2]
        subscriptions = []
        while pos < end:
            topic_filter, pos = read_name(data, pos, end)  # [MQTT-3.8.3-1]
            options, pos = read_byte(data, pos, end)
            subscriptions.append(_subscription(topic_filter, options, version))
        return Subscribe(packet_id, subscriptions, properties)

    return decode


def _subscription(topic_filter: str, options: int, version: Version) -> Subscription:
    check_topic_filter(topic_filter)
    qos = options & 3
    if version is not V5:
        if qos == 3 or (options > 2 and version is V311):
            raise malformed("reserved bits beside the requested QoS", "MQTT3-3.8.3-4")  # [MQTT3-3.8.3-4]
        return Subscription(topic_filter, qos)
    if options & 0xC0:
        raise malformed("reserved subscription options are set", "MQTT-3.8.3-5")  # [MQTT-3.8.3-5]
    if qos == 3:
        raise violation("maximum QoS is 3", "MQTT5 3.8.3.1")
    if options & 0x30 == 0x30:
        raise violation("retain handling is 3", "MQTT5 3.8.3.1")
    if options & 0x04 and split_shared(topic_filter)[0] is not None:
        raise violation("no local on a shared subscription", "MQTT-3.8.3-4")  # [MQTT-3.8.3-4]
    return Subscription(topic_filter, qos, options & 0x04 != 0, options & 0x08 != 0, options >> 4)


def _decode_unsubscribe(version: Version) -> Decode:
    def decode(data: bytes, pos: int, end: int, _first: int) -> Unsubscribe:
        packet_id, pos = _request_id(data, pos, end)
        properties: Properties = {}
        if version is V5:
            properties, pos = _properties(data, pos, end, PacketType.UNSUBSCRIBE)
        if pos == end:
            raise violation("UNSUBSCRIBE without a topic filter", "MQTT-3.10.3-2")  # [MQTT-3.10.3-2]
        filters = []
        while pos < end:
            topic_filter, pos = read_name(data, pos, end)  # [MQTT-3.10.3-1]
            check_topic_filter(topic_filter)
            filters.append(topic_filter)
        return Unsubscribe(packet_id, filters, properties)

    return decode


def _decode_suback(version: Version) -> Decode:
    def decode(data: bytes, pos: int, end: int, _first: int) -> Suback:
        packet_id, pos = _packet_id(data, pos, end)
        properties: Properties = {}
        if version is V5:
            properties, pos = _properties(data, pos, end, PacketType.SUBACK)
        if pos == end:
            raise violation("SUBACK without a code", "MQTT-3.9.3-1")
        codes = list(data[pos:end])
        for code in codes:
            if version is V5:
                check_reason(code, PacketType.SUBACK)  # [MQTT-3.9.3-2]
            elif code > 2 and code != 0x80:
                raise violation(f"0x{code:02x} is no return code of SUBACK", "MQTT3-3.9.3-2")  # [MQTT3-3.9.3-2]
        return Suback(packet_id, codes, properties)

    return decode


def decode_unsuback(data: bytes, pos: int, end: int, _first: int) -> Unsuback:
    packet_id, pos = _packet_id(data, pos, end)
    properties, pos = _properties(data, pos, end, PacketType.UNSUBACK)
    if pos == end:
        raise violation("UNSUBACK without a reason code", "MQTT-3.11.3-1")
    return Unsuback(packet_id, [check_reason(code, PacketType.UNSUBACK) for code in data[pos:end]], properties)


def decode_unsuback3(data: bytes, pos: int, end: int, _first: int) -> Unsuback:
    packet_id, pos = _packet_id(data, pos, end)
    if pos != end:
        raise _trailing()
    return Unsuback(packet_id, [], {})


def _decode_empty(make: type[Pingreq] | type[Pingresp] | type[Disconnect]) -> Decode:
    def decode(_data: bytes, pos: int, end: int, _first: int) -> Packet:
        if pos != end:
            raise _trailing()
        return make()

    return decode


def _decode_disconnect(side: Side) -> Decode:
    def decode(data: bytes, pos: int, end: int, _first: int) -> Disconnect:
        if pos == end:
            return Disconnect(0, {})
        code = check_reason(data[pos], PacketType.DISCONNECT)
        pos += 1
        if pos == end:
            return Disconnect(code, {})
        properties, pos = _properties(data, pos, end, PacketType.DISCONNECT)
        if pos != end:
            raise _trailing()
        if side is Side.CLIENT and "session_expiry_interval" in properties:
            raise violation("session expiry interval from a server", "MQTT-3.14.2-2")  # [MQTT-3.14.2-2]
        return Disconnect(code, properties)

    return decode


def decode_auth(data: bytes, pos: int, end: int, _first: int) -> Auth:
    if pos == end:
        return Auth(0, {})
    code = check_reason(data[pos], PacketType.AUTH)
    properties, pos = _properties(data, pos + 1, end, PacketType.AUTH)
    if pos != end:
        raise _trailing()
    if (code or properties) and "authentication_method" not in properties:
        raise violation("AUTH without an authentication method", "MQTT5 3.15.2.2.2")
    return Auth(code, properties)


@cache
def _by_type(version: Version, side: Side) -> dict[PacketType, Decode]:
    v5 = version is V5
    table: dict[PacketType, Decode] = {
        PacketType.CONNECT: decode_connect,
        PacketType.CONNACK: decode_connack if v5 else _decode_connack3(version),
        PacketType.PUBLISH: _decode_publish(side) if v5 else decode_publish3,
        PacketType.PUBACK: _decode_acknowledgement(Puback, PacketType.PUBACK, version),
        PacketType.PUBREC: _decode_acknowledgement(Pubrec, PacketType.PUBREC, version),
        PacketType.PUBREL: _decode_acknowledgement(Pubrel, PacketType.PUBREL, version),
        PacketType.PUBCOMP: _decode_acknowledgement(Pubcomp, PacketType.PUBCOMP, version),
        PacketType.SUBSCRIBE: _decode_subscribe(version),
        PacketType.SUBACK: _decode_suback(version),
        PacketType.UNSUBSCRIBE: _decode_unsubscribe(version),
        PacketType.UNSUBACK: decode_unsuback if v5 else decode_unsuback3,
        PacketType.PINGREQ: _decode_empty(Pingreq),
        PacketType.PINGRESP: _decode_empty(Pingresp),
        PacketType.DISCONNECT: _decode_disconnect(side) if v5 else _decode_empty(Disconnect),
    }
    if v5:
        table[PacketType.AUTH] = decode_auth
    return table


def decoder_for(first: int, version: Version | None, side: Side) -> Decode:
    """Raises ProtocolError if no packet may start with this byte."""
    kind = check_first_byte(first, version, side)
    return decode_connect if version is None else _by_type(version, side)[kind]


@cache
def decoders(version: Version, side: Side) -> dict[int, Decode]:
    """First byte → decoder, for every first byte that `decoder_for` does not refuse."""
    table = {}
    for first in range(256):
        with suppress(ProtocolError):
            table[first] = decoder_for(first, version, side)
    return table
