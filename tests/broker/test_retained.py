"""Retained messages [MQTT5 3.3.1.3]: what is kept, and who gets it when."""

import pytest

from bridge.mqtt import Packet, Properties, Puback, Publish, Suback, Subscribe, Subscription, Version, Will
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt
from tests.broker.times import turn

BOTH = pytest.mark.parametrize("version", [Version.V311, Version.V5])
EVERYTHING = Properties(
    payload_format_indicator=1,
    content_type="text/plain",
    response_topic="answers",
    correlation_data=b"\x00\xff",
    user_properties=[("a", "1"), ("a", "2")],
)


async def retain(client: RawClient, topic: str, payload: bytes = b"x", qos: int = 1, **properties: object) -> None:
    """Returns when it is acknowledged."""
    client.publish(topic, payload, qos, Properties(**properties), retain=True)  # type: ignore[typeddict-item]
    if qos == 1:
        assert (await client.receive(Puback)).reason_code < 0x80
    else:
        await client.quiet()


async def ask(client: RawClient, *subscriptions: Subscription, identifier: int = 0) -> list[Publish]:
    """The retained messages that follow the SUBACK, acknowledged."""
    properties = Properties(subscription_identifiers=[identifier]) if identifier else Properties()
    client.send(Subscribe(client.packet_id(), list(subscriptions), properties))
    assert max((await client.receive(Suback)).reason_codes) < 3
    return await follow(client)


async def follow(client: RawClient) -> list[Publish]:
    """All messages that come without anything else happening, acknowledged."""
    found: list[Publish] = []
    while packets := await client.before_pong():
        for packet in packets:
            found.append(message(packet))
            await client.acknowledge(found[-1])
    return found


async def settled(site: Site) -> None:
    """All that was published is stored, or cannot be."""
    while site.hub.retained._next or site.hub.retained._writing:
        await turn()
        await site.store.flush()


def message(packet: Packet) -> Publish:
    assert isinstance(packet, Publish), f"unexpected {packet}"
    return packet


def told(messages: list[Publish]) -> list[tuple[str, bytes]]:
    return [(each.topic, each.payload) for each in messages]


@BOTH
async def test_who_subscribes_later_gets_the_last_message(site: Site, version: Version) -> None:
    """[MQTT-3.3.1-5] [MQTT-3.3.1-8] [MQTT-3.3.1-12]"""
    pump = await site.log_in(site.add_device(), version)
    early = await site.log_in(site.add_device("early"), version)
    await early.subscribe("state/#")
    await retain(pump, "state/pump", b"on")
    await retain(pump, "state/pump", b"off", 0)
    assert [(each.payload, each.retain) for each in await follow(early)] == [(b"on", False), (b"off", False)]
    late = await site.log_in(site.add_device("late"), version)
    [publish] = await ask(late, Subscription("state/+", 1))
    assert (publish.topic, publish.payload, publish.qos, publish.retain) == ("state/pump", b"off", 0, True)
    pump.publish("state/pump", b"not retained")
    assert [(each.payload, each.retain) for each in await follow(late)] == [(b"not retained", False)]
    assert told(await ask(late, Subscription("state/+", 1))) == [("state/pump", b"off")]  # [MQTT-3.8.4-3]


@BOTH
async def test_an_empty_message_deletes(site: Site, version: Version) -> None:
    """[MQTT-3.3.1-6] [MQTT-3.3.1-7]"""
    pump = await site.log_in(site.add_device(), version)
    watcher = await site.log_in(site.add_device("watcher"), version)
    await retain(pump, "a", b"1")
    await retain(pump, "b", b"1")
    await watcher.subscribe("a", 0)
    await watcher.take()
    await retain(pump, "a", b"")
    assert [(each.payload, each.retain) for each in await follow(watcher)] == [(b"", False)]
    assert told(await ask(watcher, Subscription("#"))) == [("b", b"1")]
    await retain(pump, "a", b"")
    await retain(pump, "never", b"", 0)
    assert len(site.hub.retained) == 1


@BOTH
@pytest.mark.parametrize(("granted", "sent", "expected"), [(0, 2, 0), (1, 2, 1), (2, 2, 2), (2, 1, 1), (2, 0, 0)])
async def test_quality_of_service(site: Site, version: Version, granted: int, sent: int, expected: int) -> None:
    """[MQTT-3.8.4-8]"""
    pump = await site.log_in(site.add_device(), version)
    site.hub.retained.keep("default", Publish("a", b"x", sent, True), "")
    assert [each.qos for each in await ask(pump, Subscription("a", granted))] == [expected]


@BOTH
async def test_each_topic_filter_gets_its_own(site: Site, version: Version) -> None:
    pump = await site.log_in(site.add_device(), version)
    for topic in ("a/1", "a/2", "b"):
        await retain(pump, topic)
    found = await ask(pump, Subscription("a/#"), Subscription("+"), Subscription("a/2", 1))
    assert [(each.topic, each.qos) for each in found] == [("a/1", 0), ("a/2", 0), ("b", 0), ("a/2", 1)]


@BOTH
async def test_topics_that_are_reserved(site: Site, version: Version) -> None:
    """[MQTT-4.7.2-1]"""
    pump = await site.log_in(site.add_device(), version)
    own = "$oc/devices/pump-1/user/state"
    await retain(pump, own)
    assert await ask(pump, Subscription("#"), Subscription("+/#")) == []
    assert told(await ask(pump, Subscription("$oc/devices/pump-1/#"))) == [(own, b"x")]


async def test_a_filter_that_is_not_open_gets_nothing(site: Site) -> None:
    pump = await site.log_in(site.add_device())
    await retain(pump, "$oc/devices/pump-1/user/state")
    other = await site.log_in(site.add_device("pump-2"))
    assert await other.subscribe("$oc/devices/pump-1/#") == 0x87
    await other.quiet()


async def test_projects_have_topics_of_their_own(site: Site) -> None:
    pump = await site.log_in(site.add_device())
    await retain(pump, "a", b"ours")
    elsewhere = await site.log_in(site.add_device("pump-2", "elsewhere"))
    assert await ask(elsewhere, Subscription("#")) == []
    site.hub.retained.keep("elsewhere", Publish("a", b"theirs", 1, True), "")
    assert told(await ask(pump, Subscription("#"))) == [("a", b"ours")]


# MQTT 5


@pytest.mark.parametrize(("handling", "at_first", "again"), [(0, 1, 1), (1, 1, 0), (2, 0, 0)])
async def test_retain_handling(site: Site, handling: int, at_first: int, again: int) -> None:
    """[MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]"""
    pump = await site.log_in(site.add_device())
    await retain(pump, "a")
    wanted = Subscription("a", 1, retain_handling=handling)
    assert len(await ask(pump, wanted)) == at_first
    assert len(await ask(pump, wanted)) == again
    await pump.unsubscribe("a")
    assert len(await ask(pump, wanted, wanted)) == at_first


async def test_retain_as_published(site: Site) -> None:
    """[MQTT-3.3.1-12] [MQTT-3.3.1-13]"""
    pump = await site.log_in(site.add_device())
    await ask(pump, Subscription("a", retain_as_published=True))
    pump.publish("a", b"1", retain=True)
    pump.publish("a", b"2")
    pump.publish("a", b"", retain=True)
    assert [(each.payload, each.retain) for each in await follow(pump)] == [(b"1", True), (b"2", False), (b"", True)]


async def test_shared_subscriptions_get_none(site: Site) -> None:
    """[MQTT5 4.8.2]"""
    pump = await site.log_in(site.add_device())
    await retain(pump, "a")
    assert await ask(pump, Subscription("$share/group/a")) == []


async def test_the_subscription_identifier_comes_along(site: Site) -> None:
    """[MQTT-3.3.4-3]"""
    pump = await site.log_in(site.add_device())
    await retain(pump, "a")
    [publish] = await ask(pump, Subscription("#", 1), identifier=7)
    assert publish.properties == {"subscription_identifiers": [7]}


async def test_no_local(site: Site) -> None:
    """[MQTT-3.8.3-3]"""
    pump = await site.log_in(site.add_device())
    other = await site.log_in(site.add_device("pump-2"))
    await retain(pump, "a/1")
    await retain(other, "a/2")
    assert told(await ask(pump, Subscription("a/#", no_local=True))) == [("a/2", b"x")]


async def test_properties(site: Site) -> None:
    """[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20]"""
    pump = await site.log_in(site.add_device())
    await retain(pump, "a", **EVERYTHING)
    for _ in range(2):
        [publish] = await ask(pump, Subscription("a"))
        assert publish.properties == EVERYTHING
        await site.restart()
        pump = await site.log_in(site.store.device("default", "pump-1"))  # type: ignore[arg-type]


async def test_expiry(site: Site) -> None:
    """[MQTT-3.3.2-5] [MQTT-3.3.2-6]"""
    pump = await site.log_in(site.add_device())
    await retain(pump, "short", message_expiry_interval=5)
    await retain(pump, "long", message_expiry_interval=100, qos=0)
    await site.let_pass(0.5)
    [early] = await ask(pump, Subscription("short"))
    assert early.properties == {"message_expiry_interval": 5}, "no whole second has passed"
    await site.let_pass(3.5)
    found = await ask(pump, Subscription("#"))
    assert [(each.topic, each.properties) for each in found] == [
        ("short", {"message_expiry_interval": 1}),
        ("long", {"message_expiry_interval": 96}),
    ]
    await site.let_pass(1)
    assert told(await ask(pump, Subscription("#"))) == [("long", b"x")]
    await site.let_pass(10)
    assert len(site.hub.retained) == 1
    await settled(site)
    assert [each.topic for _, each in site.store.retained_messages()] == ["long"]


# Whose they are


@BOTH
async def test_a_will(site: Site, version: Version) -> None:
    """[MQTT-3.1.2-14] [MQTT-3.1.2-15]"""
    watcher = await site.log_in(site.add_device("watcher"), version)
    for number, retained in enumerate((True, False)):
        pump = site.add_device(f"pump-{number}")
        will = Will(f"gone/{number}", b"gone", 1, retained)
        await site.log_out(pump, await site.log_in(pump, version, will=will))
    assert told(await ask(watcher, Subscription("gone/#"))) == [("gone/0", b"gone")]


async def test_the_tree_of_a_device_that_was_removed(site: Site) -> None:
    pump = await site.log_in(site.add_device())
    await retain(pump, "$oc/devices/pump-1/user/a")
    await retain(pump, "$oc/devices/pump-1/user/b")
    await retain(pump, "shared")
    site.store.remove_device("default", "pump-1")
    pump = await site.log_in(site.add_device())
    assert told(await ask(pump, Subscription("$oc/devices/pump-1/#"), Subscription("#"))) == [("shared", b"x")]


# Where they are not available


async def test_not_available_in_version_5(new_site: NewSite) -> None:
    """[MQTT-3.2.2-13] [MQTT-3.2.2-14]"""
    site = await new_site(mqtt(retain_available=False))
    pump = site.add_device()
    client = await site.client()
    connack = await client.log_in(pump)
    assert connack.properties["retain_available"] == 0
    client.publish("a", b"x", retain=True)
    assert await client.ended() == 0x9A
    client = await site.client()
    connack = await client.connect("pump-1", "pump-1", pump.secret, will=Will("a", b"", retain=True))
    assert connack.reason_code == 0x9A


async def test_not_available_in_older_versions(new_site: NewSite) -> None:
    site = await new_site(mqtt(retain_available=False))
    watcher = await site.log_in(site.add_device("watcher"), Version.V311)
    await watcher.subscribe("#")
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311, will=Will("b", b"gone", retain=True))
    client.publish("a", b"x", retain=True)
    await client.quiet()
    await site.log_out(pump, client)
    assert [(each.topic, each.retain) for each in await follow(watcher)] == [("a", False), ("b", False)]
    assert await ask(watcher, Subscription("#")) == []


async def test_what_was_retained_comes_back_with_the_setting(new_site: NewSite) -> None:
    site = await new_site()
    await retain(await site.log_in(site.add_device()), "a")
    for available in (False, True):
        site._settings = mqtt(retain_available=available)
        await site.restart()
        other = await site.log_in(site.add_device(f"other-{available}"))
        assert len(await ask(other, Subscription("#"))) == available
