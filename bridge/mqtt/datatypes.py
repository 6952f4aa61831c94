"""The data types fields are made of [MQTT5 1.5]: bytes → value, and back.

A reader takes the bytes, where to start, and where the enclosing packet or property list ends; it returns the value and
where the next field starts. A field that reaches over the end is malformed: everything a packet needs is already there.
"""

import re

from bridge.mqtt.reasons import ProtocolError, ReasonCode

MAX_VARIABLE = 268_435_455
MAX_STRING = 65_535

_NON_CHARACTERS = "\ufdd0-\ufdef" + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_DISALLOWED = re.compile(f"[\x01-\x1f\x7f-\x9f{_NON_CHARACTERS}]")
"""Control characters and non-characters [MQTT5 1.5.4]."""


def malformed(message: str, clause: str) -> ProtocolError:
    return ProtocolError(ReasonCode.MALFORMED_PACKET, message, clause)


def violation(message: str, clause: str) -> ProtocolError:
    return ProtocolError(ReasonCode.PROTOCOL_ERROR, message, clause)


def short() -> ProtocolError:
    return malformed("a field reaches over the end of its packet or property list", "MQTT5 1.2")


def read_byte(data: bytes, pos: int, end: int) -> tuple[int, int]:
    if pos >= end:
        raise short()
    return data[pos], pos + 1


def read_u16(data: bytes, pos: int, end: int) -> tuple[int, int]:
    after = pos + 2
    if after > end:
        raise short()
    return data[pos] << 8 | data[pos + 1], after


def read_u32(data: bytes, pos: int, end: int) -> tuple[int, int]:
    after = pos + 4
    if after > end:
        raise short()
    return int.from_bytes(data[pos:after]), after


def read_variable(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """A Variable Byte Integer, in the fewest bytes that hold it."""
    value = 0
    for shift in (0, 7, 14, 21):
        if pos >= end:
            raise short()
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if not byte and shift:
                raise malformed("variable byte integer is longer than needed", "MQTT-1.5.5-1")  # [MQTT-1.5.5-1]
            return value, pos
    raise malformed("variable byte integer of more than four bytes", "MQTT5 1.5.5")


def read_binary(data: bytes, pos: int, end: int) -> tuple[bytes, int]:
    start = pos + 2
    if start > end:
        raise short()
    after = start + (data[pos] << 8 | data[pos + 1])
    if after > end:
        raise short()
    return data[start:after], after


def read_string(data: bytes, pos: int, end: int) -> tuple[str, int]:
    start = pos + 2
    if start > end:
        raise short()
    after = start + (data[pos] << 8 | data[pos + 1])
    if after > end:
        raise short()
    try:  # A byte order mark stays in the text [MQTT-1.5.4-3].
        value = data[start:after].decode()  # refuses overlong forms and surrogates [MQTT-1.5.4-1]
    except UnicodeDecodeError:
        raise malformed("string is not well-formed UTF-8", "MQTT-1.5.4-1") from None
    if "\0" in value:
        raise malformed("string contains U+0000", "MQTT-1.5.4-2")  # [MQTT-1.5.4-2]
    return value, after


def read_name(data: bytes, pos: int, end: int, unseemly: ReasonCode = ReasonCode.MALFORMED_PACKET) -> tuple[str, int]:
    """A string that names something: a topic, a filter, a client, a user. It should not contain control characters and
    non-characters, and a receiver may call it malformed if it does [MQTT5 1.5.4]; in what people read they do no harm.
    `unseemly`: what to call it otherwise.
    """
    name, pos = read_string(data, pos, end)
    if not name.isprintable():
        _check_name(name, unseemly)
    return name, pos


def _check_name(name: str, unseemly: ReasonCode = ReasonCode.MALFORMED_PACKET) -> None:
    if _DISALLOWED.search(name):
        raise ProtocolError(unseemly, "a name contains a control character or a non-character", "MQTT5 1.5.4")


def read_pair(data: bytes, pos: int, end: int) -> tuple[tuple[str, str], int]:
    name, pos = read_string(data, pos, end)
    value, pos = read_string(data, pos, end)  # [MQTT-1.5.7-1]
    return (name, value), pos


def write_byte(value: int) -> bytes:
    return _unsigned(value, 1)


def write_u16(value: int) -> bytes:
    return _unsigned(value, 2)


def write_u32(value: int) -> bytes:
    return _unsigned(value, 4)


def _unsigned(value: int, size: int) -> bytes:
    try:
        return value.to_bytes(size)
    except OverflowError:
        raise malformed(f"{value} does not fit into {size} bytes", "MQTT5 1.5") from None


def write_variable(value: int) -> bytes:
    if 0 <= value < 0x80:
        return value.to_bytes()
    if not 0 <= value <= MAX_VARIABLE:
        raise ProtocolError(
            ReasonCode.PACKET_TOO_LARGE, f"{value} does not fit into a variable byte integer", "MQTT5 1.5.5"
        )
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def write_binary(value: bytes) -> bytes:
    size = len(value)
    if size > MAX_STRING:
        raise malformed("binary data of more than 65,535 bytes", "MQTT5 1.5.6")
    return size.to_bytes(2) + value


def write_string(value: str) -> bytes:
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        raise malformed("string contains a lone surrogate", "MQTT-1.5.4-1") from None  # [MQTT-1.5.4-1]
    size = len(raw)
    if size > MAX_STRING:
        raise malformed("string of more than 65,535 bytes", "MQTT5 1.5.4")
    if "\0" in value:
        raise malformed("string contains U+0000", "MQTT-1.5.4-2")  # [MQTT-1.5.4-2]
    return size.to_bytes(2) + raw


def write_name(value: str) -> bytes:
    if not value.isprintable():
        _check_name(value)
    return write_string(value)


def write_pair(value: tuple[str, str]) -> bytes:
    return write_string(value[0]) + write_string(value[1])
