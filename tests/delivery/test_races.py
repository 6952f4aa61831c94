"""Acknowledgement, expiry and cancellation in every order: a message ends once, and is never sent after its end."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator

import pytest

from bridge.delivery import DeliverySettings
from bridge.model.device import Device
from bridge.model.errors import BridgeError, StoreUnavailable, UnknownMessage
from bridge.model.message import Message, Status
from bridge.model.topics import user_topic
from bridge.mqtt import Properties, Publish, Version
from tests.broker.client import RawClient
from tests.broker.site import Site, draft, mqtt
from tests.broker.times import turn
from tests.delivery.conftest import NewSite

TTL = 5 * 60
"""Seconds."""


@pytest.fixture
async def site_at_qos_2(new_site: NewSite) -> Site:
    return await new_site(mqtt(downlink_qos=2))


async def sent(site: Site) -> tuple[Device, RawClient, Message, Publish]:
    """A message on its way to a device."""
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311, clean=False)
    message = await site.submit(pump, "m", ttl=5)
    return pump, client, message, await client.receive(Publish)


def cancel(site: Site) -> asyncio.Task[None]:
    return asyncio.create_task(site.delivery.cancel("default", "pump-1", "m"))


async def never_again(site: Site, pump: Device, client: RawClient) -> None:
    """Neither on this connection nor on the next."""
    await client.quiet()
    await site.log_out(pump, client)
    client = await site.log_in(pump, Version.V311, clean=False)
    await client.quiet()


async def test_acknowledged_then_expired(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    with site.writer_held():
        await client.acknowledge(publish)
        await client.quiet()
        await site.let_pass(TTL)
        assert site.status(pump, message) is Status.PENDING  # told when it is committed
    assert await site.stored_as(message) is Status.DELIVERED
    await never_again(site, pump, client)


async def test_expired_then_acknowledged(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    with site.writer_held():
        await site.let_pass(TTL)
        await client.acknowledge(publish)
        await client.quiet()
        assert site.status(pump, message) is Status.PENDING  # a failure is told when it is committed
    assert await site.stored_as(message) is Status.TIMEOUT
    await never_again(site, pump, client)


async def test_acknowledged_then_cancelled(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    with site.writer_held():
        await client.acknowledge(publish)
        await client.quiet()
        cancelled = cancel(site)
        await turn()
        assert site.status(pump, message) is None
    await cancelled
    assert site.status(pump, message) is None
    await never_again(site, pump, client)


async def test_cancelled_then_acknowledged(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    with site.writer_held():
        cancelled = cancel(site)
        await turn()
        assert site.status(pump, message) is None
        await client.acknowledge(publish)
        await client.quiet()
        assert site.status(pump, message) is None
    await cancelled
    assert await site.stored_as(message) is None
    await never_again(site, pump, client)


async def test_cancelled_then_expired(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    with site.writer_held():
        cancelled = cancel(site)
        await site.let_pass(TTL)
        assert site.status(pump, message) is None
    await cancelled
    assert await site.stored_as(message) is None
    await client.acknowledge(publish)
    await never_again(site, pump, client)


async def test_expired_then_cancelled(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    with site.writer_held():
        await site.let_pass(TTL)
        cancelled = cancel(site)
        await turn()
        assert site.status(pump, message) in (Status.PENDING, None)
    await cancelled
    assert await site.stored_as(message) is None
    await client.acknowledge(publish)
    await never_again(site, pump, client)


async def test_expired_and_cancelled_and_acknowledged_when_nothing_is_written_in_between(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    with site.writer_held():
        await site.let_pass(TTL)
        cancelled = cancel(site)
        await client.acknowledge(publish)
        await client.quiet()
        await site.let_pass(TTL)
    await cancelled
    assert await site.stored_as(message) is None
    await never_again(site, pump, client)


async def test_cancelled_twice_at_once(site: Site) -> None:
    pump, client, _, _ = await sent(site)
    with site.writer_held():
        first, second = cancel(site), cancel(site)
        with pytest.raises(UnknownMessage):
            await second
    await first
    await never_again(site, pump, client)


async def test_cancelled_twice_while_its_end_is_written(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    with site.writer_held():
        await client.acknowledge(publish)
        await client.quiet()
        cancelled = [cancel(site), cancel(site)]
        await turn()
    results = await asyncio.gather(*cancelled, return_exceptions=True)
    assert results[0] is None
    assert results[1] is None or isinstance(results[1], UnknownMessage)
    assert await site.stored_as(message) is None
    await never_again(site, pump, client)


async def test_the_one_who_cancelled_goes_away(site: Site) -> None:
    pump, client, message, _ = await sent(site)
    with site.writer_held():
        cancelled = cancel(site)
        await turn()
        cancelled.cancel()
        await turn()
    assert await site.stored_as(message) is None
    await never_again(site, pump, client)


async def test_cancelled_before_it_is_accepted(site: Site) -> None:
    pump = site.add_device()
    with site.writer_held():
        submission = asyncio.create_task(site.submit(pump, "m"))
        await turn()
        with pytest.raises(UnknownMessage):
            await site.delivery.cancel("default", "pump-1", "m")
    assert site.status(pump, await submission) is Status.PENDING


@pytest.mark.parametrize("ttl", [0, 60])
async def test_cancelled_before_its_sender_is_told(new_site: NewSite, ttl: int) -> None:
    """Committed, so others may see it; its sender has no answer yet. It is not sent, and does not count as pending."""
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, max_pending_per_device=2))
    pump = site.add_device()
    client = await site.log_in(pump)
    async with site.news_held():
        submission = asyncio.create_task(site.submit(pump, "m", ttl=ttl))
        await _committed(site, pump, "m")
        cancelled = cancel(site)
        await client.quiet()
    assert (await submission).outcome is None
    await cancelled
    await client.quiet()
    await site.log_out(pump, client)
    assert _pending(site, pump) == 0


@pytest.mark.parametrize("ttl", [0, 60])
async def test_acknowledged_before_its_sender_is_told(new_site: NewSite, ttl: int) -> None:
    """The backlog's reader finds it first."""
    site = await new_site(mqtt(), DeliverySettings(ack_wait=1))
    pump = site.add_device()
    earlier = await site.submit(pump, topic="news")
    client = await site.log_in(pump)
    async with site.news_held():
        submission = asyncio.create_task(site.submit(pump, "m", ttl=ttl))
        await _committed(site, pump, "m")
        await client.subscribe("other")
        await client.take()
        await client.quiet()
    message = await submission
    assert message.status is Status.DELIVERED
    assert await site.stored_as(message) is Status.DELIVERED
    await site.log_out(pump, client)
    assert await site.stored_as(message) is Status.DELIVERED
    assert site.status(pump, earlier) is Status.PENDING
    assert _pending(site, pump) == 1


async def test_sent_by_the_backlog_before_its_sender_is_told(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=1))
    pump = site.add_device()
    await site.submit(pump, topic="news")
    client = await site.log_in(pump)
    async with site.news_held():
        submission = asyncio.create_task(site.submit(pump, "m"))
        await _committed(site, pump, "m")
        await client.subscribe("other")
        publish = await client.receive(Publish)
        await client.quiet()
    await site.store.flush()
    await client.acknowledge(publish)
    assert (await submission).status is Status.DELIVERED
    await client.quiet()


async def test_expired_before_it_is_committed(new_site: NewSite) -> None:
    """The disk was slow: the message is accepted, and never sent."""
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, uncached_wait=1))
    pump = site.add_device()
    client = await site.log_in(pump)
    with site.writer_held():
        submission = asyncio.create_task(site.submit(pump, "m", ttl=0))
        await turn()
        site.clock.advance(2)
    message = await submission
    await client.quiet()
    await site.let_pass(1)
    await client.quiet()
    assert await site.stored_as(message) is Status.TIMEOUT


async def test_the_connection_ends_before_the_sender_of_an_uncached_message_is_told(site: Site) -> None:
    """It was sent by the backlog's reader, and ends with that connection all the same."""
    pump = site.add_device()
    await site.submit(pump, topic="news")
    client = await site.log_in(pump)
    async with site.news_held():
        submission = asyncio.create_task(site.submit(pump, "m", ttl=0))
        await _committed(site, pump, "m")
        await client.subscribe("other")
        await client.receive(Publish)
        await site.log_out(pump, client)
    message = await submission
    client = await site.log_in(pump)
    await client.quiet()
    assert await site.stored_as(message) is Status.FAILED


@pytest.mark.parametrize("qos", [0, 1])
async def test_cancelled_in_the_turn_in_which_it_is_sent(new_site: NewSite, qos: int) -> None:
    """Whether the bytes leave or not, the message is gone."""
    site = await new_site(mqtt(downlink_qos=qos))
    pump = site.add_device()
    await site.log_in(pump)
    async with site.news_held():
        submission = asyncio.create_task(site.submit(pump, "m"))
        await _committed(site, pump, "m")
    cancelled = cancel(site)
    message = await submission
    await cancelled
    assert await site.stored_as(message) is None
    assert site.status(pump, message) is None


# What waits for the disk before it leaves is looked at again


@contextlib.asynccontextmanager
async def held_back(site: Site, message_id: str = "m") -> AsyncIterator[tuple[RawClient, Message]]:
    """A message at QoS 2 for a session that is kept: it was handed to the connection and waits for its packet
    identifier to be on disk while this lasts. Afterwards everything is on disk."""
    pump = site.store.device("default", "pump-1") or site.add_device()
    client = await site.log_in(pump, Version.V311, clean=False)
    with contextlib.ExitStack() as stack:
        accepted: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        def hold_the_next_write(message: Message | BridgeError) -> None:
            assert isinstance(message, Message)
            stack.enter_context(site.writer_held())
            accepted.set_result(message)

        site.delivery.begin("default", "pump-1", draft(message_id, ttl=5), hold_the_next_write)
        message = await accepted
        await client.quiet()
        yield client, message
    await site.kept()
    await site.store.flush()


async def test_a_message_that_waits_for_the_disk_is_sent_when_that_is_done(site_at_qos_2: Site) -> None:
    async with held_back(site_at_qos_2) as (client, message):
        site_at_qos_2.clock.advance(10.5)
    publish = await client.receive(Publish)
    assert b'"id":"m"' in publish.payload
    await client.acknowledge(publish)
    assert await site_at_qos_2.stored_as(message) is Status.DELIVERED


async def test_the_expiry_interval_is_of_the_moment_in_which_it_leaves(site_at_qos_2: Site) -> None:
    site = site_at_qos_2
    kept: Properties = {"session_expiry_interval": 3600}
    client = await site.log_in(site.add_device(), clean=False, properties=kept)
    with contextlib.ExitStack() as stack:
        accepted = asyncio.Event()

        def hold_the_next_write(_: Message | BridgeError) -> None:
            stack.enter_context(site.writer_held())
            accepted.set()

        site.delivery.begin("default", "pump-1", draft(ttl=5), hold_the_next_write)
        await accepted.wait()
        await client.quiet()
        site.clock.advance(10)
    assert (await client.receive(Publish)).properties["message_expiry_interval"] == TTL - 10


@pytest.mark.parametrize("qos", [0, 1])
async def test_what_stands_behind_it_is_cancelled(new_site: NewSite, qos: int) -> None:
    """A message at QoS 0 or 1 that must not overtake it waits for the same commit."""
    site = await new_site(mqtt(downlink_qos=2))
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311, clean=False)
    await client.subscribe(user_topic("pump-1", "#"), qos)
    accepted = asyncio.Event()
    with contextlib.ExitStack() as stack:

        def hold_the_next_write(_: Message | BridgeError) -> None:
            stack.enter_context(site.writer_held())
            accepted.set()

        site.delivery.begin("default", "pump-1", draft("first"), hold_the_next_write)
        site.delivery.begin("default", "pump-1", draft("m", topic=user_topic("pump-1", "x")), lambda _: None)
        await accepted.wait()
        await client.quiet()
        cancelled = cancel(site)
        await turn()
    await cancelled
    assert b'"id":"first"' in (await client.receive(Publish)).payload
    await client.quiet()


async def test_cancelled_while_it_waits_for_the_disk(site_at_qos_2: Site) -> None:
    site = site_at_qos_2
    async with held_back(site) as (client, message):
        cancelled = cancel(site)
        await turn()
    await cancelled
    await client.quiet()
    assert site.status(site.store.devices_called("pump-1")[0], message) is None
    assert await site.submit(site.store.devices_called("pump-1")[0], "next")
    assert b'"id":"next"' in (await client.receive(Publish)).payload


def refuse_to_delete(connection: sqlite3.Connection) -> None:
    refuse = "CREATE TEMP TRIGGER refuse BEFORE DELETE ON message BEGIN SELECT RAISE(ABORT, 'no'); END"
    connection.execute(refuse).close()


async def test_cancel_is_refused_while_it_waits_for_the_disk(site_at_qos_2: Site) -> None:
    """It was not sent for the sake of the cancellation, and is offered again."""
    site = site_at_qos_2
    async with held_back(site) as (client, message):
        site.store._writer.request(refuse_to_delete)
        cancelled = cancel(site)
        await turn()
    with pytest.raises(StoreUnavailable):
        await cancelled
    publish = await client.receive(Publish)
    assert (b'"id":"m"' in publish.payload, publish.dup) == (True, False)
    await client.acknowledge(publish)
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


async def test_timed_out_while_it_waits_for_the_disk(site_at_qos_2: Site) -> None:
    site = site_at_qos_2
    async with held_back(site) as (client, message):
        await site.let_pass(TTL)
    await client.quiet()
    assert await site.stored_as(message) is Status.TIMEOUT


async def test_expired_while_it_waits_for_the_disk_though_nobody_has_looked(site_at_qos_2: Site) -> None:
    site = site_at_qos_2
    async with held_back(site) as (client, message):
        site.clock.advance(TTL)
    await client.quiet()
    await site.let_pass(1)
    assert await site.stored_as(message) is Status.TIMEOUT


async def test_nobody_wants_what_is_not_on_its_way(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    assert site.delivery.is_wanted(pump.key, message.seq)
    await client.acknowledge(publish)
    await client.quiet()
    assert not site.delivery.is_wanted(pump.key, message.seq)
    assert not site.delivery.is_wanted(pump.key + 1, message.seq)


# The store refuses


async def test_cancel_is_refused(site: Site) -> None:
    pump = site.add_device()
    message = await site.submit(pump, "m")
    async with site.writes_refused():
        with pytest.raises(StoreUnavailable):
            await cancel(site)
        assert site.status(pump, message) is Status.PENDING
    client = await site.log_in(pump)
    await client.take()
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


async def test_cancel_is_refused_while_it_is_in_flight(site: Site) -> None:
    """It stays on its way: not sent a second time on this connection [MQTT-4.4.0-1]."""
    pump, client, message, publish = await sent(site)
    async with site.writes_refused():
        with pytest.raises(StoreUnavailable):
            await cancel(site)
        await client.quiet()
        assert site.status(pump, message) is Status.PENDING
    await client.acknowledge(publish)
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED
    await never_again(site, pump, client)


async def test_cancel_is_refused_and_the_next_connection_sends_it_again(site: Site) -> None:
    pump, client, _, publish = await sent(site)
    async with site.writes_refused():
        with pytest.raises(StoreUnavailable):
            await cancel(site)
    await site.log_out(pump, client)
    client = await site.log_in(pump, Version.V311, clean=False)
    again = await client.take()
    assert (again.dup, again.packet_id) == (True, publish.packet_id)


async def test_cancel_of_an_uncached_message_is_refused(site: Site) -> None:
    """It still ends with its connection."""
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump, "m", ttl=0)
    await client.receive(Publish)
    async with site.writes_refused():
        with pytest.raises(StoreUnavailable):
            await cancel(site)
    await site.log_out(pump, client)
    assert await site.stored_as(message) is Status.FAILED


async def test_acknowledged_while_a_cancel_is_being_refused(site: Site) -> None:
    """The device has it and said so. It is not sent again, whatever became of the cancellation."""
    pump, client, message, publish = await sent(site)
    with site.writer_held(then_refusing=True):
        cancelled = cancel(site)
        await turn()
        await client.acknowledge(publish)
        await client.quiet()
    with pytest.raises(StoreUnavailable):
        await cancelled
    await client.quiet()
    await site.store.flush()
    site.accept_writes()
    await site.let_pass(2)
    assert await site.stored_as(message) is Status.DELIVERED
    await never_again(site, pump, client)


async def test_expired_while_a_cancel_is_being_refused(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    with site.writer_held(then_refusing=True):
        cancelled = cancel(site)
        await site.let_pass(TTL)
        await client.acknowledge(publish)
        await client.quiet()
    with pytest.raises(StoreUnavailable):
        await cancelled
    await site.store.flush()
    site.accept_writes()
    await site.let_pass(2)
    assert await site.stored_as(message) is Status.TIMEOUT
    await never_again(site, pump, client)


async def test_an_end_that_cannot_be_written_is_written_later(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    pump, client, message, publish = await sent(site)
    async with site.writes_refused():
        await client.acknowledge(publish)
        await client.quiet()
        await site.store.flush()
        for _ in range(3):
            await site.let_pass(1)
            await site.store.flush()
            assert site.status(pump, message) is Status.PENDING
            assert site.stored(message) is Status.PENDING
        await site.log_out(pump, client)
        client = await site.log_in(pump, Version.V311, clean=False)
        await client.quiet()
    assert caplog.text.count("the store refuses writes") == 1
    await site.let_pass(1)
    assert await site.stored_as(message) is Status.DELIVERED
    await client.quiet()


async def test_an_end_that_is_never_written_is_accounted_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pump, client, message, publish = await sent(site)
    monkeypatch.setattr("bridge.store.writer.CLOSE_WAIT", 0)
    async with site.writes_refused():
        await client.acknowledge(publish)
        await client.quiet()
        unwritten = await site.store.close()
        assert "1 outcomes of messages" in str(unwritten)
        [line] = [record for record in caplog.records if record.message == "not written before the store was closed"]
        assert f"{pump.device_id}/{message.draft.message_id}" in line.__dict__["messages"]


async def test_an_end_that_cannot_be_written_is_not_overtaken_by_expiry(site: Site) -> None:
    pump, client, message, publish = await sent(site)
    async with site.writes_refused():
        await client.acknowledge(publish)
        await client.quiet()
        await site.let_pass(TTL)
        assert site.status(pump, message) is Status.PENDING
        await site.store.flush()
    await site.let_pass(1)
    assert await site.stored_as(message) is Status.DELIVERED


async def test_cancel_is_refused_while_its_end_cannot_be_written(site: Site) -> None:
    """The device has it: it is not sent again."""
    pump, client, message, publish = await sent(site)
    async with site.writes_refused():
        await client.acknowledge(publish)
        await client.quiet()
        await site.store.flush()
        with pytest.raises(StoreUnavailable):
            await cancel(site)
        await client.quiet()
        assert site.status(pump, message) is Status.PENDING
    await site.let_pass(1)
    assert await site.stored_as(message) is Status.DELIVERED
    await never_again(site, pump, client)


async def test_cancelled_before_its_end_could_be_written(new_site: NewSite) -> None:
    """It is gone, and counted as gone once."""
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, max_pending_per_device=10))
    pump, client, message, publish = await sent(site)
    async with site.writes_refused():
        await client.acknowledge(publish)
        await client.quiet()
        await site.store.flush()
    await cancel(site)
    await site.let_pass(1)
    assert await site.stored_as(message) is None
    assert _pending(site, pump) == 0
    await never_again(site, pump, client)


async def test_an_uncached_message_ends_once_though_its_end_cannot_be_written(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump, ttl=0)
    await client.receive(Publish)
    async with site.writes_refused():
        await site.log_out(pump, client)
        client = await site.log_in(pump)
        await client.quiet()
        assert site.status(pump, message) is Status.PENDING
        await site.log_out(pump, client)
        await site.store.flush()
    await site.let_pass(1)
    assert await site.stored_as(message) is Status.FAILED


async def _committed(site: Site, pump: Device, message_id: str) -> None:
    while site.store.message(pump.key, message_id) is None:
        await turn()


def _pending(site: Site, pump: Device) -> int:
    """How many messages delivery takes for waiting: what the limit of the queue is held against."""
    counted = site.delivery._outboxes[pump.key].pending
    assert counted == site.store.count_pending(pump.key, at_most=100)
    return counted
