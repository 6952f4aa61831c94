"""3.3.1.3 RETAIN: messages kept for those who subscribe later."""

import pytest

from bridge.mqtt import Publish, Suback, Subscribe, Subscription, Version
from tests.standard.peer import BOTH, V5, V311, Peer, Server, in_version
from tests.standard.proves import proves


async def taken(client: Peer, subscription: Subscription) -> list[tuple[str, bytes, bool]]:
    """What a subscription brings: topic, payload, RETAIN."""
    packet_id = client.packet_id()
    client.send(Subscribe(packet_id, [in_version(subscription, client.version)]))
    came = await client.before_pong()
    came += await client.before_pong()
    assert any(isinstance(packet, Suback) for packet in came)
    messages = [packet for packet in came if isinstance(packet, Publish)]
    for publish in messages:
        await client.acknowledge(publish)
    return [(publish.topic, publish.payload, publish.retain) for publish in messages]


async def retaining(server: Server, version: Version = V5, **messages: bytes) -> Peer:
    """A client that published retained messages, at QoS 1."""
    sender = await server.client(version=version)
    for topic, payload in messages.items():
        await sender.published(topic, payload, retain=True)
    return sender


@BOTH
@proves("MQTT3-3.3.1-5", "MQTT3-3.3.1-6", "MQTT3-3.3.1-8")
@pytest.mark.parametrize("qos", [1, 2])
async def test_mqtt_3_3_1_5_the_last_retained_message_is_kept(server: Server, version: Version, qos: int) -> None:
    sender = await server.client(version=version)
    for payload in (b"first", b"second"):
        await sender.published("a", payload, qos, retain=True)
    for granted in (0, 1, 2):
        late = await server.client(version=version)
        await late.subscribe("a", granted)
        publish = await late.take()
        assert (publish.topic, publish.payload, publish.retain) == ("a", b"second", True)
        assert publish.qos == min(qos, granted)
        await late.quiet()


@proves("MQTT-3.3.1-5")
@pytest.mark.parametrize("version", [V311, V5], ids=["V311", "V5"])
async def test_mqtt3_3_3_1_7_a_retained_message_at_qos_0_replaces_the_last(server: Server, version: Version) -> None:
    sender = await retaining(server, version, a=b"first")
    await sender.published("a", b"second", 0, retain=True)
    late = await server.client(version=version)
    assert await taken(late, Subscription("a", 1)) == [("a", b"second", True)]


@BOTH
@proves("MQTT3-3.3.1-10")
async def test_mqtt_3_3_1_6_an_empty_one_removes_it(server: Server, version: Version) -> None:
    sender = await retaining(server, version, a=b"x", b=b"y")
    reader = await server.subscribed("a", version=version)
    assert (await reader.take()).payload == b"x"
    await sender.published("a", b"", retain=True)
    assert (await reader.take()).payload == b""
    late = await server.client(version=version)
    assert await taken(late, Subscription("#", 1)) == [("b", b"y", True)]


@BOTH
@proves("MQTT3-3.3.1-11")
async def test_mqtt_3_3_1_7_an_empty_one_is_not_kept(server: Server, version: Version) -> None:
    sender = await retaining(server, version, a=b"", b=b"y")
    await sender.published("a", b"", 0, retain=True)
    late = await server.client(version=version)
    assert await taken(late, Subscription("#", 1)) == [("b", b"y", True)]


@BOTH
@proves("MQTT3-3.3.1-12")
async def test_mqtt_3_3_1_8_others_leave_it_alone(server: Server, version: Version) -> None:
    sender = await retaining(server, version, a=b"kept")
    await sender.published("a", b"passing")
    await sender.published("a", b"")
    await sender.published("b", b"passing")
    late = await server.client(version=version)
    assert await taken(late, Subscription("#", 1)) == [("a", b"kept", True)]


@BOTH
@proves("MQTT3-3.3.1-6")
async def test_mqtt_3_3_1_9_a_subscription_brings_those_that_match(server: Server, version: Version) -> None:
    sender = await retaining(server, version)
    for topic in ("a/b", "a/c", "b/b", "a/b/c"):
        await sender.published(topic, topic.encode(), retain=True)
    client = await server.client(version=version)
    for _ in range(2):  # each time
        assert sorted(await taken(client, Subscription("a/+", 1))) == [("a/b", b"a/b", True), ("a/c", b"a/c", True)]


async def test_mqtt_3_3_1_10_a_new_subscription_brings_them(server: Server) -> None:
    await retaining(server, a=b"x")
    client = await server.client()
    assert await taken(client, Subscription("a", 1, retain_handling=1)) == [("a", b"x", True)]
    assert await taken(client, Subscription("a", 0, retain_handling=1)) == []
    await client.unsubscribe("a")
    assert await taken(client, Subscription("a", 1, retain_handling=1)) == [("a", b"x", True)]


async def test_mqtt_3_3_1_11_a_subscription_brings_none_of_them(server: Server) -> None:
    sender = await retaining(server, a=b"x")
    client = await server.client()
    for _ in range(2):
        assert await taken(client, Subscription("a", 1, retain_handling=2)) == []
    await sender.published("a", b"y", retain=True)
    assert (await client.take()).payload == b"y"


@BOTH
@proves("MQTT3-3.3.1-9")
async def test_mqtt_3_3_1_12_the_flag_is_not_passed_on(server: Server, version: Version) -> None:
    reader = await server.subscribed("a", version=version)
    sender = await retaining(server, version, a=b"x")
    assert not (await reader.take()).retain
    await sender.published("a", b"y")
    assert not (await reader.take()).retain


async def test_mqtt_3_3_1_13_the_flag_is_passed_on_if_wanted(server: Server) -> None:
    reader = await server.client()
    await reader.granted(Subscription("a", 2, retain_as_published=True))
    sender = await server.client()
    for retain in (True, False, True):
        for qos in (0, 1, 2):
            await sender.published("a", b"x", qos, retain=retain)
            assert (await reader.take()).retain is retain


@BOTH
@proves("MQTT3-3.8.4-3")
async def test_mqtt_3_8_4_4_replacing_brings_them_again_and_loses_nothing(server: Server, version: Version) -> None:
    sender = await retaining(server, version, a=b"x")
    client = await server.client(version=version)
    assert await taken(client, Subscription("a", 1)) == [("a", b"x", True)]
    await sender.published("a", b"y")
    assert await taken(client, Subscription("a", 2)) == [("a", b"y", False), ("a", b"x", True)]
    await sender.published("a", b"z", 2)
    assert (await client.take()).qos == 2


async def test_mqtt3_3_1_2_7_they_outlive_sessions(server: Server) -> None:
    sender = await retaining(server, V311, a=b"x")
    await sender.disconnect()
    late = await server.client("c", V311)
    assert await taken(late, Subscription("a", 1)) == [("a", b"x", True)]
    await late.break_off()
    late = await server.client("c", V311)
    assert await taken(late, Subscription("a", 1)) == [("a", b"x", True)]
