"""What waits for a device is worked off in order, in pages, and as far as its window allows."""

import asyncio
from collections.abc import Iterable

import pytest

from bridge.broker.base import Downlink, Downlinks, Handed
from bridge.broker.link import Link
from bridge.delivery import Delivery, DeliverySettings
from bridge.model.message import Message, Status
from bridge.model.topics import user_topic
from bridge.mqtt import Pingreq, Pingresp, Puback, Publish, Version
from tests.broker.client import RawClient
from tests.broker.site import Site, mqtt
from tests.delivery.conftest import NewSite

NEWS = user_topic("pump-1", "news")


async def submit(site: Site, count: int, device_id: str = "pump-1", topic: str | None = None) -> list[Message]:
    device = site.store.device("default", device_id)
    assert device is not None
    return list(await asyncio.gather(*(site.submit(device, topic=topic) for _ in range(count))))


def ids(messages: Iterable[Message]) -> list[str]:
    return [message.draft.message_id for message in messages]


def id_of(publish: Publish) -> str:
    """Of the message in the standard envelope."""
    return publish.payload.partition(b'"id":"')[2].partition(b'"')[0].decode()


async def receive(client: RawClient, count: int) -> list[Publish]:
    return [await client.receive(Publish) for _ in range(count)]


async def take(client: RawClient, count: int) -> list[str]:
    return [id_of(await client.take()) for _ in range(count)]


async def delivered(site: Site, messages: Iterable[Message]) -> bool:
    return {await site.stored_as(message) for message in messages} == {Status.DELIVERED}


@pytest.mark.parametrize("version", [Version.V311, Version.V5])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_in_the_order_of_acceptance(new_site: NewSite, version: Version, qos: int) -> None:
    site = await new_site(mqtt(max_inflight=4, downlink_qos=qos))
    pump = site.add_device()
    messages = await submit(site, 50)
    client = await site.log_in(pump, version)
    assert await take(client, 50) == ids(messages)
    await client.quiet()
    assert await delivered(site, messages)


async def test_new_messages_stand_behind_the_backlog(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=3))
    pump = site.add_device()
    waiting = await submit(site, 10)
    client = await site.log_in(pump)
    received = [id_of(publish) for publish in await receive(client, 3)]
    fresh = await submit(site, 10)
    await client.quiet()
    client.send(*(Puback(packet_id) for packet_id in (1, 2, 3)))
    received += await take(client, 17)
    assert received == ids(waiting) + ids(fresh)


async def test_an_unacknowledged_message_does_not_block_those_behind_it(new_site: NewSite) -> None:
    """P4: a window, not stop-and-wait."""
    site = await new_site(mqtt(max_inflight=4))
    pump = site.add_device()
    messages = await submit(site, 40)
    client = await site.log_in(pump)
    stuck = await client.receive(Publish)
    assert await take(client, 39) == ids(messages)[1:]
    await client.quiet()
    assert await delivered(site, messages[1:])
    assert site.status(pump, messages[0]) is Status.PENDING
    await client.acknowledge(stuck)
    await client.quiet()
    assert await delivered(site, messages)


@pytest.mark.parametrize(("ours", "theirs", "window"), [(8, None, 8), (8, 3, 3), (3, 8, 3), (1, None, 1)])
async def test_the_window_is_the_smaller_of_both(new_site: NewSite, ours: int, theirs: int | None, window: int) -> None:
    site = await new_site(mqtt(max_inflight=ours))
    pump = site.add_device()
    messages = await submit(site, 20)
    client = await site.log_in(pump, properties={"receive_maximum": theirs} if theirs else {})
    first = await receive(client, window)
    await client.quiet()
    for publish in first:
        await client.acknowledge(publish)
    assert [id_of(publish) for publish in first] + await take(client, 20 - window) == ids(messages)


async def test_acknowledged_out_of_order(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=4))
    pump = site.add_device()
    messages = await submit(site, 8)
    client = await site.log_in(pump)
    first = await receive(client, 4)
    for publish in reversed(first):
        await client.acknowledge(publish)
    assert await take(client, 4) == ids(messages)[4:]
    await client.quiet()
    assert await delivered(site, messages)


async def test_more_than_several_pages(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=16), DeliverySettings(ack_wait=0))
    pump = site.add_device()
    messages = await submit(site, 1000)
    client = await site.log_in(pump)
    assert await take(client, 1000) == ids(messages)
    await client.quiet()
    assert await delivered(site, messages)


async def test_many_that_nobody_subscribed_to_are_passed_over(new_site: NewSite) -> None:
    """Several pages in which nothing can be sent do not end the work."""
    site = await new_site(mqtt(max_inflight=4))
    pump = site.add_device()
    others = await submit(site, 50, topic=NEWS)
    messages = await submit(site, 10)
    client = await site.log_in(pump)
    assert await take(client, 10) == ids(messages)
    await client.quiet()
    assert {site.status(pump, message) for message in others} == {Status.PENDING}

    await client.subscribe("something/else")
    await client.quiet()
    await client.subscribe(NEWS)
    assert await take(client, 50) == ids(others)
    await client.quiet()
    assert await delivered(site, others)


async def test_a_subscription_brings_what_was_passed_over(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    (early,) = await submit(site, 1, topic=NEWS)
    (unrelated,) = await submit(site, 1)
    held = await client.receive(Publish)
    assert id_of(held) == unrelated.draft.message_id
    await client.subscribe(user_topic("pump-1", "#"))
    assert await take(client, 1) == ids([early])
    await client.quiet()  # what is in flight is not sent again
    await client.acknowledge(held)
    await client.quiet()
    assert await delivered(site, [early, unrelated])


async def test_a_subscription_while_the_window_is_full(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=2))
    pump = site.add_device()
    client = await site.log_in(pump)
    first = await submit(site, 3)
    news = await submit(site, 3, topic=NEWS)
    last = await submit(site, 3)
    held = await receive(client, 2)
    await client.subscribe(NEWS)
    await client.quiet()
    for publish in held:
        await client.acknowledge(publish)
    assert await take(client, 7) == [*ids(first)[2:], *ids(news), *ids(last)]


async def test_no_subscription_no_more_messages(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    await client.subscribe(NEWS)
    messages = await submit(site, 1, topic=NEWS)
    await take(client, 1)
    await client.unsubscribe(NEWS)
    (later,) = await submit(site, 1, topic=NEWS)
    await client.quiet()
    assert await delivered(site, messages)
    assert site.status(pump, later) is Status.PENDING


async def test_a_kept_session_keeps_its_subscriptions(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311, clean=False)
    await client.subscribe(NEWS)
    await site.log_out(pump, client)
    messages = await submit(site, 3, topic=NEWS)
    client = await site.log_in(pump, Version.V311, clean=False)
    assert await take(client, 3) == ids(messages)
    await site.log_out(pump, client)
    await submit(site, 3, topic=NEWS)
    client = await site.log_in(pump, Version.V311, clean=True)
    await client.quiet()


@pytest.mark.parametrize("clean", [True, False])
async def test_sent_again_on_the_next_connection(new_site: NewSite, clean: bool) -> None:
    """P6: with DUP and the same identifier, before everything that was not sent, and each once more."""
    site = await new_site(mqtt(max_inflight=3))
    pump = site.add_device()
    messages = await submit(site, 5)
    client = await site.log_in(pump, Version.V311, clean=clean)
    first = await receive(client, 3)
    await client.acknowledge(first[1])
    await client.quiet()
    await site.log_out(pump, client)

    client = await site.log_in(pump, Version.V311, clean=clean)
    again = await receive(client, 3)
    assert [(p.dup, p.packet_id, p.payload) for p in again[:2]] == [
        (True, p.packet_id, p.payload) for p in (first[0], first[2])
    ]
    assert (again[2].dup, id_of(again[2])) == (False, messages[3].draft.message_id)
    for publish in again:
        await client.acknowledge(publish)
    assert await take(client, 1) == ids(messages)[4:]
    await client.quiet()
    assert await delivered(site, messages)
    outbox = site.delivery._outboxes[pump.key]
    assert not outbox.inflight
    assert not outbox.sent_before


async def test_sent_again_after_a_take_over(site: Site) -> None:
    pump = site.add_device()
    first = await site.log_in(pump)
    await submit(site, 2)
    await receive(first, 2)
    second = await site.log_in(pump)
    assert [publish.dup for publish in await receive(second, 2)] == [True, True]
    assert await first.ended() == 0x8E
    await second.quiet()


async def test_sent_at_qos_0_before_is_not_a_duplicate(new_site: NewSite) -> None:
    """A message that was written at QoS 0 is delivered, and is not sent again at all."""
    site = await new_site(mqtt(downlink_qos=0))
    pump = site.add_device()
    client = await site.log_in(pump)
    messages = await submit(site, 2)
    assert [publish.dup for publish in await receive(client, 2)] == [False, False]
    await site.log_out(pump, client)
    client = await site.log_in(pump)
    await client.quiet()
    assert await delivered(site, messages)


@pytest.mark.parametrize("at_once", [1, 2, 16])
async def test_devices_take_turns(new_site: NewSite, at_once: int) -> None:
    """Everybody's backlog is worked off, however few are worked on at once."""
    site = await new_site(mqtt(max_inflight=4), DeliverySettings(ack_wait=0, max_concurrent_drains=at_once))
    pumps = [site.add_device(f"pump-{number}") for number in range(5)]
    waiting = [await submit(site, 20, pump.device_id) for pump in pumps]
    clients = [await site.client() for _ in pumps]
    await asyncio.gather(*(client.log_in(pump) for client, pump in zip(clients, pumps, strict=True)))
    received = await asyncio.gather(*(take(client, 20) for client in clients))
    assert received == [ids(messages) for messages in waiting]


async def test_a_connection_that_ends_while_its_turn_is_awaited(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, max_concurrent_drains=1))
    pump, other = site.add_device(), site.add_device("pump-2")
    messages = await submit(site, 3)
    theirs = await submit(site, 3, "pump-2")
    client = await site.log_in(other)
    site.heard.connected(pump.key)
    site.heard.disconnected(pump.key)
    assert await take(client, 3) == ids(theirs)
    client = await site.log_in(pump)
    assert await take(client, 3) == ids(messages)


async def test_a_backlog_that_cannot_be_read_is_tried_again(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    pump = site.add_device()
    messages = await submit(site, 3)
    async with site.unreadable("message"):
        client = await site.log_in(pump)
        await client.quiet()
        await site.let_pass(1)
        await client.quiet()
    assert "the database cannot be used" in caplog.text
    await client.quiet()
    await site.let_pass(1)
    assert await take(client, 3) == ids(messages)


async def test_backlogs_that_are_tried_again_together(new_site: NewSite) -> None:
    """Each has its turn, though only one is worked on at once and the first have nothing left to be sent."""
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, max_concurrent_drains=1))
    pumps = [site.add_device(f"pump-{number}") for number in range(4)]
    clients = [await site.log_in(pump) for pump in pumps]
    messages = [await submit(site, 1, pump.device_id, f"$oc/devices/{pump.device_id}/user/news") for pump in pumps]
    async with site.unreadable("message"):
        for client, pump in zip(clients, pumps, strict=True):
            await client.subscribe(f"$oc/devices/{pump.device_id}/user/#")
        await clients[0].quiet()
    for device_id, (message,) in (("pump-0", messages[0]), ("pump-1", messages[1])):
        await site.delivery.cancel("default", device_id, message.draft.message_id)
    await site.let_pass(1)
    for client, (message,) in zip(clients[2:], messages[2:], strict=True):
        assert await take(client, 1) == [message.draft.message_id]


async def test_expired_ones_in_a_backlog_are_not_sent(site: Site) -> None:
    """P3: also before the clock of the queue has noticed."""
    pump = site.add_device()
    messages = [await site.submit(pump, ttl=ttl) for ttl in (5, 60, 5, 60, 5)]
    site.clock.advance(5 * 60)
    client = await site.log_in(pump)
    assert await take(client, 2) == ids([messages[1], messages[3]])
    await client.quiet()
    assert site.status(pump, messages[0]) is Status.PENDING
    await site.let_pass(1)
    assert [await site.stored_as(message) for message in messages] == [
        Status.TIMEOUT,
        Status.DELIVERED,
        Status.TIMEOUT,
        Status.DELIVERED,
        Status.TIMEOUT,
    ]


async def test_a_device_that_does_not_read(new_site: NewSite) -> None:
    """What it cannot take stays in the store; when it reads on, it gets everything, in order."""
    site = await new_site(mqtt(downlink_qos=0, max_inflight=4), DeliverySettings(ack_wait=0))
    pump = site.add_device()
    client = await site.log_in(pump)
    client.transport.pause_reading()
    large = f'"{"x" * 200_000}"'
    messages = [await site.submit(pump, content=large) for _ in range(60)]
    (line,) = site.hub._lines
    assert line.congested
    assert isinstance(line, Link)
    assert line._transport is not None
    assert line._transport.get_write_buffer_size() < 1_000_000
    assert site.status(pump, messages[-1]) is Status.PENDING
    client.transport.resume_reading()
    assert [id_of(await client.receive(Publish)) for _ in messages] == ids(messages)
    await client.quiet()
    assert await delivered(site, messages)


async def test_a_device_that_connects_while_the_store_cannot_be_read(site: Site) -> None:
    """It is sent away with a reason, and served when it comes again."""
    pump = site.add_device()
    messages = await submit(site, 3)
    await site.restart()
    site.store.devices_called("pump-1")  # so that the login itself succeeds
    async with site.unreadable("message"):
        client = await site.client()
        connack = await client.connect("pump-1", "pump-1", pump.secret)
        assert connack.reason_code == 0x88 or await client.ended() == 0x89
    client = await site.log_in(pump)
    assert await take(client, 3) == ids(messages)


async def test_a_response_topic_with_wildcards_is_left_out(new_site: NewSite) -> None:
    """The vendor's rule for a response topic allows wildcards, MQTT does not [MQTT-3.3.2-14]."""
    site = await new_site(mqtt(), DeliverySettings(ack_wait=1))
    pump = site.add_device()
    client = await site.log_in(pump)
    strange = asyncio.create_task(site.submit(pump, "strange", response_topic="a/#", correlation_data="c"))
    publish = await client.take()
    assert publish.properties == {"correlation_data": b"c", "message_expiry_interval": 3600}
    assert (await strange).status is Status.DELIVERED
    plain = asyncio.create_task(site.submit(pump, "plain", response_topic="a/b"))
    assert (await client.take()).properties["response_topic"] == "a/b"
    assert (await plain).status is Status.DELIVERED


class Reluctant:
    """A broker whose connection takes less than it said it would."""

    def __init__(self, downlinks: Downlinks) -> None:
        self._downlinks = downlinks
        self.takes = 2

    def room(self, device: int) -> int:
        return self._downlinks.room(device)

    def send(self, device: int, downlink: Downlink) -> Handed:
        self.takes -= 1
        return Handed.BUSY if self.takes < 0 else self._downlinks.send(device, downlink)


async def test_a_broker_that_takes_less_than_it_said(site: Site) -> None:
    downlinks = Reluctant(site.hub)
    site.delivery.stop()
    site.delivery = Delivery(site.store, downlinks, DeliverySettings(ack_wait=0), site.clock)
    site.delivery.start()
    site.heard._listener = site.delivery
    pump = site.add_device()
    messages = await submit(site, 5)
    client = await site.log_in(pump)
    assert await take(client, 2) == ids(messages)[:2]
    await client.quiet()
    downlinks.takes = 100
    site.heard.writable(pump.key)
    assert await take(client, 3) == ids(messages)[2:]
    await client.quiet()
    assert await delivered(site, messages)


async def test_a_backlog_arrives_in_pages_of_the_window(new_site: NewSite) -> None:
    """A page for half a window of acknowledgements, rather than a row for each."""
    site = await new_site(mqtt(max_inflight=8))
    pump = site.add_device()
    await submit(site, 20)
    client = await site.log_in(pump)
    first = await receive(client, 8)
    for publish in first[:3]:
        await client.acknowledge(publish)
    await client.quiet()
    await client.acknowledge(first[3])
    client.send(Pingreq())
    kinds = [type(await client._next()) for _ in range(5)]
    assert sorted(kind.__name__ for kind in kinds) == ["Pingresp", *["Publish"] * 4]
    assert Pingresp in kinds
