"""What holds for any packet and for any bytes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.mqtt import Connect, Decoder, Packet, ProtocolError, Side, Version, encode
from tests.mqtt import strategies
from tests.mqtt.packets_table import VALID, Valid

# The strategies nest deeply, so that drawing takes most of the time.
many = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
versions = st.sampled_from(Version)


def drain(decoder: Decoder, data: bytes) -> list[Packet]:
    """The packets that come, whether or not a refusal stands behind them."""
    packets = []
    try:
        for packet in decoder.feed(data):
            packets.append(packet)
    except ProtocolError:
        pass
    return packets


@st.composite
def streams(draw: st.DrawFn) -> tuple[Version, Side, list[Packet]]:
    version, side = draw(versions), draw(st.sampled_from(Side))
    if side is Side.CLIENT:
        return version, side, draw(st.lists(strategies.from_server(version), min_size=1, max_size=4))
    connect = draw(strategies.connects(version))
    return version, side, [connect, *draw(st.lists(strategies.from_client(version), max_size=3))]


def reader(version: Version, side: Side) -> Decoder:
    return Decoder() if side is Side.SERVER else Decoder(version=version, side=side)


@pytest.mark.slow
@many
@given(streams(), st.data())
def test_round_trip_under_any_split(stream: tuple[Version, Side, list[Packet]], data: st.DataObject) -> None:
    version, side, packets = stream
    raw = b"".join(encode(packet, version) for packet in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    decoder = reader(version, side)
    got: list[Packet] = []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        got += decoder.feed(raw[start:end])
    assert got == packets
    assert decoder.version is version


@many
@given(versions, st.sampled_from(Side), st.binary(max_size=60))
def test_random_bytes_raise_nothing_else(version: Version, side: Side, data: bytes) -> None:
    drain(Decoder(version=version, side=side), data)
    drain(Decoder(), data)
    drain(Decoder(), b"\x10" + bytes([len(data)]) + data)


@many
@given(versions, st.sampled_from(Side), st.integers(0, 255), st.binary(max_size=60))
def test_random_bodies_raise_nothing_else(version: Version, side: Side, first: int, body: bytes) -> None:
    drain(Decoder(version=version, side=side), bytes([first, len(body)]) + body)


@many
@given(st.sampled_from([row for row in VALID if len(row.raw) < 300]), versions, st.data())
def test_mutated_packets_raise_nothing_else(row: Valid, version: Version, data: st.DataObject) -> None:
    raw = bytearray(row.raw)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    first = isinstance(row.packet, Connect)
    packets = drain(Decoder() if first else Decoder(version=version, side=row.side), bytes(raw))
    for packet in packets:  # what is accepted can be said again
        encode(packet, packet.version if isinstance(packet, Connect) else version)


@many
@given(st.binary(max_size=80), st.lists(st.integers(0, 80), max_size=5), versions)
def test_random_bytes_mean_the_same_under_any_split(data: bytes, cuts: list[int], version: Version) -> None:
    whole = drain(Decoder(version=version), data)
    decoder = Decoder(version=version)
    got: list[Packet] = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        got += drain(decoder, data[start:end])
    assert got == whole
