"""2 Control packet format: flags, packet identifiers, property lists."""

import pytest

from bridge.mqtt import (
    Connack,
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
)
from tests.mqtt.packets_table import INVALID
from tests.mqtt.raw import pack, s
from tests.standard.peer import BOTH, V5, Server
from tests.standard.proves import proves


@BOTH
@proves("MQTT3-2.2.2-1", "MQTT3-2.2.2-2")
async def test_mqtt_2_1_3_1_reserved_flags_end_the_connection(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-2.1.3-1")


@proves("MQTT-2.1.3-1", "MQTT3-2.2.2-1", "MQTT3-2.2.2-2")
async def test_reserved_flags_of_connect_end_the_connection(server: Server) -> None:
    rows = [row for row in INVALID if row.name.startswith("connect flags")]
    assert len(rows) == 15
    for row in rows:
        peer = await server.peer()
        peer.send_bytes(row.raw)
        packet = await peer._next()
        if packet is not None:
            assert isinstance(packet, Connack)
            assert packet.reason_code == 0x81
            assert await peer._next() is None


@BOTH
@proves("MQTT3-2.3.1-5")
async def test_mqtt_2_2_1_2_no_identifier_at_qos_0(server: Server, version: Version) -> None:
    """Neither read nor written: what looks like one is the payload."""
    none = b"\0" if version is V5 else b""
    reader = await server.subscribed("a", version=version)
    sender = await server.client(version=version)
    sender.send_bytes(pack(0x30, s("a"), none, b"\0\7x"))
    assert (await reader.receive(Publish)).payload == b"\0\7x"
    assert reader.frames[-1] == pack(0x30, s("a"), none, b"\0\7x")


@BOTH
@proves("MQTT3-2.3.1-1")
async def test_mqtt_2_2_1_3_identifier_0_ends_the_connection(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-2.2.1-3")


@BOTH
@proves(
    "MQTT3-2.3.1-4", "MQTT3-4.3.2-1", "MQTT3-4.3.3-1", "MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT-4.3.2-2", "MQTT-4.3.3-2"
)
async def test_mqtt_2_2_1_4_open_messages_have_identifiers_of_their_own(server: Server, version: Version) -> None:
    reader = await server.subscribed("a", version=version)
    sender = await server.client(version=version)
    seen: list[Publish] = []
    for number in range(30):
        await sender.published("a", b"%d" % number, 1 + number % 2)
        seen.append(await reader.receive(Publish))
        if number % 3:  # acknowledged ones may be used again, the others may not
            await reader.acknowledge(seen[-1])
    still_open = [publish.packet_id for number, publish in enumerate(seen) if not number % 3]
    assert len(set(still_open)) == len(still_open)
    assert all(publish.packet_id > 0 and not publish.dup for publish in seen)
    for number, publish in enumerate(seen):
        earlier = [each.packet_id for n, each in enumerate(seen[:number]) if not n % 3]
        assert publish.packet_id not in earlier


@BOTH
@proves("MQTT3-2.3.1-6")
async def test_mqtt_2_2_1_5_acknowledgements_carry_the_identifier_of_the_message(
    server: Server, version: Version
) -> None:
    client = await server.client(version=version)
    client.send(Publish("a", b"x", 1, packet_id=4711), Publish("a", b"x", 2, packet_id=65535))
    assert (await client.receive(Puback)).packet_id == 4711
    assert (await client.receive(Pubrec)).packet_id == 65535
    client.send(Pubrel(65535))
    assert await client.receive(Pubcomp) == Pubcomp(65535)
    reader = await server.subscribed("a", version=version)
    await client.published("a", qos=2)
    publish = await reader.receive(Publish)
    reader.send(Pubrec(publish.packet_id))
    assert await reader.receive(Pubrel) == Pubrel(publish.packet_id)


@BOTH
@proves("MQTT3-2.3.1-7", "MQTT-3.8.4-1", "MQTT-3.8.4-2", "MQTT3-3.8.4-1", "MQTT3-3.8.4-2")
async def test_mqtt_2_2_1_6_subscriptions_are_answered_with_their_identifier(server: Server, version: Version) -> None:
    client = await server.client(version=version)
    for packet_id in (1, 4711, 65535):
        client.send(Subscribe(packet_id, [Subscription("a")]))
        assert (await client.receive(Suback)).packet_id == packet_id
        client.send(Unsubscribe(packet_id, ["a"]))
        assert (await client.receive(Unsuback)).packet_id == packet_id


async def test_mqtt_2_2_2_1_no_properties_are_a_length_of_zero(server: Server) -> None:
    client = await server.client()
    client.send(Subscribe(1, [Subscription("a", 0)]), Unsubscribe(2, ["b"]))
    await client.receive(Suback)
    await client.receive(Unsuback)
    client.publish("a", b"x")
    await client.receive(Publish)
    suback, unsuback, publish = client.frames[-3:]
    assert (suback[4], unsuback[4]) == (0, 0)
    assert publish == pack(0x30, s("a"), b"\0", b"x")


@proves("MQTT-2.2.2-1")
@pytest.mark.parametrize("raw", [pack(0x30, s("a")), pack(0x82, b"\0\1"), pack(0xA2, b"\0\1")])
async def test_a_property_length_that_is_not_there_ends_the_connection(server: Server, raw: bytes) -> None:
    client = await server.client()
    client.send_bytes(raw)
    assert await client.ended() == 0x81
