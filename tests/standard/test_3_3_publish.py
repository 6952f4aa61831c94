"""3.3 PUBLISH: flags, topic names, properties, several subscriptions. Retained messages, aliases and subscription
identifiers have modules of their own."""

import pytest

from bridge.mqtt import Properties, Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback, Subscribe, Subscription, Version
from tests.mqtt.raw import ID, pack, s
from tests.standard.conftest import NewServer
from tests.standard.peer import BOTH, V5, V311, Server
from tests.standard.proves import proves


@BOTH
@proves("MQTT3-3.3.1-1")
async def test_mqtt_3_3_1_1_what_is_sent_again_says_so(server: Server, version: Version) -> None:
    client = await server.kept("c", version)
    await client.subscribe("a", 2)
    sender = await server.client()
    for qos in (1, 2):
        await sender.published("a", qos=qos)
        assert not (await client.receive(Publish)).dup
    await client.break_off()
    client = await server.kept("c", version)
    for _ in range(2):
        assert (await client.receive(Publish)).dup


@BOTH
@proves("MQTT3-3.3.1-2")
async def test_mqtt_3_3_1_2_dup_at_qos_0(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-3.3.1-2")
    reader = await server.subscribed("a", version=version)
    await (await server.client()).published("a", qos=0)
    assert not (await reader.receive(Publish)).dup


@BOTH
@proves("MQTT3-3.3.1-3")
@pytest.mark.parametrize("qos", [1, 2])
async def test_mqtt_3_3_1_3_dup_of_the_publisher_is_not_passed_on(server: Server, version: Version, qos: int) -> None:
    reader = await server.subscribed("a", version=version)
    sender = await server.client(version=version)
    sender.send(Publish("a", b"x", qos, dup=True, packet_id=1))
    assert not (await reader.take()).dup


@BOTH
@proves("MQTT3-3.3.1-4")
async def test_mqtt_3_3_1_4_both_qos_bits(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-3.3.1-4")


@BOTH
@proves("MQTT3-3.3.2-1")
async def test_mqtt_3_3_2_1_a_topic_name_that_is_no_string(server: Server, version: Version) -> None:
    tag = version.name.lower()
    await server.refuses_clause(version, "MQTT-1.5.4-1", f"publish {tag} topic")
    await server.refuses_clause(version, "MQTT5 1.2", f"publish {tag} of")


@BOTH
@proves("MQTT3-3.3.2-2", "MQTT-4.7.0-1", "MQTT3-4.7.1-1")
async def test_mqtt_3_3_2_2_a_topic_name_with_wildcards(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-3.3.2-2")


@BOTH
@proves("MQTT3-3.3.2-3")
async def test_mqtt_3_3_2_3_subscribers_get_what_matches(server: Server, version: Version) -> None:
    client = await server.client(version=version)
    for topic_filter in ("a/+/c", "b/#", "d"):
        await client.subscribe(topic_filter)
    sender = await server.client()
    for topic in ("a/b/c", "a/c", "a/b/c/d", "b", "b/c/d", "d/", "d", "D", "/d", "c"):
        await sender.published(topic, topic.encode())
    assert [(await client.take()).topic for _ in range(4)] == ["a/b/c", "b", "b/c/d", "d"]
    await client.quiet()


@proves("MQTT-3.3.2-15", "MQTT-3.3.2-16", "MQTT-3.3.2-17", "MQTT-3.3.2-18", "MQTT-3.3.2-20")
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_mqtt_3_3_2_4_properties_reach_every_subscriber_unaltered(server: Server, qos: int) -> None:
    readers = [await server.subscribed("a", granted) for granted in (0, 1, 2)]
    away = await server.kept("c")
    await away.subscribe("a")
    await away.disconnect()
    properties = Properties(
        payload_format_indicator=1,
        content_type="text/plain; charset=\u00fc",
        response_topic="answers/to \u2764",
        correlation_data=b"\0\xff" * 10,
        user_properties=[("b", "2"), ("a", ""), ("", "1"), ("b", "1"), ("b", "2")],
    )
    sender = await server.client()
    await sender.published("a", b"text", qos, properties=properties)
    for reader in readers:
        assert (await reader.take()).properties == properties
    if qos:
        assert (await (await server.kept("c")).take()).properties == properties


async def test_mqtt_3_3_2_5_what_expired_is_not_delivered(server: Server) -> None:
    client = await server.kept("c")
    await client.subscribe("a", 2)
    await client.disconnect()
    sender = await server.client()
    for qos in (1, 2):
        await sender.published("a", b"old", qos, properties=Properties(message_expiry_interval=10))
        await sender.published("a", b"lasting", qos, properties=Properties(message_expiry_interval=100))
    await server.let_pass(11)
    client = await server.kept("c")
    assert [(await client.take()).payload for _ in range(2)] == [b"lasting"] * 2
    await client.quiet()


@proves("MQTT-3.3.2-5")
async def test_what_expires_behind_a_full_window_is_not_delivered(server: Server) -> None:
    client = await server.client(properties={"receive_maximum": 1})
    await client.subscribe("a")
    sender = await server.client()
    for payload in (b"first", b"second"):
        await sender.published("a", payload, properties=Properties(message_expiry_interval=10))
    await sender.published("a", b"third")
    first = await client.receive(Publish)
    await server.let_pass(11)
    client.send(Puback(first.packet_id))
    assert (await client.take()).payload == b"third"


async def test_mqtt_3_3_2_6_the_time_of_waiting_is_taken_off(server: Server) -> None:
    reader = await server.subscribed("a")
    away = await server.kept("c")
    await away.subscribe("a")
    await away.disconnect()
    sender = await server.client()
    await sender.published("a", properties=Properties(message_expiry_interval=100))
    assert (await reader.take()).properties["message_expiry_interval"] in (99, 100)
    await server.let_pass(40)
    left = (await (await server.kept("c")).take()).properties["message_expiry_interval"]
    assert 58 <= left <= 60


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"a\0b"])
async def test_mqtt_3_3_2_13_a_response_topic_that_is_no_string(server: Server, bad: bytes) -> None:
    await refuses_property(server, b"\x08" + s(bad), 0x81)


@pytest.mark.parametrize("bad", ["a/+", "#", "a+b"])
async def test_mqtt_3_3_2_14_a_response_topic_with_wildcards(server: Server, bad: str) -> None:
    await refuses_property(server, b"\x08" + s(bad), 0x82)


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"a\0b"])
async def test_mqtt_3_3_2_19_a_content_type_that_is_no_string(server: Server, bad: bytes) -> None:
    await refuses_property(server, b"\x03" + s(bad), 0x81)


async def refuses_property(server: Server, raw: bytes, reason: int) -> None:
    client = await server.client()
    client.send_bytes(pack(0x30, s("a"), bytes([len(raw)]), raw))
    assert await client.ended() == reason


@BOTH
@proves("MQTT3-3.3.4-1")
async def test_mqtt_3_3_4_1_answers_as_the_qos_asks_for(server: Server, version: Version) -> None:
    client = await server.client(version=version)
    client.publish("a", b"x", 0)
    await client.quiet()
    packet_id = client.publish("a", b"x", 1)
    assert (await client.receive(Puback)).packet_id == packet_id
    packet_id = client.publish("a", b"x", 2)
    assert (await client.receive(Pubrec)).packet_id == packet_id
    client.send(Pubrel(packet_id))
    assert await client.receive(Pubcomp) == Pubcomp(packet_id)
    await client.quiet()


@BOTH
@proves("MQTT3-3.3.5-1")
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_mqtt_3_3_4_2_overlapping_subscriptions_at_the_highest_qos(
    server: Server, version: Version, order: tuple[int, int, int]
) -> None:
    client = await server.client(version=version)
    for topic_filter, qos in zip(("a/b", "a/+", "#"), order, strict=True):
        await client.subscribe(topic_filter, qos)
    sender = await server.client()
    await sender.published("a/b", qos=2)
    copies = [await client.take()]
    copies += [packet for packet in await client.before_pong() if isinstance(packet, Publish)]
    assert max(copy.qos for copy in copies) == 2
    await client.unsubscribe("a/b", "a/+", "#")


async def test_mqtt_3_3_4_6_a_subscription_identifier_from_a_client(server: Server) -> None:
    await server.refuses_clause(V5, "MQTT-3.3.4-6")


async def test_mqtt_3_3_4_7_more_open_messages_than_the_server_takes(new_server: NewServer) -> None:
    server = await new_server(receive_maximum=2)
    client = await server.client()
    assert client.connack.properties["receive_maximum"] == 2
    for packet_id in (1, 2):
        client.send(Publish("a", b"x", 2, packet_id=packet_id))
        await client.receive(Pubrec)
    client.send(Pubrel(1), Publish("a", b"x", 2, packet_id=3))
    await client.receive(Pubcomp)
    await client.receive(Pubrec)
    client.send(Publish("a", b"x", 2, packet_id=4))
    assert await client.ended() == 0x93


@proves("MQTT-4.9.0-2", "MQTT-4.9.0-1")
@pytest.mark.parametrize("window", [1, 2, 5])
async def test_mqtt_3_3_4_9_no_more_open_messages_than_the_client_takes(server: Server, window: int) -> None:
    """QoS 2 counts until PUBCOMP, or until a PUBREC that refuses."""
    client = await server.client(properties={"receive_maximum": window})
    await client.subscribe("a", 2)
    sender = await server.client()
    for number in range(window + 3):
        await sender.published("a", qos=1 + number % 2)
    opened = [await client.receive(Publish) for _ in range(window)]
    await client.quiet()
    first = opened[0]
    client.send(Puback(first.packet_id))
    second = await client.receive(Publish)
    assert second.qos == 1 + window % 2
    await client.quiet()


@proves("MQTT-3.3.4-9", "MQTT-4.9.0-2")
async def test_the_quota_comes_back_with_pubcomp(server: Server) -> None:
    client = await server.client(properties={"receive_maximum": 1})
    await client.subscribe("a", 2)
    sender = await server.client()
    for payload in (b"1", b"2", b"3"):
        await sender.published("a", payload, 2)
    first = await client.receive(Publish)
    client.send(Pubrec(first.packet_id))
    await client.receive(Pubrel)
    await client.quiet()
    client.send(Pubcomp(first.packet_id))
    second = await client.receive(Publish)
    assert second.payload == b"2"
    client.send(Pubrec(second.packet_id, 0x80))
    assert (await client.receive(Publish)).payload == b"3"


@proves("MQTT-4.9.0-3")
async def test_mqtt_3_3_4_10_without_quota_everything_else_goes_on(server: Server) -> None:
    client = await server.client(properties={"receive_maximum": 1})
    await client.subscribe("a")
    sender = await server.client()
    for _ in range(2):
        await sender.published("a")
    await client.receive(Publish)
    await client.quiet()
    client.send(Subscribe(9, [Subscription("b")]))
    await client.receive(Suback)
    assert await client.published("nobody/there", qos=1) == 0x10
    assert await client.published("nobody/there", qos=2) == 0x10
    await client.unsubscribe("b")
    await sender.published("a", qos=0)
    assert (await client.receive(Publish)).qos == 0


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_mqtt3_3_3_5_2_what_is_not_allowed_is_acknowledged_or_ends_the_connection(
    server: Server, qos: int
) -> None:
    watcher = await server.admin()
    await watcher.subscribe("$oc/#")
    client = await server.client(version=V311)
    client.send_bytes(pack(0x30 | qos << 1, s("$oc/x"), ID if qos else b"", b"x"))
    if qos:
        packet = await client._next()
        assert packet is None or packet == (Puback if qos == 1 else Pubrec)(10)
    await watcher.quiet()
