import tracemalloc

import pytest

from bridge.mqtt import (
    Connect,
    Decoder,
    Disconnect,
    Packet,
    Pingreq,
    ProtocolError,
    Puback,
    Publish,
    ReasonCode,
    Side,
    Version,
    Will,
    encode,
)
from tests.mqtt.packets_table import invalid, valid

V31, V311, V5 = Version
PINGREQ = b"\xc0\x00"


def collect(decoder: Decoder, data: bytes) -> tuple[list[Packet], ProtocolError | None]:
    packets = []
    try:
        for packet in decoder.feed(data):
            packets.append(packet)
    except ProtocolError as error:
        return packets, error
    return packets, None


@pytest.mark.parametrize("version", Version)
def test_connect_decides_the_form_of_what_stands_behind_it_in_the_same_chunk(version: Version) -> None:
    connect = Connect(version, "dev")
    publish = Publish("a", b"\x00payload", 1, packet_id=7)
    decoder = Decoder()
    assert decoder.version is None
    raw = encode(connect, version) + encode(publish, version)
    assert list(decoder.feed(raw)) == [connect, publish]
    assert decoder.version is version


def test_a_second_connect_is_for_the_session_to_refuse() -> None:
    decoder = Decoder()
    first, second = Connect(V5, "a"), Connect(V311, "b")
    assert list(decoder.feed(encode(first, V5) + encode(second, V311))) == [first, second]
    assert decoder.version is V5


def test_packets_before_a_broken_one_are_yielded_first() -> None:
    packets, error = collect(Decoder(version=V5), PINGREQ + encode(Puback(3), V5) + b"\xd0\x00" + PINGREQ)
    assert packets == [Pingreq(), Puback(3)]
    assert error is not None
    assert error.reason_code is ReasonCode.PROTOCOL_ERROR


def test_a_broken_decoder_stays_broken() -> None:
    decoder = Decoder(version=V5)
    _, error = collect(decoder, b"\x00")
    assert error is not None
    for data in (PINGREQ, b"", b"\xff"):
        packets, again = collect(decoder, data)
        assert packets == []
        assert again is not None
        assert (again.reason_code, again.clause) == (error.reason_code, error.clause)


def test_an_iterator_given_up_early_leaves_the_rest() -> None:
    decoder = Decoder(version=V5)
    stream = decoder.feed(encode(Puback(1), V5) + encode(Puback(2), V5) + encode(Puback(3), V5)[:3])
    assert next(stream) == Puback(1)
    del stream
    assert list(decoder.feed(b"")) == [Puback(2)]
    assert list(decoder.feed(b"\x03" + PINGREQ)) == [Puback(3), Pingreq()]


@pytest.mark.parametrize("name", ["connect level 6", "connect bridge bit", "connect level 0"])
def test_the_level_of_a_refused_connect_is_kept(name: str) -> None:
    decoder = Decoder()
    row = invalid(name)
    _, error = collect(decoder, row.raw)
    assert error is not None
    assert error.reason_code is ReasonCode.UNSUPPORTED_PROTOCOL_VERSION
    assert decoder.version is None
    name_length = row.raw[3]
    assert decoder.requested_level == row.raw[4 + name_length]


def test_whoever_speaks_another_protocol_asks_for_no_level() -> None:
    decoder = Decoder()
    assert collect(decoder, invalid("connect other name").raw)[1] is not None
    assert decoder.requested_level is None


@pytest.mark.parametrize(("name", "level"), [("connect v5 will qos 3", 5), ("connect v31 will qos 3", 3)])
def test_the_level_of_a_malformed_connect_is_kept_too(name: str, level: int) -> None:
    decoder = Decoder()
    collect(decoder, invalid(name).raw)
    assert decoder.requested_level == level


@pytest.mark.parametrize("name", ["connect empty", "connect without level", "first packet 0x30"])
def test_no_level_where_none_was_read(name: str) -> None:
    decoder = Decoder()
    assert collect(decoder, invalid(name).raw)[1] is not None
    assert decoder.requested_level is None


def test_a_client_has_to_know_the_version() -> None:
    with pytest.raises(ValueError, match="version"):
        Decoder(side=Side.CLIENT)


@pytest.mark.parametrize(("side", "clause"), [(Side.SERVER, "MQTT-3.2.2-15"), (Side.CLIENT, "MQTT-3.1.2-24")])
def test_packet_size_counts_the_fixed_header(side: Side, clause: str) -> None:
    raw = encode(Publish("a", bytes(200)), V5)
    assert len(list(Decoder(version=V5, side=side, max_packet_size=len(raw)).feed(raw))) == 1
    _, error = collect(Decoder(version=V5, side=side, max_packet_size=len(raw) - 1), raw)
    assert error is not None
    assert (error.reason_code, error.clause) == (ReasonCode.PACKET_TOO_LARGE, clause)


def test_a_packet_too_large_is_refused_by_its_header() -> None:
    decoder = Decoder(max_packet_size=1024)
    for byte in b"\x10\xff\xff":
        assert collect(decoder, bytes([byte])) == ([], None)
    _, error = collect(decoder, b"\x7f")
    assert error is not None
    assert error.reason_code is ReasonCode.PACKET_TOO_LARGE


def test_the_largest_packet_there_is_may_begin() -> None:
    assert collect(Decoder(version=V5), b"\x30\xff\xff\xff\x7f") == ([], None)


def test_other_protocols_are_refused_by_their_first_byte() -> None:
    for start in (b"GET / HTTP/1.1", b"\x16\x03\x01", b"SSH-2.0", b"\x00"):  # HTTP, TLS, SSH
        assert collect(Decoder(), start[:1])[1] is not None


def test_nothing_comes_of_nothing() -> None:
    assert list(Decoder().feed(b"")) == []


def test_a_large_packet_in_single_bytes() -> None:
    # Copying what is there for every byte would move 11 GB.
    packet = Publish("a/b", bytes(range(256)) * 600, 1, packet_id=9)
    raw = encode(packet, V311)
    decoder = Decoder(version=V311)
    got: list[Packet] = []
    for byte in raw:
        got += decoder.feed(bytes((byte,)))
    assert got == [packet]


def test_an_idle_decoder_is_small() -> None:
    raw = encode(Publish("a", bytes(5000)), V5)
    decoders = [Decoder() for _ in range(200)]
    tracemalloc.start()
    try:
        for number in range(len(decoders)):
            decoder = decoders[number] = Decoder(version=V5)
            list(decoder.feed(raw[:3000]))
            list(decoder.feed(raw[3000:] + PINGREQ))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 200 * 300


def test_errors_name_the_clause_and_hide_the_password() -> None:
    error = ProtocolError(ReasonCode.PROTOCOL_ERROR, "it broke", "MQTT-1.2.3-4")
    assert str(error) == "it broke [MQTT-1.2.3-4]"
    assert str(ProtocolError(ReasonCode.PROTOCOL_ERROR, "it broke")) == "it broke"
    assert "secret" not in repr(Connect(V5, "dev", username="u", password=b"secret", will=Will("a", b"")))


def test_rows_can_be_picked_by_name() -> None:
    assert valid("disconnect").packet == Disconnect()
    assert invalid("pingreq bytes behind").reason is ReasonCode.MALFORMED_PACKET
