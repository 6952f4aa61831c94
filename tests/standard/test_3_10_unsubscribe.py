"""3.10 UNSUBSCRIBE and 3.11 UNSUBACK."""

from bridge.mqtt import Puback, Pubcomp, Publish, Pubrec, Pubrel, Subscription, Unsuback, Unsubscribe, Version
from tests.standard.peer import BOTH, V5, Server
from tests.standard.proves import proves


@BOTH
@proves("MQTT3-3.10.1-1")
async def test_mqtt_3_10_1_1_flags_of_unsubscribe(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-2.1.3-1", "type 10 ")


@BOTH
@proves("MQTT3-3.10.3-1")
async def test_mqtt_3_10_3_1_filters_that_are_no_strings(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-1.5.4-1", f"unsubscribe {version.name.lower()} filter")


@BOTH
@proves("MQTT3-3.10.3-2")
async def test_mqtt_3_10_3_2_no_filter(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-3.10.3-2")


@BOTH
@proves("MQTT3-3.10.4-1")
async def test_mqtt_3_10_4_1_filters_are_compared_character_by_character(server: Server, version: Version) -> None:
    client = await server.client(version=version)
    await client.granted(*(Subscription(topic_filter, 1) for topic_filter in ("a/b", "c/+", "d/#")))
    await client.unsubscribe("a/+", "A/b", "a/b/", "/a/b", "#", "c/d", "c/#", "d", "d/+")
    sender = await server.client()
    for topic in ("a/b", "c/d", "d/e/f"):
        await sender.published(topic)
        assert (await client.take()).topic == topic
    await client.unsubscribe("a/b", "c/+", "d/#")
    for topic in ("a/b", "c/d", "d/e/f"):
        assert await sender.published(topic) == 0x10
    await client.quiet()


@BOTH
@proves("MQTT3-3.10.4-2")
async def test_mqtt_3_10_4_2_nothing_new_comes(server: Server, version: Version) -> None:
    client = await server.kept("c", version)
    await client.subscribe("a", 2)
    sender = await server.client()
    await sender.published("a", b"before")
    await client.take()
    await client.unsubscribe("a")
    for qos in (0, 1, 2):
        await sender.published("a", b"after", qos)
    await client.quiet()
    await client.break_off()
    client = await server.kept("c", version)
    await client.quiet()


@BOTH
@proves("MQTT3-3.10.4-3")
async def test_mqtt_3_10_4_3_what_began_is_completed(server: Server, version: Version) -> None:
    client = await server.kept("c", version)
    await client.subscribe("a", 2)
    sender = await server.client()
    for qos in (1, 2):
        await sender.published("a", b"%d" % qos, qos)
    first, second = [await client.receive(Publish) for _ in range(2)]
    await client.unsubscribe("a")
    await client.break_off()
    client = await server.kept("c", version)
    assert [(await client.receive(Publish)).payload for _ in range(2)] == [b"1", b"2"]
    client.send(Puback(first.packet_id), Pubrec(second.packet_id))
    assert await client.receive(Pubrel) == Pubrel(second.packet_id)
    client.send(Pubcomp(second.packet_id))
    await client.quiet()


@BOTH
@proves("MQTT3-3.10.4-4", "MQTT-3.10.4-5", "MQTT3-3.10.4-5")
async def test_mqtt_3_10_4_4_unsuback_comes_also_when_nothing_was_deleted(server: Server, version: Version) -> None:
    client = await server.client(version=version)
    for packet_id in (1, 4711):
        client.send(Unsubscribe(packet_id, ["never/there"]))
        unsuback = await client.receive(Unsuback)
        assert (unsuback.packet_id, unsuback.reason_codes) == (packet_id, [0x11] if version is V5 else [])


@BOTH
@proves("MQTT3-3.10.4-6", "MQTT-3.11.3-1", "MQTT-3.11.3-2")
async def test_mqtt_3_10_4_6_several_filters(server: Server, version: Version) -> None:
    """Each counts, and each has its code, in their order."""
    client = await server.client(version=version)
    await client.granted(*(Subscription(topic_filter, 1) for topic_filter in ("a", "b/+", "c")))
    codes = await client.unsubscribe("b/+", "never", "a", "a")
    assert codes == ([0, 0x11, 0, 0x11] if version is V5 else [])
    sender = await server.client()
    assert await sender.published("a") == 0x10
    assert await sender.published("b/x") == 0x10
    assert await sender.published("c") == 0
