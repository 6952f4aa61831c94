"""The tables of raw packets, fed in every way a network can cut them."""

from collections import Counter
from collections.abc import Iterable

import pytest

from bridge.mqtt import Connect, Decoder, Packet, Pingreq, Pingresp, ProtocolError, Side, Version, encode
from tests.mqtt.packets_table import INVALID, VALID, Invalid, Valid


def _every(rows: Iterable[Valid | Invalid]) -> pytest.MarkDecorator:
    cases: list[tuple[Valid | Invalid, Version | None]] = []
    for row in rows:
        cases += [(row, version) for version in row.versions] or [(row, None)]
    ids = [f"{row.name} {version.name if version else 'first'}" for row, version in cases]
    return pytest.mark.parametrize(("row", "version"), cases, ids=ids)


every_valid = _every(VALID)
every_invalid = _every(INVALID)
every_later_invalid = _every(row for row in INVALID if row.versions)


def _decoder(row: Valid, version: Version) -> Decoder:
    return Decoder() if isinstance(row.packet, Connect) else Decoder(version=version, side=row.side)


def _refusing(row: Invalid, version: Version | None) -> Decoder:
    # A row without a version is a first packet, unless its property list is that of a CONNECT.
    first = version is None or (row.raw[0] == 0x10 and row.side is Side.SERVER)
    return Decoder() if first else Decoder(version=version, side=row.side)


def _behind(side: Side) -> tuple[bytes, Packet]:
    return (b"\xc0\x00", Pingreq()) if side is Side.SERVER else (b"\xd0\x00", Pingresp())


def test_names_are_unique() -> None:
    names = Counter([row.name for row in VALID] + [row.name for row in INVALID])
    assert [name for name, count in names.items() if count > 1] == []


@every_valid
def test_valid_whole(row: Valid, version: Version) -> None:
    assert list(_decoder(row, version).feed(row.raw)) == [row.packet]


@pytest.mark.slow
@every_valid
def test_valid_byte_by_byte(row: Valid, version: Version) -> None:
    decoder = _decoder(row, version)
    for position in range(len(row.raw) - 1):
        assert list(decoder.feed(row.raw[position : position + 1])) == []
    assert list(decoder.feed(row.raw[-1:])) == [row.packet]


@pytest.mark.slow
@every_valid
def test_valid_cut_anywhere(row: Valid, version: Version) -> None:
    step = max(1, len(row.raw) // 64)
    for cut in (*range(0, len(row.raw), step), len(row.raw) - 1):
        decoder = _decoder(row, version)
        assert list(decoder.feed(row.raw[:cut])) == []
        assert list(decoder.feed(row.raw[cut:])) == [row.packet]


@pytest.mark.slow
@every_valid
def test_valid_with_more_behind(row: Valid, version: Version) -> None:
    raw, packet = _behind(row.side)
    decoder = _decoder(row, version)
    assert list(decoder.feed(row.raw + raw + row.raw + raw[:1])) == [row.packet, packet, row.packet]
    assert list(decoder.feed(raw[1:])) == [packet]


@every_valid
def test_valid_encoded(row: Valid, version: Version) -> None:
    assert (encode(row.packet, version) == row.raw) is row.canonical


@every_invalid
def test_invalid_whole(row: Invalid, version: Version | None) -> None:
    with pytest.raises(ProtocolError) as caught:
        list(_refusing(row, version).feed(row.raw))
    assert (caught.value.reason_code, caught.value.clause) == (row.reason, row.clause)


@pytest.mark.slow
@every_invalid
def test_invalid_byte_by_byte(row: Invalid, version: Version | None) -> None:
    decoder = _refusing(row, version)
    refused_after = row.refused_after or len(row.raw)
    for position in range(refused_after - 1):
        assert list(decoder.feed(row.raw[position : position + 1])) == []
    with pytest.raises(ProtocolError) as caught:
        list(decoder.feed(row.raw[refused_after - 1 : refused_after]))
    assert (caught.value.reason_code, caught.value.clause) == (row.reason, row.clause)


@pytest.mark.slow
@every_later_invalid
def test_invalid_behind_a_valid_one(row: Invalid, version: Version) -> None:
    raw, packet = _behind(row.side)
    stream = Decoder(version=version, side=row.side).feed(raw + row.raw + raw)
    assert next(stream) == packet
    with pytest.raises(ProtocolError):
        next(stream)
