"""4.1 session state, 4.2 transport, 4.3 quality of service, 4.4 sending again, 4.5 owning, 4.6 order."""

import asyncio

import pytest

from bridge.mqtt import Properties, Puback, Pubcomp, Publish, Pubrec, Pubrel, Subscription, Version, encode
from tests.standard.peer import BOTH, V311, Peer, Server
from tests.standard.proves import proves


@BOTH
@proves("MQTT3-4.1.0-1", "MQTT3-4.1.0-2")
async def test_mqtt_4_1_0_1_a_session_lasts_as_long_as_its_connection(server: Server, version: Version) -> None:
    client = await server.client("c", version, clean=version is V311, properties={"session_expiry_interval": 1})
    await client.subscribe("a")
    for _ in range(3):
        await server.let_pass(1000)
        await client.quiet()
    await (await server.client()).published("a")
    assert (await client.take()).payload == b"x"


async def test_mqtt_4_1_0_2_a_session_ends_when_its_time_is_over(server: Server) -> None:
    client = await server.client("c", properties={"session_expiry_interval": 10})
    await client.subscribe("a")
    await client.break_off()
    await server.let_pass(9)
    client = await server.client("c", clean=False, properties={"session_expiry_interval": 10})
    assert client.connack.session_present
    await client.break_off()
    await server.let_pass(12)
    client = await server.client("c", clean=False)
    assert not client.connack.session_present
    assert await (await server.client()).published("a") == 0x10


@BOTH
@proves("MQTT3-7.1.1-1", "MQTT3-7.0.0-2")
async def test_mqtt_4_2_0_1_bytes_both_ways_in_order(server: Server, version: Version) -> None:
    """Whatever the network makes of them."""
    payload = bytes(range(256)) * 1000
    reader = await server.subscribed("a", 0, version)
    sender = await server.client(version=version)
    data = encode(Publish("a", payload), version)
    for start in range(0, len(data), 40_000):
        sender.send_bytes(data[start : start + 40_000])
        await asyncio.sleep(0)
    assert (await reader.receive(Publish)).payload == payload, "other bytes"


@BOTH
@proves("MQTT3-4.3.1-1")
async def test_mqtt_4_3_1_1_qos_0(server: Server, version: Version) -> None:
    reader = await server.subscribed("a", 0, version)
    sender = await server.client(version=version)
    for qos in (0, 1, 2):
        await sender.published("a", qos=qos)
        publish = await reader.receive(Publish)
        assert (publish.qos, publish.dup) == (0, False)
        assert reader.frames[-1][0] == 0x30


@BOTH
@proves("MQTT3-4.3.2-1", "MQTT-4.3.2-1", "MQTT-4.3.2-2")
async def test_mqtt_4_3_2_3_qos_1_open_until_puback(server: Server, version: Version) -> None:
    client = await server.kept("c", version)
    await client.subscribe("a", 1)
    sender = await server.client()
    for payload in (b"1", b"2"):
        await sender.published("a", payload)
    first, second = [await client.receive(Publish) for _ in range(2)]
    assert (first.qos, first.dup) == (1, False)
    client.send(Puback(first.packet_id))
    await client.quiet()
    for _ in range(2):  # as often as it takes
        await client.break_off()
        client = await server.kept("c", version)
        again = await client.receive(Publish)
        assert (again.payload, again.packet_id, again.dup) == (b"2", second.packet_id, True)
        await client.quiet()
    client.send(Puback(second.packet_id))
    await client.quiet()
    await client.break_off()
    client = await server.kept("c", version)
    await client.quiet()


@BOTH
@proves("MQTT3-4.3.2-2", "MQTT-4.3.2-5")
async def test_mqtt_4_3_2_4_qos_1_receiver(server: Server, version: Version) -> None:
    """After PUBACK the identifier means a new message."""
    reader = await server.subscribed("a", 1)
    client = await server.client(version=version)
    for dup in (False, True):
        client.send(Publish("a", b"x", 1, dup=dup, packet_id=7))
        assert await client.receive(Puback) == Puback(7)
        assert (await reader.take()).payload == b"x"


@BOTH
@proves("MQTT3-4.3.3-1", "MQTT-4.3.3-1", "MQTT-4.3.3-2")
async def test_mqtt_4_3_3_3_qos_2_open_until_pubrec(server: Server, version: Version) -> None:
    client = await server.kept("c", version)
    await client.subscribe("a", 2)
    await (await server.client()).published("a", qos=2)
    publish = await client.receive(Publish)
    assert (publish.qos, publish.dup) == (2, False)
    for _ in range(2):
        await client.break_off()
        client = await server.kept("c", version)
        again = await client.receive(Publish)
        assert (again.packet_id, again.dup, again.qos) == (publish.packet_id, True, 2)
    client.send(Pubrec(publish.packet_id))
    await client.receive(Pubrel)


@BOTH
@proves("MQTT3-4.3.3-1", "MQTT-4.3.3-5", "MQTT-4.3.3-6")
async def test_mqtt_4_3_3_4_qos_2_released_until_pubcomp(server: Server, version: Version) -> None:
    """From PUBREC on PUBREL is what is sent again, and PUBLISH is not."""
    client = await server.kept("c", version)
    await client.subscribe("a", 2)
    await (await server.client()).published("a", qos=2)
    packet_id = (await client.receive(Publish)).packet_id
    for _ in range(2):
        client.send(Pubrec(packet_id))
        assert await client.receive(Pubrel) == Pubrel(packet_id)
    for _ in range(2):
        await client.break_off()
        client = await server.kept("c", version)
        assert await client.receive(Pubrel) == Pubrel(packet_id)
        await client.quiet()
    client.send(Pubcomp(packet_id))
    await client.quiet()
    await client.break_off()
    client = await server.kept("c", version)
    await client.quiet()


@pytest.mark.parametrize("qos", [1, 2])
async def test_mqtt_4_3_3_7_what_was_sent_does_not_expire(server: Server, qos: int) -> None:
    client = await server.kept("c")
    await client.subscribe("a", 2)
    await (await server.client()).published("a", qos=qos, properties=Properties(message_expiry_interval=5))
    publish = await client.receive(Publish)
    await client.break_off()
    await server.let_pass(10)
    client = await server.kept("c")
    assert (await client.receive(Publish)).packet_id == publish.packet_id
    await client.acknowledge(publish)


@BOTH
@proves("MQTT3-4.3.3-2", "MQTT-4.3.3-10", "MQTT-4.3.3-11", "MQTT-4.3.3-12")
async def test_mqtt_4_3_3_8_qos_2_receiver(server: Server, version: Version) -> None:
    reader = await server.subscribed("a", 2)
    client = await server.kept("c", version)
    for dup in (False, True, False):
        client.send(Publish("a", b"x", 2, dup=dup, packet_id=7))
        assert await client.receive(Pubrec) == Pubrec(7)
    await client.break_off()
    client = await server.kept("c", version)
    client.send(Publish("a", b"x", 2, dup=True, packet_id=7), Pubrel(7))
    assert await client.receive(Pubrec) == Pubrec(7)
    assert await client.receive(Pubcomp) == Pubcomp(7)
    assert (await reader.take()).payload == b"x"
    await reader.quiet()
    client.send(Publish("a", b"new", 2, dup=True, packet_id=7))
    assert await client.receive(Pubrec) == Pubrec(7)
    assert (await reader.take()).payload == b"new"


async def test_mqtt_4_3_3_9_an_identifier_that_was_refused_is_free(server: Server) -> None:
    reader = await server.subscribed("a", 2)
    client = await server.client()
    for _ in range(2):
        client.send(Publish("$oc/x", b"x", 2, packet_id=7))
        pubrec = await client.receive(Pubrec)
        assert (pubrec.packet_id, pubrec.reason_code) == (7, 0x87)
    client.send(Publish("a", b"new", 2, packet_id=7))
    assert await client.receive(Pubrec) == Pubrec(7)
    assert (await reader.take()).payload == b"new"


async def test_mqtt_4_3_3_13_the_exchange_goes_on_though_the_message_expired(server: Server) -> None:
    away = await server.kept("away")
    await away.subscribe("a", 2)
    await away.disconnect()
    client = await server.client()
    message = Publish("a", b"x", 2, packet_id=7, properties=Properties(message_expiry_interval=1))
    client.send(message)
    assert await client.receive(Pubrec) == Pubrec(7)
    await server.let_pass(10)
    client.send(message)
    assert await client.receive(Pubrec) == Pubrec(7)
    client.send(Pubrel(7))
    assert await client.receive(Pubcomp) == Pubcomp(7)
    away = await server.kept("away")
    await away.quiet()


@BOTH
@proves("MQTT3-4.4.0-1")
async def test_mqtt_4_4_0_1_what_is_open_is_sent_again_on_the_next_connection(server: Server, version: Version) -> None:
    """All of it, with its identifiers, in its order; and only then."""
    client = await server.kept("c", version)
    await client.subscribe("a", 2)
    sender = await server.client()
    for number in range(6):
        await sender.published("a", b"%d" % number, 1 + number % 2)
    opened = [await client.receive(Publish) for _ in range(6)]
    client.send(Pubrec(opened[1].packet_id), Puback(opened[2].packet_id))
    await client.receive(Pubrel)
    await server.let_pass(1000)
    await client.quiet()
    await client.break_off()
    client = await server.kept("c", version)
    again = [packet for packet in await client.before_pong() if isinstance(packet, Publish | Pubrel)]
    assert [packet.packet_id for packet in again] == [opened[n].packet_id for n in (0, 1, 3, 4, 5)]
    assert [type(packet) for packet in again] == [Publish, Pubrel, Publish, Publish, Publish]
    assert all(packet.dup for packet in again if isinstance(packet, Publish))


@pytest.mark.parametrize("qos", [1, 2])
async def test_mqtt_4_4_0_2_what_the_client_refused_is_not_sent_again(server: Server, qos: int) -> None:
    client = await server.kept("c")
    await client.subscribe("a", 2)
    sender = await server.client()
    await sender.published("a", qos=qos)
    publish = await client.receive(Publish)
    client.send((Puback if qos == 1 else Pubrec)(publish.packet_id, 0x80))
    await client.quiet()
    await client.break_off()
    client = await server.kept("c")
    assert client.connack.session_present
    await client.quiet()


@BOTH
@proves("MQTT3-4.5.0-1")
async def test_mqtt_4_5_0_1_every_subscriber_is_owed_the_message(server: Server, version: Version) -> None:
    present = [await server.subscribed(topic_filter, version=version) for topic_filter in ("a/b", "a/+", "#")]
    away = await server.kept("away", version)
    await away.subscribe("+/b", 2)
    await away.break_off()
    sender = await server.client(version=version)
    for qos in (1, 2):
        await sender.published("a/b", qos=qos)
    for reader in (*present, await server.kept("away", version)):
        assert [(await reader.take()).qos for _ in range(2)] == [1, 2]


async def numbers(reader: Peer, count: int) -> list[int]:
    return [int((await reader.take()).payload) for _ in range(count)]


@BOTH
@proves("MQTT3-4.6.0-6", "MQTT-4.6.0-6", "MQTT3-4.6.0-5")
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_mqtt_4_6_0_5_messages_keep_their_order(server: Server, version: Version, qos: int) -> None:
    """For those who are there, behind a small window, and for those who come back."""
    there = await server.subscribed("a/#", qos, version)
    narrow = await server.client(version=version, properties={"receive_maximum": 2})
    await narrow.granted(Subscription("a/+", qos))
    away = await server.kept("away", version)
    await away.subscribe("a/b", qos)
    await away.break_off()
    sender = await server.client(version=version)
    for number in range(20):
        sender.publish("a/b", b"%d" % number, qos)
    assert await numbers(there, 20) == list(range(20))
    assert await numbers(narrow, 20) == list(range(20))
    if qos:
        assert await numbers(await server.kept("away", version), 20) == list(range(20))


@BOTH
@proves("MQTT-4.6.0-2", "MQTT-4.6.0-3", "MQTT-4.6.0-4", "MQTT3-4.6.0-2", "MQTT3-4.6.0-3", "MQTT3-4.6.0-4")
async def test_the_server_answers_in_order_too(server: Server, version: Version) -> None:
    """What clients are obliged to."""
    client = await server.client(version=version)
    for packet_id in (5, 3, 9):
        client.send(Publish("a", b"x", 1, packet_id=packet_id), Publish("a", b"x", 2, packet_id=packet_id + 100))
    answers = [await client._next() for _ in range(6)]
    kinds = [(type(answer), answer.packet_id) for answer in answers if isinstance(answer, Puback | Pubrec)]
    assert kinds == [(kind, number) for i in (5, 3, 9) for kind, number in ((Puback, i), (Pubrec, i + 100))]
    client.send(Pubrel(109), Pubrel(105), Pubrel(103))
    assert [(await client.receive(Pubcomp)).packet_id for _ in range(3)] == [109, 105, 103]
