"""Several subscriptions of one client that match the same message."""

import pytest

from bridge.mqtt import Properties, Puback, Publish, ReasonCode, Suback, Subscribe, Subscription, Version
from tests.broker.client import RawClient
from tests.broker.site import Site
from tests.broker.test_messages import BOTH, KEPT, publish


@pytest.fixture
async def sender(site: Site) -> RawClient:
    return await site.log_in(site.add_device("sender"))


async def ask(client: RawClient, *subscriptions: Subscription, identifier: int = 0) -> list[int]:
    """The codes in the SUBACK."""
    packet_id = client.packet_id()
    properties = Properties(subscription_identifiers=[identifier]) if identifier else Properties()
    client.send(Subscribe(packet_id, list(subscriptions), properties))
    suback = await client.receive(Suback)
    assert suback.packet_id == packet_id
    return suback.reason_codes


def identifiers(message: Publish) -> list[int]:
    return sorted(message.properties.get("subscription_identifiers", []))


@BOTH
async def test_one_copy_at_the_highest_qos(site: Site, sender: RawClient, version: Version) -> None:
    """[MQTT-3.3.4-2] [MQTT3-3.3.5-1]"""
    client = await site.log_in(site.add_device(), version)
    assert await ask(client, Subscription("a/b", 0), Subscription("a/+", 2), Subscription("#", 1)) == [0, 2, 1]
    await publish(sender, "a/b", b"x", 2)
    assert (await client.take()).qos == 2
    await publish(sender, "a/c", b"x", 1)
    assert (await client.take()).qos == 1
    await client.quiet()


async def test_one_copy_with_all_identifiers(site: Site, sender: RawClient) -> None:
    """Also the same one twice [MQTT-3.3.4-3] [MQTT-3.3.4-4]; one SUBSCRIBE gives it to all its filters."""
    client = await site.log_in(site.add_device())
    assert await ask(client, Subscription("a/b", 1), Subscription("c", 1), identifier=7) == [1, 1]
    await ask(client, Subscription("a/+"), identifier=268_435_455)
    await ask(client, Subscription("a/#"), identifier=7)
    await ask(client, Subscription("+/b", 1))
    for topic, wanted in {"a/b": [7, 7, 268_435_455], "c": [7], "a/c": [7, 268_435_455], "x/b": []}.items():
        await publish(sender, topic, b"x", 1, {"user_properties": [("k", "v")]})
        message = await client.take()
        assert identifiers(message) == wanted
        assert message.properties["user_properties"] == [("k", "v")]
    await client.quiet()


async def test_a_second_subscription_replaces_the_identifier(site: Site, sender: RawClient) -> None:
    """[MQTT-3.8.4-3]"""
    client = await site.log_in(site.add_device())
    for identifier in (1, 2, 0):
        await ask(client, Subscription("a", identifier), identifier=identifier)
        await publish(sender, "a", b"x", 1)
        message = await client.take()
        assert identifiers(message) == ([identifier] if identifier else [])
        assert message.qos == min(identifier, 1)
    await client.quiet()


async def test_identifiers_outlive_the_connection(site: Site, sender: RawClient) -> None:
    """In the session, in what waits, and in what is sent again."""
    pump = site.add_device()
    client = await site.log_in(pump, properties=KEPT)
    await ask(client, Subscription("a", 1), identifier=9)
    await publish(sender, "a", b"1")
    assert identifiers(await client.receive(Publish)) == [9]
    await site.log_out(pump, client)
    await publish(sender, "a", b"2")
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await publish(sender, "a", b"3")
    messages = [await client.take() for _ in range(3)]
    assert [(message.payload, message.dup, identifiers(message)) for message in messages] == [
        (b"1", True, [9]),
        (b"2", False, [9]),
        (b"3", False, [9]),
    ]


async def test_identifiers_are_of_the_receiver(site: Site, sender: RawClient) -> None:
    clients = [await site.log_in(site.add_device(f"pump-{number}")) for number in (1, 2, 3)]
    for identifier, client in enumerate(clients):
        await ask(client, Subscription("a", 1), identifier=identifier)
    await publish(sender, "a", b"x")
    assert [identifiers(await client.take()) for client in clients] == [[], [1], [2]]


async def test_no_local_leaves_one_subscription_out(site: Site, sender: RawClient) -> None:
    """The others of the same client stay [MQTT-3.8.3-3]."""
    other = await site.log_in(site.add_device("other"))
    for client in (sender, other):
        await ask(client, Subscription("a/b", 1, no_local=True), identifier=1)
        await ask(client, Subscription("a/+", 0), identifier=2)
        await ask(client, Subscription("+/b", 2, no_local=True), identifier=3)
    sender.publish("a/b", b"x", 2)
    own, *_ = [packet for packet in await sender.before_pong() if isinstance(packet, Publish)]
    assert (own.qos, identifiers(own)) == (0, [2])
    message = await other.take()
    assert (message.qos, identifiers(message)) == (2, [1, 2, 3])
    await other.quiet()


async def test_no_local_everywhere(site: Site, sender: RawClient) -> None:
    await ask(sender, Subscription("a/b", no_local=True), Subscription("a/+", no_local=True))
    assert await publish(sender, "a/b", b"x", 1) == ReasonCode.SUCCESS, "it is a subscriber"
    assert await publish(sender, "b/b", b"x", 1) == ReasonCode.NO_MATCHING_SUBSCRIBERS
    await sender.quiet()


@pytest.mark.parametrize(("first", "second", "flag"), [(0, 0, False), (0, 1, True), (1, 0, True), (1, 1, True)])
async def test_retain_as_published(site: Site, first: int, second: int, flag: bool) -> None:
    """[MQTT-3.3.1-12] [MQTT-3.3.1-13]; where one copy stands for two, one that asks is enough."""
    client = await site.log_in(site.add_device())
    await ask(
        client,
        Subscription("a/b", 1, retain_as_published=bool(first)),
        Subscription("a/+", retain_as_published=bool(second)),
    )
    for retain in (False, True):
        site.hub.router.route("default", Publish("a/b", b"x", 1, retain))
        assert (await client.take()).retain == (retain and flag)
    await client.quiet()


async def test_downlinks_carry_identifiers(site: Site) -> None:
    """A message of an application for the device, on a topic it subscribed to."""
    pump = site.add_device()
    client = await site.log_in(pump)
    await ask(client, Subscription("$oc/devices/pump-1/user/#", 1), identifier=5)
    await site.submit(pump, topic="$oc/devices/pump-1/user/a")
    assert identifiers(await client.take()) == [5]
    await site.submit(pump)
    assert identifiers(await client.take()) == []


async def test_the_rest_of_its_time(site: Site, sender: RawClient) -> None:
    """Each client is told what is left when its copy leaves [MQTT-3.3.2-6], also when it is sent again."""
    pump, other = site.add_device(), site.add_device("other")
    client, waiting = await site.log_in(pump, properties=KEPT), await site.log_in(other, properties=KEPT)
    for each in (client, waiting):
        await each.subscribe("a")
    await site.log_out(other, waiting)
    await publish(sender, "a", b"x", 1, {"message_expiry_interval": 100})
    assert (await client.receive(Publish)).properties["message_expiry_interval"] == 100
    await site.log_out(pump, client)
    await site.let_pass(40)
    for device in (pump, other):
        client = await site.log_in(device, clean=False, properties=KEPT)
        message = await client.take()
        assert 58 <= message.properties["message_expiry_interval"] <= 60
        assert message.dup == (device is pump)


async def test_sent_again_only_if_it_still_fits(site: Site, sender: RawClient) -> None:
    """The client takes less on its second connection [MQTT-3.1.2-24] [MQTT-3.1.2-25]."""
    pump = site.add_device()
    client = await site.log_in(pump, properties=KEPT)
    await client.subscribe("a")
    for size in (100, 1):
        await publish(sender, "a", bytes(size))
        await client.receive(Publish)
    await site.log_out(pump, client)
    client = await site.log_in(pump, clean=False, properties={**KEPT, "maximum_packet_size": 50})
    message = await client.receive(Publish)
    assert (message.payload, message.dup) == (b"\0", True)
    client.send(Puback(message.packet_id))
    await client.quiet()
    session = site.hub.sessions.of_device(pump.key)
    assert session is not None
    assert not session.flights
