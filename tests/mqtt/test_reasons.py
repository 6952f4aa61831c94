from collections.abc import Callable

import pytest

from bridge.mqtt import Decoder, PacketType, ProtocolError, ReasonCode, ReturnCode, Side, Version, return_code
from tests.mqtt.raw import pack, props, s

CONNACK = "00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f"
PUBACK = "00 10 80 83 87 90 91 97 99"
PUBREL = "00 92"
SUBACK = "00 01 02 80 83 87 8f 91 97 9e a1 a2"
UNSUBACK = "00 11 80 83 87 8f 91"
DISCONNECT = "00 04 80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2"
AUTH = "00 18 19"

TABLE: dict[PacketType, tuple[str, str, Callable[[bytes], bytes]]] = {
    PacketType.CONNACK: (CONNACK, "MQTT-3.2.2-8", lambda code: pack(0x20, b"\0", code, b"\0")),
    PacketType.PUBACK: (PUBACK, "MQTT-3.4.2-1", lambda code: pack(0x40, b"\0\1", code)),
    PacketType.PUBREC: (PUBACK, "MQTT-3.5.2-1", lambda code: pack(0x50, b"\0\1", code)),
    PacketType.PUBREL: (PUBREL, "MQTT-3.6.2-1", lambda code: pack(0x62, b"\0\1", code)),
    PacketType.PUBCOMP: (PUBREL, "MQTT-3.7.2-1", lambda code: pack(0x70, b"\0\1", code)),
    PacketType.SUBACK: (SUBACK, "MQTT-3.9.3-2", lambda code: pack(0x90, b"\0\1\0", code)),
    PacketType.UNSUBACK: (UNSUBACK, "MQTT-3.11.3-2", lambda code: pack(0xB0, b"\0\1\0", code)),
    PacketType.DISCONNECT: (DISCONNECT, "MQTT-3.14.2-1", lambda code: pack(0xE0, code)),
    PacketType.AUTH: (AUTH, "MQTT-3.15.2-1", lambda code: pack(0xF0, code, props(b"\x15" + s("m")))),
}


@pytest.mark.parametrize("kind", TABLE)
def test_reason_codes_allowed_per_packet(kind: PacketType) -> None:
    codes, clause, raw = TABLE[kind]
    allowed = bytes.fromhex(codes)
    for code in range(256):
        stream = Decoder(version=Version.V5, side=Side.CLIENT).feed(raw(bytes([code])))
        if code in allowed:
            packet = next(stream)
            assert code == getattr(packet, "reason_code", code)
            assert [code] == getattr(packet, "reason_codes", [code])
        else:
            with pytest.raises(ProtocolError) as caught:
                next(stream)
            assert (caught.value.reason_code, caught.value.clause) == (ReasonCode.PROTOCOL_ERROR, clause)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (ReasonCode.SUCCESS, ReturnCode.ACCEPTED),
        (ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, ReturnCode.UNACCEPTABLE_PROTOCOL_VERSION),
        (ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, ReturnCode.IDENTIFIER_REJECTED),
        (ReasonCode.BAD_USER_NAME_OR_PASSWORD, ReturnCode.BAD_USER_NAME_OR_PASSWORD),
        (ReasonCode.NOT_AUTHORIZED, ReturnCode.NOT_AUTHORIZED),
        (ReasonCode.BANNED, ReturnCode.NOT_AUTHORIZED),
        (ReasonCode.BAD_AUTHENTICATION_METHOD, ReturnCode.NOT_AUTHORIZED),
        (ReasonCode.SERVER_UNAVAILABLE, ReturnCode.SERVER_UNAVAILABLE),
        (ReasonCode.SERVER_BUSY, ReturnCode.SERVER_UNAVAILABLE),
        (ReasonCode.QUOTA_EXCEEDED, ReturnCode.SERVER_UNAVAILABLE),
        (0xFF, ReturnCode.SERVER_UNAVAILABLE),
    ],
)
def test_return_codes(reason: int, code: ReturnCode) -> None:
    assert return_code(reason) is code
    assert return_code(int(reason)) is code
