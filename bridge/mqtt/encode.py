"""A packet → its bytes. Never writes what the decoder of the other side would have to refuse."""

from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from bridge.mqtt.datatypes import (
    malformed,
    violation,
    write_binary,
    write_byte,
    write_name,
    write_string,
    write_u16,
    write_variable,
)
from bridge.mqtt.packet_rules import FLAGS, check_reason
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
from bridge.mqtt.property_rules import WILL, check_authentication, write_properties
from bridge.mqtt.reasons import return_code
from bridge.mqtt.topics import check_topic_filter, check_topic_name, split_shared

V31: Final = Version.V31
V311: Final = Version.V311
V5: Final = Version.V5

NAMES: Final = {V31: "MQIsdp", V311: "MQTT", V5: "MQTT"}

_short_acknowledgement = Struct("!BBH").pack


def encode(packet: Packet, version: Version) -> bytes:
    """The bytes of `packet` in the form of `version`; a CONNECT carries its own.

    For 3.1 and 3.1.1 properties and reason codes are left out. CONNACK and SUBACK take either the version's own codes
    or those of MQTT 5, which become the nearest it has. Raises ProtocolError for what the standard cannot express.
    """
    return _ENCODERS[type(packet)](packet, version)


def encode_publish(publish: Publish, version: Version, packet_id: int) -> bytes:
    """As `encode`, with this packet identifier, 0 at QoS 0, instead of the one in `publish`."""
    topic = publish.topic
    qos = publish.qos
    head = write_name(topic)
    if "+" in topic or "#" in topic:
        check_topic_name(topic)
    if qos:
        head += _packet_id(packet_id)
    elif publish.dup:
        raise malformed("DUP at QoS 0", "MQTT-3.3.1-2")  # [MQTT-3.3.1-2]
    if version is V5:
        properties = publish.properties
        head += write_properties(properties, PacketType.PUBLISH) if properties else b"\0"
        if not topic and "topic_alias" not in properties:
            raise violation("neither topic name nor topic alias", "MQTT5 3.3.2.1")
    elif not topic:
        check_topic_name(topic)
    first = 0x30 | _qos(qos) << 1
    if publish.dup:
        first |= 0x08
    if publish.retain:
        first |= 0x01
    payload = publish.payload
    size = len(head) + len(payload)
    if size < 0x80:
        return b"%c%c%b%b" % (first, size, head, payload)
    return b"%c%b%b%b" % (first, write_variable(size), head, payload)


def encode_publish_parts(publish: Publish, version: Version) -> tuple[bytes, bytes]:
    """What stands before and behind the packet identifier, for a message that goes to many at the same QoS 1 or 2:
    `head + packet_id.to_bytes(2) + tail` is the packet. The packet identifier of `publish` is not looked at.
    """
    data = encode_publish(publish, version, 1)
    pos = 2
    while data[pos - 1] & 0x80:  # Remaining Length goes on
        pos += 1
    pos += 2 + int.from_bytes(data[pos : pos + 2])  # Topic Name
    return data[:pos], data[pos + 2 :]


def _frame(kind: PacketType, body: bytes) -> bytes:
    first = kind << 4 | FLAGS[kind]
    return first.to_bytes() + write_variable(len(body)) + body


def _packet_id(packet_id: int) -> bytes:
    if not 0 < packet_id <= 0xFFFF:
        raise violation(f"packet identifier is {packet_id}", "MQTT-2.2.1-3")  # [MQTT-2.2.1-3] [MQTT-2.2.1-4]
    return packet_id.to_bytes(2)


def _qos(qos: int) -> int:
    if not 0 <= qos <= 2:
        raise malformed(f"QoS is {qos}", "MQTT-3.3.1-4")  # [MQTT-3.3.1-4] [MQTT-3.1.2-12]
    return qos


def _encode_connect(packet: Connect, _version: Version) -> bytes:
    version = packet.version
    v5 = version is V5
    will, username, password = packet.will, packet.username, packet.password
    if password is not None and username is None and not v5:
        raise malformed("password without a user name", "MQTT3-3.1.2-22")  # [MQTT3-3.1.2-22]
    flags = (username is not None) << 7 | (password is not None) << 6 | bool(packet.clean_start) << 1
    if will is not None:
        flags |= bool(will.retain) << 5 | _qos(will.qos) << 3 | 0x04
    parts = [write_string(NAMES[version]), bytes((version, flags)), write_u16(packet.keep_alive)]
    if v5:
        check_authentication(packet.properties)
        parts.append(write_properties(packet.properties, PacketType.CONNECT))
    parts.append(write_name(packet.client_id))
    if will is not None:
        parts += _will(will, v5)
    if username is not None:
        parts.append(write_name(username))
    if password is not None:
        parts.append(write_binary(password))
    return _frame(PacketType.CONNECT, b"".join(parts))


def _will(will: Will, v5: bool) -> list[bytes]:
    check_topic_name(will.topic)
    properties = write_properties(will.properties, WILL) if v5 else b""
    return [properties, write_name(will.topic), write_binary(will.payload)]


def _encode_connack(packet: Connack, version: Version) -> bytes:
    code = packet.reason_code
    if packet.session_present and code:
        raise violation("session present in a refusal", "MQTT-3.2.2-6")  # [MQTT-3.2.2-6]
    if version is V5:
        check_reason(code, PacketType.CONNACK)  # [MQTT-3.2.2-8]
        tail = write_properties(packet.properties, PacketType.CONNACK)
    else:
        code = code if 0 <= code <= 5 else return_code(code)
        tail = b""
    present = bool(packet.session_present) and version is not V31
    return _frame(PacketType.CONNACK, bytes((present, code)) + tail)


def _encode_publish(packet: Publish, version: Version) -> bytes:
    return encode_publish(packet, version, packet.packet_id)


def _encode_acknowledgement(kind: PacketType) -> Callable[[Puback | Pubrec | Pubrel | Pubcomp, Version], bytes]:
    first = kind << 4 | FLAGS[kind]

    def encode_acknowledgement(packet: Puback | Pubrec | Pubrel | Pubcomp, version: Version) -> bytes:
        packet_id = packet.packet_id
        if not 0 < packet_id <= 0xFFFF:
            _packet_id(packet_id)
        code = packet.reason_code
        if version is not V5 or not (code or packet.properties):
            return _short_acknowledgement(first, 2, packet_id)
        check_reason(code, kind)
        body = packet_id.to_bytes(2) + code.to_bytes()
        if packet.properties:
            body += write_properties(packet.properties, kind)
        return _frame(kind, body)

    return encode_acknowledgement


def _encode_subscribe(packet: Subscribe, version: Version) -> bytes:
    parts = [_packet_id(packet.packet_id)]
    if version is V5:
        parts.append(write_properties(packet.properties, PacketType.SUBSCRIBE))
    if not packet.subscriptions:
        raise violation("SUBSCRIBE without a topic filter", "MQTT-3.8.3-2")  # [MQTT-3.8.3-2]
    for subscription in packet.subscriptions:
        check_topic_filter(subscription.filter)
        options = _qos(subscription.qos) if version is not V5 else _options(subscription)
        parts += (write_name(subscription.filter), write_byte(options))
    return _frame(PacketType.SUBSCRIBE, b"".join(parts))


def _options(subscription: Subscription) -> int:
    handling = subscription.retain_handling
    if not 0 <= handling <= 2:
        raise violation(f"retain handling is {handling}", "MQTT5 3.8.3.1")
    if subscription.no_local and split_shared(subscription.filter)[0] is not None:
        raise violation("no local on a shared subscription", "MQTT-3.8.3-4")  # [MQTT-3.8.3-4]
    return (
        _qos(subscription.qos)
        | bool(subscription.no_local) << 2
        | bool(subscription.retain_as_published) << 3
        | handling << 4
    )


def _encode_suback(packet: Suback, version: Version) -> bytes:
    codes = packet.reason_codes
    if not codes:
        raise violation("SUBACK without a code", "MQTT-3.9.3-1")
    head = _packet_id(packet.packet_id)
    if version is V5:
        head += write_properties(packet.properties, PacketType.SUBACK)
    for code in codes:
        check_reason(code, PacketType.SUBACK)  # [MQTT-3.9.3-2]
    if version is not V5:
        codes = [min(code, 0x80) for code in codes]  # [MQTT3-3.9.3-2]
    return _frame(PacketType.SUBACK, head + bytes(codes))


def _encode_unsubscribe(packet: Unsubscribe, version: Version) -> bytes:
    parts = [_packet_id(packet.packet_id)]
    if version is V5:
        parts.append(write_properties(packet.properties, PacketType.UNSUBSCRIBE))
    if not packet.filters:
        raise violation("UNSUBSCRIBE without a topic filter", "MQTT-3.10.3-2")  # [MQTT-3.10.3-2]
    for topic_filter in packet.filters:
        check_topic_filter(topic_filter)
        parts.append(write_name(topic_filter))
    return _frame(PacketType.UNSUBSCRIBE, b"".join(parts))


def _encode_unsuback(packet: Unsuback, version: Version) -> bytes:
    head = _packet_id(packet.packet_id)
    if version is not V5:
        return _frame(PacketType.UNSUBACK, head)
    if not packet.reason_codes:
        raise violation("UNSUBACK without a reason code", "MQTT-3.11.3-1")
    for code in packet.reason_codes:
        check_reason(code, PacketType.UNSUBACK)  # [MQTT-3.11.3-2]
    properties = write_properties(packet.properties, PacketType.UNSUBACK)
    return _frame(PacketType.UNSUBACK, head + properties + bytes(packet.reason_codes))


def _encode_pingreq(_packet: Pingreq, _version: Version) -> bytes:
    return b"\xc0\x00"


def _encode_pingresp(_packet: Pingresp, _version: Version) -> bytes:
    return b"\xd0\x00"


def _encode_disconnect(packet: Disconnect, version: Version) -> bytes:
    code = packet.reason_code
    if version is not V5 or not (code or packet.properties):
        return b"\xe0\x00"
    check_reason(code, PacketType.DISCONNECT)  # [MQTT-3.14.2-1]
    properties = write_properties(packet.properties, PacketType.DISCONNECT) if packet.properties else b""
    return _frame(PacketType.DISCONNECT, code.to_bytes() + properties)


def _encode_auth(packet: Auth, version: Version) -> bytes:
    if version is not V5:
        raise malformed("AUTH before MQTT 5", "MQTT5 2.1.2")
    code = packet.reason_code
    if not code and not packet.properties:
        return b"\xf0\x00"
    check_reason(code, PacketType.AUTH)  # [MQTT-3.15.2-1]
    if "authentication_method" not in packet.properties:
        raise violation("AUTH without an authentication method", "MQTT5 3.15.2.2.2")
    return _frame(PacketType.AUTH, code.to_bytes() + write_properties(packet.properties, PacketType.AUTH))


_ENCODERS: Final[dict[type[Packet], Callable[[Any, Version], bytes]]] = {
    Connect: _encode_connect,
    Connack: _encode_connack,
    Publish: _encode_publish,
    Puback: _encode_acknowledgement(PacketType.PUBACK),
    Pubrec: _encode_acknowledgement(PacketType.PUBREC),
    Pubrel: _encode_acknowledgement(PacketType.PUBREL),
    Pubcomp: _encode_acknowledgement(PacketType.PUBCOMP),
    Subscribe: _encode_subscribe,
    Suback: _encode_suback,
    Unsubscribe: _encode_unsubscribe,
    Unsuback: _encode_unsuback,
    Pingreq: _encode_pingreq,
    Pingresp: _encode_pingresp,
    Disconnect: _encode_disconnect,
    Auth: _encode_auth,
}
