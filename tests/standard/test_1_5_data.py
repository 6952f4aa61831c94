"""1.5 Data representation."""

import pytest

from bridge.mqtt import Publish, Version
from tests.mqtt.raw import pack, s
from tests.standard.peer import BOTH, V5, Server, rows_of
from tests.standard.proves import proves


@BOTH
@proves("MQTT3-1.5.3-1")
async def test_mqtt_1_5_4_1_ill_formed_strings_end_the_connection(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-1.5.4-1")


@BOTH
@proves("MQTT3-1.5.3-2")
async def test_mqtt_1_5_4_2_null_characters_end_the_connection(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-1.5.4-2")


@BOTH
@proves("MQTT3-1.5.3-3")
async def test_mqtt_1_5_4_3_a_byte_order_mark_is_a_character(server: Server, version: Version) -> None:
    marked = await server.subscribed("\ufeffa\ufeff", version=version)
    plain = await server.subscribed("a", version=version)
    sender = await server.client(version=version)
    sender.send_bytes(pack(0x30, s(b"\xef\xbb\xbfa\xef\xbb\xbf"), b"\0" if version is V5 else b"", b"x"))
    assert await marked.receive(Publish) == Publish("\ufeffa\ufeff", b"x")
    assert b"\xef\xbb\xbfa\xef\xbb\xbf" in marked.frames[-1]
    await sender.quiet()
    await plain.quiet()


async def test_mqtt_1_5_5_1_longer_integers_are_refused(server: Server) -> None:
    await server.refuses_clause(V5, "MQTT-1.5.5-1")


@proves("MQTT-1.5.5-1")
@pytest.mark.parametrize("size", [120, 121, 122, 123, 124, 16_370, 16_376, 16_377, 16_378, 16_379, 16_380])
async def test_integers_are_written_in_the_fewest_bytes(server: Server, size: int) -> None:
    """Around the lengths at which another byte is needed."""
    reader = await server.subscribed("a", 0)
    sender = await server.client()
    sender.publish("a", b"x" * size)
    await reader.receive(Publish)
    frame = reader.frames[-1]
    length_bytes = next(n for n in range(1, 5) if frame[n] < 0x80)
    body = 3 + 1 + size
    assert len(frame) == 1 + length_bytes + body
    assert length_bytes == 1 + (body > 127) + (body > 16_383)


@pytest.mark.parametrize("pair", [s(b"\xff") + s("v"), s("k") + s(b"\xff"), s(b"a\0") + s("v"), s("k") + s(b"a\0")])
async def test_mqtt_1_5_7_1_both_strings_of_a_pair_are_checked(server: Server, pair: bytes) -> None:
    sender = await server.client()
    sender.send_bytes(pack(0x30, s("a"), bytes([len(pair) + 1]) + b"\x26" + pair))
    assert await sender.ended() == 0x81


def test_the_table_of_invalid_packets_has_both_versions() -> None:
    """The tests above and in the other modules of this folder take their packets from it."""
    assert all(len(rows_of(version)) > 100 for version in (Version.V311, Version.V5))
