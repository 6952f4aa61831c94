from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mqtt import (
    Auth,
    Connack,
    Connect,
    Decoder,
    Disconnect,
    Packet,
    Properties,
    ProtocolError,
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
    Version,
    Will,
    encode,
    encode_publish_parts,
)
from tests.mqtt.strategies import packet_ids, publishes

V31, V311, V5 = Version
MALFORMED = ReasonCode.MALFORMED_PACKET
PROTOCOL = ReasonCode.PROTOCOL_ERROR
LONG = "x" * 65_536
WIDE = "€" * 21_846
"""65,538 bytes of UTF-8."""

BAD_TEXT = [("\0", "MQTT-1.5.4-2"), ("\ud800", "MQTT-1.5.4-1"), (LONG, "MQTT5 1.5.4"), (WIDE, "MQTT5 1.5.4")]

REFUSED: list[tuple[Packet, tuple[Version, ...], ReasonCode, str]] = [
    (Connect(V311, "d", password=b"p"), (V311,), MALFORMED, "MQTT3-3.1.2-22"),
    (Connect(V31, "d", password=b"p"), (V31,), MALFORMED, "MQTT3-3.1.2-22"),
    (Connect(V5, "d", keep_alive=65_536), (V5,), MALFORMED, "MQTT5 1.5"),
    (Connect(V5, "d", keep_alive=-1), (V5,), MALFORMED, "MQTT5 1.5"),
    (Connect(V5, "d", password=bytes(65_536)), (V5,), MALFORMED, "MQTT5 1.5.6"),
    (Connect(V5, "d", will=Will("a", bytes(65_536))), (V5,), MALFORMED, "MQTT5 1.5.6"),
    (Connect(V5, "d", will=Will("", b"")), (V5,), MALFORMED, "MQTT-4.7.3-1"),
    (Connect(V5, "d", will=Will("a/#", b"")), (V5,), MALFORMED, "MQTT-3.3.2-2"),
    (Connect(V5, "d", will=Will("a", b"", 3)), (V5,), MALFORMED, "MQTT-3.3.1-4"),
    (Connect(V5, "d", properties={"authentication_data": b"x"}), (V5,), PROTOCOL, "MQTT5 3.1.2.11.10"),
    *((Connect(version, text), (version,), MALFORMED, clause) for version in Version for text, clause in BAD_TEXT),
    *((Connect(V311, "d", username=text), (V311,), MALFORMED, clause) for text, clause in BAD_TEXT),
    (Connack(True, 0x87), (V5,), PROTOCOL, "MQTT-3.2.2-6"),
    (Connack(True, 5), (V311,), PROTOCOL, "MQTT-3.2.2-6"),
    (Connack(False, 5), (V5,), PROTOCOL, "MQTT-3.2.2-8"),
    *((Publish(text), tuple(Version), MALFORMED, clause) for text, clause in BAD_TEXT),
    (Publish("a/+"), tuple(Version), MALFORMED, "MQTT-3.3.2-2"),
    (Publish("#"), tuple(Version), MALFORMED, "MQTT-3.3.2-2"),
    (Publish(""), (V31, V311), MALFORMED, "MQTT-4.7.3-1"),
    (Publish(""), (V5,), PROTOCOL, "MQTT5 3.3.2.1"),
    (Publish("a", dup=True), tuple(Version), MALFORMED, "MQTT-3.3.1-2"),
    (Publish("a", qos=3, packet_id=1), tuple(Version), MALFORMED, "MQTT-3.3.1-4"),
    (Publish("a", qos=-1, packet_id=1), tuple(Version), MALFORMED, "MQTT-3.3.1-4"),
    (Publish("a", bytes(268_435_453)), (V311,), ReasonCode.PACKET_TOO_LARGE, "MQTT5 1.5.5"),
    *(
        (packet, tuple(Version), PROTOCOL, "MQTT-2.2.1-3")
        for packet_id in (0, -1, 65_536)
        for packet in (
            Publish("a", qos=1, packet_id=packet_id),
            Puback(packet_id),
            Pubrec(packet_id),
            Pubrel(packet_id),
            Pubcomp(packet_id),
            Subscribe(packet_id, [Subscription("a")]),
            Suback(packet_id, [0]),
            Unsubscribe(packet_id, ["a"]),
            Unsuback(packet_id, [0]),
        )
    ),
    (Puback(1, 0x92), (V5,), PROTOCOL, "MQTT-3.4.2-1"),
    (Puback(1, 256), (V5,), PROTOCOL, "MQTT-3.4.2-1"),
    (Pubrec(1, 1), (V5,), PROTOCOL, "MQTT-3.5.2-1"),
    (Pubrel(1, 0x80), (V5,), PROTOCOL, "MQTT-3.6.2-1"),
    (Pubcomp(1, 0x80), (V5,), PROTOCOL, "MQTT-3.7.2-1"),
    (Subscribe(1, []), tuple(Version), PROTOCOL, "MQTT-3.8.3-2"),
    (Subscribe(1, [Subscription("a#")]), tuple(Version), MALFORMED, "MQTT-4.7.1-1"),
    (Subscribe(1, [Subscription("a", 3)]), tuple(Version), MALFORMED, "MQTT-3.3.1-4"),
    (Subscribe(1, [Subscription("a", retain_handling=3)]), (V5,), PROTOCOL, "MQTT5 3.8.3.1"),
    (Subscribe(1, [Subscription("$share/g/a", no_local=True)]), (V5,), PROTOCOL, "MQTT-3.8.3-4"),
    (Suback(1, []), tuple(Version), PROTOCOL, "MQTT-3.9.3-1"),
    (Suback(1, [3]), tuple(Version), PROTOCOL, "MQTT-3.9.3-2"),
    (Unsubscribe(1, []), tuple(Version), PROTOCOL, "MQTT-3.10.3-2"),
    (Unsubscribe(1, ["a", "+b"]), tuple(Version), MALFORMED, "MQTT-4.7.1-2"),
    (Unsuback(1, []), (V5,), PROTOCOL, "MQTT-3.11.3-1"),
    (Unsuback(1, [0x10]), (V5,), PROTOCOL, "MQTT-3.11.3-2"),
    (Disconnect(0x86), (V5,), PROTOCOL, "MQTT-3.14.2-1"),
    (Auth(), (V31, V311), MALFORMED, "MQTT5 2.1.2"),
    (Auth(1), (V5,), PROTOCOL, "MQTT-3.15.2-1"),
    (Auth(0x18), (V5,), PROTOCOL, "MQTT5 3.15.2.2.2"),
]

BAD_PROPERTIES: list[tuple[Packet, ReasonCode, str]] = [
    (Puback(1, properties={"topic_alias": 1}), MALFORMED, "MQTT5 2.2.2.2"),
    (Publish("a", properties={"topic_alias": 0}), ReasonCode.TOPIC_ALIAS_INVALID, "MQTT-3.3.2-8"),
    (Publish("a", properties={"topic_alias": 65_536}), MALFORMED, "MQTT5 1.5"),
    (Publish("a", properties={"message_expiry_interval": -1}), MALFORMED, "MQTT5 1.5"),
    (Publish("a", properties={"message_expiry_interval": 1 << 32}), MALFORMED, "MQTT5 1.5"),
    (Publish("a", properties={"payload_format_indicator": 2}), PROTOCOL, "MQTT5 3.3.2.3.2"),
    (Publish("a", properties={"response_topic": "a/#"}), PROTOCOL, "MQTT-3.3.2-14"),
    (Publish("a", properties={"content_type": LONG}), MALFORMED, "MQTT5 1.5.4"),
    (Publish("a", properties={"correlation_data": bytes(65_536)}), MALFORMED, "MQTT5 1.5.6"),
    (Publish("a", properties={"user_properties": [("k", "\0")]}), MALFORMED, "MQTT-1.5.4-2"),
    (Publish("a", properties={"user_properties": [("\udfff", "")]}), MALFORMED, "MQTT-1.5.4-1"),
    (Publish("a", properties={"subscription_identifiers": [0]}), PROTOCOL, "MQTT5 3.8.2.1.2"),
    (Publish("a", properties={"subscription_identifiers": [1 << 28]}), ReasonCode.PACKET_TOO_LARGE, "MQTT5 1.5.5"),
    (
        Subscribe(1, [Subscription("a")], {"subscription_identifiers": [1, 2]}),
        PROTOCOL,
        "MQTT5 3.8.2.1.2",
    ),
]


@pytest.mark.parametrize(
    ("packet", "version", "reason", "clause"),
    [(packet, version, reason, clause) for packet, versions, reason, clause in REFUSED for version in versions],
)
def test_what_cannot_be_said_is_refused(packet: Packet, version: Version, reason: ReasonCode, clause: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        encode(packet, version)
    assert (caught.value.reason_code, caught.value.clause) == (reason, clause)


@pytest.mark.parametrize(("packet", "reason", "clause"), BAD_PROPERTIES)
def test_bad_properties_are_refused(packet: Packet, reason: ReasonCode, clause: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        encode(packet, V5)
    assert (caught.value.reason_code, caught.value.clause) == (reason, clause)


@pytest.mark.parametrize("version", [V31, V311])
def test_older_versions_leave_properties_and_reasons_out(version: Version) -> None:
    why: Properties = {"reason_string": "why"}
    for packet, bare in (
        (Publish("a", properties={"content_type": "t"}), Publish("a")),
        (Connack(False, 0, why), Connack(False, 0)),
        (Puback(1, 0x87, why), Puback(1)),
        (Pubrel(1, 0x92, why), Pubrel(1)),
        (Suback(1, [1], why), Suback(1, [1])),
        (Unsuback(1, [0x11], why), Unsuback(1, [])),
    ):
        assert list(Decoder(version=version, side=Side.CLIENT).feed(encode(packet, version))) == [bare]
    assert encode(Disconnect(0x8B, why), version) == b"\xe0\x00"


def test_a_connect_carries_its_own_version() -> None:
    assert encode(Connect(V31, "d"), V5) == encode(Connect(V31, "d"), V31)


def test_session_present_is_new_in_311() -> None:
    assert encode(Connack(True, 0), V31) == b"\x20\x02\x00\x00"
    assert encode(Connack(True, 0), V311) == b"\x20\x02\x01\x00"


@pytest.mark.parametrize(("reason", "code"), [(0x84, 1), (0x85, 2), (0x88, 3), (0x86, 4), (0x87, 5), (4, 4), (99, 3)])
def test_connack_of_older_versions_takes_reason_codes(reason: int, code: int) -> None:
    assert encode(Connack(False, reason), V311) == bytes([0x20, 2, 0, code])


def test_suback_of_older_versions_knows_one_failure() -> None:
    assert encode(Suback(1, [0, 2, 0x87, 0x80, 0xA2]), V311) == b"\x90\x07\x00\x01\x00\x02\x80\x80\x80"


def test_subscribe_of_older_versions_keeps_only_the_qos() -> None:
    packet = Subscribe(1, [Subscription("$share/g/a", 1, True, True, 2)], {"subscription_identifiers": [1]})
    assert encode(packet, V311) == encode(Subscribe(1, [Subscription("$share/g/a", 1)]), V311)


def test_an_empty_list_of_properties_is_no_property() -> None:
    empty: Properties = {"user_properties": []}
    assert encode(Publish("a", properties=empty), V5) == encode(Publish("a"), V5)


def test_flags_may_be_any_truth() -> None:
    assert encode(Publish("a", retain=1, qos=1, dup=1, packet_id=1), V5)[0] == 0x3B  # type: ignore[arg-type]


def test_the_packet_id_of_qos_0_is_not_written() -> None:
    assert encode(Publish("a", packet_id=7), V311) == b"\x30\x03\x00\x01a"


@pytest.mark.parametrize("version", Version)
@given(st.data())
def test_a_packet_id_fits_between_the_parts(version: Version, data: st.DataObject) -> None:
    """Of a message to many, whatever its length."""
    publish = data.draw(publishes(version, from_server=True).filter(lambda publish: publish.qos > 0))
    publish.payload *= data.draw(st.sampled_from([1, 100, 10_000]))
    packet_id = data.draw(packet_ids)
    head, tail = encode_publish_parts(publish, version)
    assert head + packet_id.to_bytes(2) + tail == encode(replace(publish, packet_id=packet_id), version)


def test_parts_of_what_cannot_be_said() -> None:
    with pytest.raises(ProtocolError):
        encode_publish_parts(Publish("a/+", qos=1), V5)
