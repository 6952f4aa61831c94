"""Topic aliases both ways [MQTT5 3.3.2.3.4]: what is sent is short, what arrives has its topic."""

import pytest

from bridge.broker.aliases import OutboundAliases
from bridge.model.device import Device
from bridge.mqtt import Properties, Puback, Publish, Version
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt
from tests.broker.test_flow import line_of

KEPT: Properties = {"session_expiry_interval": 1000}


async def listener(site: Site, maximum: int, device_id: str = "listener") -> tuple[RawClient, Device]:
    device = site.add_device(device_id)
    client = await site.log_in(device, properties={"topic_alias_maximum": maximum, "maximum_packet_size": 200})
    await client.subscribe("#", 0)
    return client, device


async def heard(client: RawClient) -> tuple[str, int | None]:
    publish = await client.receive(Publish)
    return publish.topic, publish.properties.get("topic_alias")


# From the client


async def test_a_topic_is_said_once(site: Site) -> None:
    """[MQTT-3.3.2-12] and an alias is of no concern to subscribers [MQTT-3.3.2-7]."""
    sender = await site.log_in(site.add_device("sender"))
    client, _ = await listener(site, 0)
    for topic, alias in (("a/long/topic", 1), ("", 1), ("b", 16), ("", 1), ("", 16), ("c", 1), ("", 1)):
        sender.send(Publish(topic, b"x", properties={"topic_alias": alias}))
    topics = [await heard(client) for _ in range(7)]
    expected = ["a/long/topic", "a/long/topic", "b", "a/long/topic", "b", "c", "c"]
    assert topics == [(topic, None) for topic in expected]


async def test_aliases_end_with_the_connection(site: Site) -> None:
    """[MQTT-3.3.2-7] also of a session that goes on."""
    device = site.add_device()
    sender = await site.log_in(device, properties=KEPT)
    sender.send(Publish("a", b"x", 1, packet_id=1, properties={"topic_alias": 1}))
    await sender.receive(Puback)
    await sender.disconnect()
    sender = await site.log_in(device, clean=False, properties=KEPT)
    sender.send(Publish("", b"x", properties={"topic_alias": 1}))
    assert await sender.ended() == 0x82


async def test_what_may_not_be_published_may_not_by_alias(site: Site) -> None:
    sender = await site.log_in(site.add_device())
    for topic in ("$oc/devices/other/user/a", ""):
        sender.send(Publish(topic, b"x", 1, packet_id=1, properties={"topic_alias": 2}))
        assert (await sender.receive(Puback)).reason_code == 0x87


@pytest.mark.parametrize(("maximum", "alias", "reason"), [(0, 1, 0x94), (3, 4, 0x94), (3, 65_535, 0x94)])
async def test_above_what_was_announced(new_site: NewSite, maximum: int, alias: int, reason: int) -> None:
    """[MQTT-3.3.2-9]"""
    site = await new_site(mqtt(topic_alias_maximum=maximum))
    client = await site.client()
    connack = await client.log_in(site.add_device())
    assert connack.properties.get("topic_alias_maximum", 0) == maximum
    client.send(Publish("a", b"x", properties={"topic_alias": alias}))
    assert await client.ended() == reason


async def test_zero(site: Site) -> None:
    """[MQTT-3.3.2-8]"""
    client = await site.log_in(site.add_device())
    client.send_bytes(b"\x30\x07\x00\x01a\x03\x23\x00\x00")
    assert await client.ended() == 0x94


# To the client


async def test_topics_are_sent_once(site: Site) -> None:
    """[MQTT-3.1.2-26]"""
    client, _ = await listener(site, 2)
    for topic in ("topic/1", "topic/2", "topic/1", "topic/2"):
        site.hub.router.route("default", Publish(topic, b"x"))
    assert [await heard(client) for _ in range(4)] == [("topic/1", 1), ("topic/2", 2), ("", 1), ("", 2)]


async def test_the_least_recently_used_is_given_up(site: Site) -> None:
    client, _ = await listener(site, 2)
    for number in (1, 2, 1, 3, 1, 2):
        site.hub.router.route("default", Publish(f"topic/{number}", b"x"))
    assert [await heard(client) for _ in range(6)] == [
        ("topic/1", 1),
        ("topic/2", 2),
        ("", 1),
        ("topic/3", 2),
        ("", 1),
        ("topic/2", 2),
    ]


async def test_no_alias_for_whoever_allows_none(site: Site) -> None:
    """[MQTT-3.1.2-27]"""
    _, device = await listener(site, 0)
    assert line_of(site, device).aliases is None
    for version in (Version.V31, Version.V311):
        older = site.add_device(version.name.lower())
        await site.log_in(older, version)
        assert line_of(site, older).aliases is None


async def test_ours_is_a_bound_too(new_site: NewSite) -> None:
    site = await new_site(mqtt(topic_alias_maximum=1))
    client, _ = await listener(site, 1000)
    for topic in ("topic/1", "topic/2", "topic/2"):
        site.hub.router.route("default", Publish(topic, b"x"))
    assert [await heard(client) for _ in range(3)] == [("topic/1", 1), ("topic/2", 1), ("", 1)]


async def test_a_short_topic_is_shorter_than_an_alias(site: Site) -> None:
    client, _ = await listener(site, 2)
    for _ in range(2):
        site.hub.router.route("default", Publish("abc", b"x"))
    assert [await heard(client) for _ in range(2)] == [("abc", None)] * 2


async def test_what_is_too_large_establishes_nothing(site: Site) -> None:
    client, _ = await listener(site, 2)
    for payload in (b"x" * 300, b"x", b"x" * 300, b"x"):
        site.hub.router.route("default", Publish("topic/1", payload))
    assert [await heard(client) for _ in range(2)] == [("topic/1", 1), ("", 1)]
    await client.quiet()


async def test_what_is_too_large_only_with_an_alias_goes_without(site: Site) -> None:
    client, _ = await listener(site, 2)
    # fixed header, topic, property length, payload: 200 bytes without the 3 of an alias
    payload = b"x" * (200 - 3 - 9 - 1)
    site.hub.router.route("default", Publish("topic/1", payload))
    site.hub.router.route("default", Publish("topic/1", b"x"))
    assert [await heard(client) for _ in range(2)] == [("topic/1", None), ("topic/1", 1)]


async def test_what_is_dropped_establishes_nothing(site: Site) -> None:
    """QoS 0 for a client that does not read."""
    client, device = await listener(site, 2)
    line = line_of(site, device)
    line.congested = True
    site.hub.router.route("default", Publish("topic/1", b"x"))
    line.congested = False
    site.hub.router.route("default", Publish("topic/1", b"x"))
    assert await heard(client) == ("topic/1", 1)


async def test_sent_again_with_the_topic(site: Site) -> None:
    """The next connection knows no aliases of this one."""
    device = site.add_device()
    allowing: Properties = {**KEPT, "topic_alias_maximum": 5}
    client = await site.log_in(device, clean=False, properties=allowing)
    await client.subscribe("#", 1)
    for _ in range(2):
        site.hub.router.route("default", Publish("topic/1", b"x", 1))
    assert [await heard(client) for _ in range(2)] == [("topic/1", 1), ("", 1)]
    await site.log_out(device, client)
    client = await site.log_in(device, clean=False, properties=allowing)
    again = [await client.take() for _ in range(2)]
    assert [(publish.topic, publish.dup) for publish in again] == [("topic/1", True), ("", True)]
    assert [publish.properties["topic_alias"] for publish in again] == [1, 1]
    await site.log_out(device, client)
    client = await site.log_in(device, clean=False, properties=KEPT)
    site.hub.router.route("default", Publish("topic/1", b"x", 1))
    assert await heard(client) == ("topic/1", None)


async def test_downlinks_use_them(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, properties={"topic_alias_maximum": 1})
    for _ in range(2):
        await site.submit(pump)
    first, second = [await client.take() for _ in range(2)]
    assert first.topic == "$oc/devices/pump-1/sys/messages/down"
    assert first.properties["topic_alias"] == 1
    assert (second.topic, second.properties["topic_alias"]) == ("", 1)


async def test_no_more_topics_are_remembered_than_there_are_aliases(site: Site) -> None:
    client, device = await listener(site, 3)
    aliases = line_of(site, device).aliases
    assert isinstance(aliases, OutboundAliases)
    for number in range(100):
        site.hub.router.route("default", Publish(f"topic/{number}", b"x"))
    numbers = {(await heard(client))[1] for _ in range(100)}
    assert numbers == {1, 2, 3}
    assert sorted(aliases._aliases.values()) == [1, 2, 3]
