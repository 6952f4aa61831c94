"""3.3.2.3.4 Topic aliases from clients. Towards clients: [MQTT-3.1.2-26] and [MQTT-3.1.2-27]."""

from bridge.mqtt import Properties, Publish
from tests.mqtt.raw import pack, s
from tests.standard.conftest import NewServer
from tests.standard.peer import Server
from tests.standard.proves import proves


async def test_mqtt_3_3_2_7_aliases_end_with_their_connection(new_server: NewServer) -> None:
    server = await new_server(topic_alias_maximum=5)
    client = await server.kept("c")
    client.publish("a", b"x", 0, Properties(topic_alias=1))
    await client.quiet()
    await client.disconnect()
    client = await server.kept("c")
    assert client.connack.session_present
    client.publish("", b"x", 0, Properties(topic_alias=1))
    assert await client.ended() == 0x82


@proves("MQTT-3.1.2-26")
async def test_towards_a_client_that_is_back_every_topic_is_named_again(server: Server) -> None:
    sender = await server.client()
    for _ in range(2):
        client = await server.kept("c", topic_alias_maximum=5)
        await client.subscribe("a")
        for number in range(3):
            await sender.published("a")
            assert (await client.take()).topic == "a" or number
        await client.disconnect()


async def test_mqtt_3_3_2_8_an_alias_of_0(server: Server) -> None:
    client = await server.client()
    client.send_bytes(pack(0x30, s("a"), b"\3\x23\0\0", b"x"))
    assert await client.ended() == 0x94


async def test_mqtt_3_3_2_9_an_alias_above_the_maximum(new_server: NewServer) -> None:
    server = await new_server(topic_alias_maximum=5)
    for alias in (6, 65535):
        client = await server.client()
        client.publish("a", b"x", 0, Properties(topic_alias=alias))
        assert await client.ended() == 0x94


async def test_mqtt_3_3_2_11_subscribers_get_no_alias_above_theirs(server: Server) -> None:
    sender = await server.client()
    for most in (1, 3):
        client = await server.client(properties={"topic_alias_maximum": most})
        await client.subscribe("#", 0)
        for number in range(6):
            sender.publish(f"a/{number}")
            assert (await client.receive(Publish)).properties.get("topic_alias", 1) in range(1, most + 1)


async def test_mqtt_3_3_2_12_every_alias_up_to_the_maximum(new_server: NewServer) -> None:
    server = await new_server(topic_alias_maximum=5)
    reader = await server.subscribed("#")
    client = await server.client()
    for alias in range(1, 6):
        await client.published(f"a/{alias}", properties=Properties(topic_alias=alias))
        assert (await reader.take()).topic == f"a/{alias}"
    for alias in (3, 1, 5):
        for qos in (0, 1, 2):
            await client.published("", qos=qos, properties=Properties(topic_alias=alias))
            assert (await reader.take()).topic == f"a/{alias}"
    await client.published("b", properties=Properties(topic_alias=3))  # means another topic from now on
    await client.published("", properties=Properties(topic_alias=3))
    assert [(await reader.take()).topic for _ in range(2)] == ["b", "b"]
