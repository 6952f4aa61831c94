"""Many retained messages for one subscription: at the pace of its client."""

import asyncio

import pytest
from amqtt.contexts import Action
from amqtt.plugins.base import BaseTopicPlugin
from amqtt.session import Session

from bridge.broker.retained_feed import _STEPS
from bridge.mqtt import Properties, Puback, Publish, Suback, Subscribe, Subscription, Version
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt
from tests.broker.test_retained import BOTH, ask, follow, told

SLOW = Properties(receive_maximum=2)


def keep(site: Site, count: int, *, qos: int = 1, payload: bytes = b"x") -> list[str]:
    topics = [f"a/{number}" for number in range(count)]
    for topic in topics:
        site.hub.retained.keep("default", Publish(topic, payload, qos, True), "")
    return topics


async def some(client: RawClient, count: int) -> list[Publish]:
    found = [await client.receive(Publish) for _ in range(count)]
    await client.quiet()
    return found


async def subscribe(client: RawClient, topic_filter: str = "a/#", qos: int = 1) -> None:
    client.send(Subscribe(client.packet_id(), [Subscription(topic_filter, qos)]))
    await client.receive(Suback)


async def test_no_more_than_the_window(site: Site) -> None:
    """[MQTT-3.3.4-9]"""
    topics = keep(site, 5)
    pump = await site.log_in(site.add_device(), properties=SLOW)
    await subscribe(pump)
    first, second = await some(pump, 2)
    pump.send(Puback(first.packet_id))
    [third] = await some(pump, 1)
    pump.send(Puback(second.packet_id), Puback(third.packet_id))
    rest = await some(pump, 2)
    assert [each.topic for each in (first, second, third, *rest)] == topics
    assert all(each.retain for each in (first, second, third, *rest))
    pump.send(*(Puback(each.packet_id) for each in rest))
    await pump.quiet()


@BOTH
async def test_what_the_window_holds_up_comes_after_a_reconnect(site: Site, version: Version) -> None:
    topics = keep(site, 100)
    pump = site.add_device()
    client = await site.log_in(pump, version, clean=False, properties=Properties(session_expiry_interval=100))
    await subscribe(client)
    sent = await some(client, 64)
    await site.log_out(pump, client)
    client = await site.log_in(pump, version, clean=False, properties=Properties(session_expiry_interval=100))
    again = await follow(client)
    assert [each.topic for each in again] == topics
    assert [each.dup for each in again] == [True] * len(sent) + [False] * 36


async def test_a_session_that_ends_takes_its_rest_with_it(site: Site) -> None:
    keep(site, 5)
    pump = site.add_device()
    client = await site.log_in(pump, properties=SLOW)
    await subscribe(client)
    await some(client, 2)
    await site.log_out(pump, client)
    assert await follow(await site.log_in(pump, clean=False)) == []


async def test_a_subscription_that_ends_takes_its_rest_with_it(site: Site) -> None:
    keep(site, 5)
    pump = await site.log_in(site.add_device(), properties=SLOW)
    await subscribe(pump)
    sent = await some(pump, 2)
    await pump.unsubscribe("a/#")
    pump.send(*(Puback(each.packet_id) for each in sent))
    await pump.quiet()


async def test_the_same_subscription_begins_anew(site: Site) -> None:
    topics = keep(site, 5)
    pump = await site.log_in(site.add_device(), properties=SLOW)
    await subscribe(pump)
    sent = await some(pump, 2)
    await subscribe(pump)
    pump.send(*(Puback(each.packet_id) for each in sent))
    assert [each.topic for each in await follow(pump)] == topics


async def test_messages_between_clients_go_before_the_rest(site: Site) -> None:
    """And each topic ends with its newest message."""
    keep(site, 4)
    pump = await site.log_in(site.add_device(), properties=SLOW)
    await subscribe(pump)
    sent = await some(pump, 2)
    other = await site.log_in(site.add_device("other"))
    other.publish("a/3", b"newer", 1, retain=True)
    assert (await other.receive(Puback)).reason_code == 0
    pump.send(*(Puback(each.packet_id) for each in sent))
    found = await follow(pump)
    assert [(each.topic, each.payload, each.retain) for each in found] == [
        ("a/3", b"newer", False),
        ("a/2", b"x", True),
        ("a/3", b"newer", True),
    ]


async def test_what_waits_for_the_client_goes_first(site: Site) -> None:
    keep(site, 1, qos=0)
    pump = await site.log_in(site.add_device(), properties=SLOW)
    await subscribe(pump, "b")
    for number in range(3):
        site.hub.router.publish("default", Publish("b", b"%d" % number, 1))
    sent = await some(pump, 2)
    await subscribe(pump, qos=0)
    await pump.quiet()
    pump.send(*(Puback(each.packet_id) for each in sent))
    assert told(await follow(pump)) == [("b", b"2"), ("a/0", b"x")]


@pytest.mark.parametrize("qos", [0, 1])
async def test_more_than_one_turn_of_the_loop(site: Site, qos: int) -> None:
    topics = keep(site, 3 * _STEPS, qos=qos)
    pump = await site.log_in(site.add_device())
    found = await ask(pump, Subscription("#", qos))
    assert [each.topic for each in found] == topics
    assert pump_feed(site) is None


async def test_others_have_their_turn_in_between(site: Site) -> None:
    keep(site, 20 * _STEPS, qos=0)
    site.hub.retained.keep("default", Publish("b", b"x", 0, True), "")
    pump = await site.log_in(site.add_device())
    session = site.hub.sessions._sessions["default", "pump-1"]
    for topic_filter in ("a/+/none", "b"):
        site.hub.router.subscribe(session, Subscription(topic_filter))
    site.hub.feeds.subscribed(session, [("a/+/none", True), ("b", True)])
    turns = 0
    while session.feed is not None:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 20
    assert (await pump.receive(Publish)).topic == "b"


async def test_a_client_that_does_not_read(site: Site) -> None:
    topics = keep(site, 200, qos=0, payload=bytes(100_000))
    pump = site.add_device()
    client = await site.log_in(pump)
    client.transport.pause_reading()
    client.send(Subscribe(1, [Subscription("#")]))
    await site.heard.wait("subscribed", pump.key)
    other = await site.log_in(site.add_device("other"))
    await other.quiet()
    assert pump_feed(site) is not None
    client.transport.resume_reading()
    await client.receive(Suback)
    assert [(await client.receive(Publish)).topic for _ in topics] == topics


async def test_a_message_that_is_too_large_for_the_client(site: Site) -> None:
    """[MQTT-3.1.2-25]"""
    site.hub.retained.keep("default", Publish("large", bytes(1000), 1, True), "")
    keep(site, 1)
    pump = await site.log_in(site.add_device(), properties=Properties(maximum_packet_size=500))
    assert told(await ask(pump, Subscription("#", 1))) == [("a/0", b"x")]


async def test_beside_the_backlog_of_the_device(site: Site) -> None:
    topics = keep(site, 5)
    pump = site.add_device()
    for _ in range(6):
        await site.submit(pump)
    client = await site.log_in(pump, properties=SLOW)
    client.send(Subscribe(1, [Subscription("a/#", 1)]))
    backlog = [await client.receive(Publish), await client.receive(Publish)]
    await client.receive(Suback)
    client.send(*(Puback(each.packet_id) for each in backlog))
    found = await follow(client)
    assert [each.topic for each in found if each.retain] == topics
    assert len(found) == 4 + len(topics)


def pump_feed(site: Site) -> object:
    session = site.hub.sessions._sessions["default", "pump-1"]
    return session.feed


class Judging(BaseTopicPlugin):
    """Forbids to receive what is secret, after some thought."""

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        await asyncio.sleep(0)
        return action is not Action.RECEIVE or "secret" not in (topic or "")


async def test_topic_plug_ins_are_asked_about_each(new_site: NewSite) -> None:
    """One by one: a queue would overflow."""
    site = await new_site(mqtt(max_queued_messages=5, plugins={f"{__name__}.Judging": {}}))
    topics = keep(site, 100)
    for topic in ("a/secret", "secret"):
        site.hub.retained.keep("default", Publish(topic, b"x", 1, True), "")
    pump = await site.log_in(site.add_device(), properties=SLOW)
    await subscribe(pump, "#")
    found = [await pump.take() for _ in topics]
    assert [each.topic for each in found] == topics
    await pump.quiet()


async def test_a_backlog_that_is_gone_holds_nothing_up(site: Site) -> None:
    keep(site, 2)
    pump = site.add_device()
    first, second = [await site.submit(pump) for _ in range(2)]
    client = await site.log_in(pump, properties=Properties(receive_maximum=1))
    backlog = await client.receive(Publish)
    await subscribe(client)
    await site.delivery.cancel(pump.project, pump.device_id, second.draft.message_id)
    client.send(Puback(backlog.packet_id))
    assert [each.topic for each in await follow(client)] == ["a/0", "a/1"]
    assert first.draft.message_id in backlog.payload.decode()
