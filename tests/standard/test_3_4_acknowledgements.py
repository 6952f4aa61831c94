"""3.4 PUBACK, 3.5 PUBREC, 3.6 PUBREL, 3.7 PUBCOMP, and how large answers are."""

from bridge.mqtt import (
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Version,
)
from tests.standard.peer import BOTH, Peer, Server
from tests.standard.proves import proves
from tests.standard.test_3_1_connect import size_of_connack

TOPICS = {"$oc/not/open": 0x87, "nobody/there": 0x10, "a": 0}


async def test_mqtt_3_4_2_1_reasons_of_puback(server: Server) -> None:
    await server.subscribed("a")
    client = await server.client()
    for topic, reason in TOPICS.items():
        assert await client.published(topic, qos=1) == reason


async def test_mqtt_3_5_2_1_reasons_of_pubrec(server: Server) -> None:
    await server.subscribed("a")
    client = await server.client()
    for topic, reason in TOPICS.items():
        assert await client.published(topic, qos=2) == reason


@BOTH
@proves("MQTT3-3.6.1-1")
async def test_mqtt_3_6_1_1_flags_of_pubrel(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-2.1.3-1", "type 6 ")


async def test_mqtt_3_6_2_1_reasons_of_pubrel(server: Server) -> None:
    client = await server.client()
    client.send(Pubrec(4711))
    pubrel = await client.receive(Pubrel)
    assert (pubrel.packet_id, pubrel.reason_code) == (4711, 0x92)
    await client.subscribe("a", 2)
    client.send(Publish("a", b"x", 2, packet_id=1))
    packets = await client.before_pong()
    publish = next(packet for packet in packets if isinstance(packet, Publish))
    client.send(Pubrec(publish.packet_id))
    assert await client.receive(Pubrel) == Pubrel(publish.packet_id)


async def test_mqtt_3_7_2_1_reasons_of_pubcomp(server: Server) -> None:
    client = await server.client()
    client.send(Publish("a", b"x", 2, packet_id=1), Pubrel(1), Pubrel(1))
    await client.receive(Pubrec)
    for reason in (0, 0x92):
        pubcomp = await client.receive(Pubcomp)
        assert (pubcomp.packet_id, pubcomp.reason_code) == (1, reason)


async def tight(server: Server) -> tuple[Peer, int]:
    """A client that takes its CONNACK and nothing larger, and that size."""
    size = await size_of_connack(server)
    return await server.client("c", properties={"maximum_packet_size": size, "request_problem_information": 1}), size


def largest(client: Peer, kind: int) -> int:
    return max(len(frame) for frame in client.frames if frame[0] >> 4 == kind)


@proves("MQTT-3.4.2-3")
async def test_mqtt_3_4_2_2_puback_fits(server: Server) -> None:
    client, size = await tight(server)
    for topic in TOPICS:
        await client.published(topic, qos=1)
    assert largest(client, 4) <= size


@proves("MQTT-3.5.2-3")
async def test_mqtt_3_5_2_2_pubrec_fits(server: Server) -> None:
    client, size = await tight(server)
    for topic in TOPICS:
        await client.published(topic, qos=2)
    assert largest(client, 5) <= size


@proves("MQTT-3.6.2-3")
async def test_mqtt_3_6_2_2_pubrel_fits(server: Server) -> None:
    client, size = await tight(server)
    client.send(Pubrec(4711, properties=Properties(reason_string="x" * 1000)))
    await client.receive(Pubrel)
    assert largest(client, 6) <= size


@proves("MQTT-3.7.2-3")
async def test_mqtt_3_7_2_2_pubcomp_fits(server: Server) -> None:
    client, size = await tight(server)
    client.send(Pubrel(4711, properties=Properties(user_properties=[("k", "v" * 1000)])))
    await client.receive(Pubcomp)
    assert largest(client, 7) <= size


@proves("MQTT-3.9.2-2")
async def test_mqtt_3_9_2_1_suback_fits(server: Server) -> None:
    client, size = await tight(server)
    client.send(
        Subscribe(1, [Subscription("$oc/#"), Subscription("a")], Properties(user_properties=[("k", "v" * 1000)]))
    )
    await client.before_pong()
    assert largest(client, 9) <= size


@proves("MQTT-3.11.2-2")
async def test_mqtt_3_11_2_1_unsuback_fits(server: Server) -> None:
    client, size = await tight(server)
    client.send(Unsubscribe(1, ["never", "ever"], Properties(user_properties=[("k", "v" * 1000)])))
    await client.before_pong()
    assert largest(client, 11) <= size


@proves("MQTT-3.14.2-4")
async def test_mqtt_3_14_2_3_disconnect_fits(server: Server) -> None:
    client, size = await tight(server)
    client.send(Publish("a", b"x", properties=Properties(topic_alias=65535)))
    assert await client.ended() == 0x94
    assert largest(client, 14) <= size


@proves("MQTT-3.14.2-3", "MQTT-3.14.2-4")
async def test_disconnect_of_a_session_that_was_taken_over_fits(server: Server) -> None:
    client, size = await tight(server)
    await server.client("c")
    assert await client.ended() == 0x8E
    assert largest(client, 14) <= size


@proves("MQTT-4.4.0-2")
async def test_what_the_client_refuses_is_not_sent_again(server: Server) -> None:
    client = await server.kept("c")
    await client.subscribe("a", 2)
    sender = await server.client()
    for qos, answer in ((1, Puback), (2, Pubrec)):
        await sender.published("a", qos=qos)
        publish = await client.receive(Publish)
        client.send(answer(publish.packet_id, 0x80))
        await client.quiet()
    await client.break_off()
    client = await server.kept("c")
    assert client.connack.session_present
    await client.quiet()
