"""The 27 properties as a table [MQTT5 2.2.2.2], and the property list of a packet read and written by it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bridge.mqtt import datatypes
from bridge.mqtt.datatypes import malformed, read_variable, short, violation, write_variable
from bridge.mqtt.packets import PacketType
from bridge.mqtt.properties import Properties
from bridge.mqtt.reasons import ProtocolError, ReasonCode

WILL: Final = 0
"""The will has its own property list inside CONNECT; no packet has type 0."""

Value = int | str | bytes | tuple[str, str]
Read = Callable[[bytes, int, int], tuple[Value, int]]
Write = Callable[[Any], bytes]
DataType = tuple[Read, Write]

BYTE: Final[DataType] = (datatypes.read_byte, datatypes.write_byte)
U16: Final[DataType] = (datatypes.read_u16, datatypes.write_u16)
U32: Final[DataType] = (datatypes.read_u32, datatypes.write_u32)
VARIABLE: Final[DataType] = (datatypes.read_variable, datatypes.write_variable)
BINARY: Final[DataType] = (datatypes.read_binary, datatypes.write_binary)
STRING: Final[DataType] = (datatypes.read_string, datatypes.write_string)
PAIR: Final[DataType] = (datatypes.read_pair, datatypes.write_pair)

CONNECT: Final = frozenset({PacketType.CONNECT})
CONNACK: Final = frozenset({PacketType.CONNACK})
PUBLISH: Final = frozenset({PacketType.PUBLISH})
SUBSCRIBE: Final = frozenset({PacketType.SUBSCRIBE})
DISCONNECT: Final = frozenset({PacketType.DISCONNECT})
HANDSHAKE: Final = CONNECT | CONNACK
LOGIN: Final = HANDSHAKE | {PacketType.AUTH}
MESSAGE: Final = PUBLISH | {WILL}
ALL: Final = frozenset(PacketType) - {PacketType.PINGREQ, PacketType.PINGRESP} | {WILL}
ANSWERS: Final = ALL - CONNECT - MESSAGE - SUBSCRIBE - {PacketType.UNSUBSCRIBE}


def _not_boolean(value: int) -> bool:
    return value > 1


def _zero(value: int) -> bool:
    return value == 0


def _not_a_topic(value: str) -> bool:
    return not value or "+" in value or "#" in value


@dataclass(frozen=True, slots=True)
class PropertyRule:
    """One row of the table."""

    identifier: int
    name: str
    datatype: DataType
    holders: frozenset[int]
    """Packet types that may carry it; `WILL` for the will."""
    clause: str
    """Where MQTT 5 says what a value may be, and that it stands once."""
    refuses: Callable[[Any], bool] | None = None
    reason: ReasonCode = ReasonCode.PROTOCOL_ERROR
    """Of a value that is refused."""
    listed: bool = False
    repeats_in: frozenset[int] = frozenset()


RULES: Final = (
    PropertyRule(0x01, "payload_format_indicator", BYTE, MESSAGE, "MQTT5 3.3.2.3.2", _not_boolean),
    PropertyRule(0x02, "message_expiry_interval", U32, MESSAGE, "MQTT5 3.3.2.3.3"),
    PropertyRule(0x03, "content_type", STRING, MESSAGE, "MQTT5 3.3.2.3.9"),  # [MQTT-3.3.2-19]
    PropertyRule(0x08, "response_topic", STRING, MESSAGE, "MQTT-3.3.2-14", _not_a_topic),  # [MQTT-3.3.2-13]
    PropertyRule(0x09, "correlation_data", BINARY, MESSAGE, "MQTT5 3.3.2.3.6"),
    PropertyRule(
        0x0B,
        "subscription_identifiers",
        VARIABLE,
        PUBLISH | SUBSCRIBE,
        "MQTT5 3.8.2.1.2",
        _zero,
        listed=True,
        repeats_in=PUBLISH,
    ),
    PropertyRule(0x11, "session_expiry_interval", U32, HANDSHAKE | DISCONNECT, "MQTT5 3.1.2.11.2"),
    PropertyRule(0x12, "assigned_client_identifier", STRING, CONNACK, "MQTT5 3.2.2.3.7"),
    PropertyRule(0x13, "server_keep_alive", U16, CONNACK, "MQTT5 3.2.2.3.14"),
    PropertyRule(0x15, "authentication_method", STRING, LOGIN, "MQTT5 3.1.2.11.9"),
    PropertyRule(0x16, "authentication_data", BINARY, LOGIN, "MQTT5 3.1.2.11.10"),
    PropertyRule(0x17, "request_problem_information", BYTE, CONNECT, "MQTT5 3.1.2.11.7", _not_boolean),
    PropertyRule(0x18, "will_delay_interval", U32, frozenset({WILL}), "MQTT5 3.1.3.2.2"),
    PropertyRule(0x19, "request_response_information", BYTE, CONNECT, "MQTT5 3.1.2.11.6", _not_boolean),
    PropertyRule(0x1A, "response_information", STRING, CONNACK, "MQTT5 3.2.2.3.15"),
    PropertyRule(0x1C, "server_reference", STRING, CONNACK | DISCONNECT, "MQTT5 3.2.2.3.16"),
    PropertyRule(0x1F, "reason_string", STRING, ANSWERS, "MQTT5 3.2.2.3.9"),
    PropertyRule(0x21, "receive_maximum", U16, HANDSHAKE, "MQTT5 3.1.2.11.3", _zero),
    PropertyRule(0x22, "topic_alias_maximum", U16, HANDSHAKE, "MQTT5 3.1.2.11.5"),
    PropertyRule(0x23, "topic_alias", U16, PUBLISH, "MQTT-3.3.2-8", _zero, ReasonCode.TOPIC_ALIAS_INVALID),
    PropertyRule(0x24, "maximum_qos", BYTE, CONNACK, "MQTT5 3.2.2.3.4", _not_boolean),
    PropertyRule(0x25, "retain_available", BYTE, CONNACK, "MQTT5 3.2.2.3.5", _not_boolean),
    PropertyRule(0x26, "user_properties", PAIR, ALL, "MQTT-1.5.7-1", listed=True, repeats_in=ALL),
    PropertyRule(0x27, "maximum_packet_size", U32, HANDSHAKE, "MQTT5 3.1.2.11.4", _zero),
    PropertyRule(0x28, "wildcard_subscription_available", BYTE, CONNACK, "MQTT5 3.2.2.3.11", _not_boolean),
    PropertyRule(0x29, "subscription_identifier_available", BYTE, CONNACK, "MQTT5 3.2.2.3.12", _not_boolean),
    PropertyRule(0x2A, "shared_subscription_available", BYTE, CONNACK, "MQTT5 3.2.2.3.13", _not_boolean),
)

ReadRules = dict[int, PropertyRule]
"""By identifier: what one kind of packet may carry."""

_BY_HOLDER: Final[dict[int, ReadRules]] = {
    holder: {rule.identifier: rule for rule in RULES if holder in rule.holders} for holder in ALL
}
_BY_NAME: Final[dict[int, dict[str, PropertyRule]]] = {
    holder: {rule.name: rule for rule in RULES if holder in rule.holders} for holder in ALL
}


def rules_for(holder: int) -> ReadRules:
    return _BY_HOLDER[holder]


def read_properties(data: bytes, pos: int, end: int, holder: int, rules: ReadRules) -> tuple[Properties, int]:
    length, pos = read_variable(data, pos, end)  # [MQTT-2.2.2-1]
    stop = pos + length
    if stop > end:
        raise short()
    found: dict[str, Any] = {}
    while pos < stop:
        rule = rules.get(data[pos])
        if rule is None:
            raise malformed(f"property 0x{data[pos]:02x} does not belong here", "MQTT5 2.2.2.2")
        value, pos = rule.datatype[0](data, pos + 1, stop)
        if rule.refuses is not None and rule.refuses(value):
            raise ProtocolError(rule.reason, f"{rule.name} is {value!r:.60}", rule.clause)
        name = rule.name
        if name in found:
            if holder not in rule.repeats_in:
                raise violation(f"{name} stands twice", rule.clause)
            found[name].append(value)
        else:
            found[name] = [value] if rule.listed else value
    return found, pos  # type: ignore[return-value]  # keys and values come from the table


def write_properties(properties: Properties, holder: int) -> bytes:
    if not properties:
        return b"\0"  # [MQTT-2.2.2-1]
    rules = _BY_NAME[holder]
    parts = bytearray()
    for name, value in properties.items():
        rule = rules.get(name)
        if rule is None:
            raise malformed(f"property {name} does not belong here", "MQTT5 2.2.2.2")
        values: Any = value if rule.listed else (value,)
        if len(values) > 1 and holder not in rule.repeats_in:
            raise violation(f"{name} stands twice", rule.clause)
        write, refuses = rule.datatype[1], rule.refuses
        for single in values:
            if refuses is not None and refuses(single):
                raise ProtocolError(rule.reason, f"{name} is {single!r:.60}", rule.clause)
            parts.append(rule.identifier)
            parts += write(single)
    return write_variable(len(parts)) + parts


def check_authentication(properties: Properties) -> None:
    if "authentication_data" in properties and "authentication_method" not in properties:
        raise violation("authentication data without a method", "MQTT5 3.1.2.11.10")
