"""Devices that are removed, and daemons that end, while messages wait."""

import asyncio

import pytest

from bridge.delivery import Delivery, DeliverySettings
from bridge.model.errors import StoreUnavailable, UnknownDevice
from bridge.model.message import AcknowledgedBy, Failure, Status
from bridge.mqtt import Publish
from bridge.store import Admin
from tests.broker.site import SECRET, Site, draft, mqtt
from tests.broker.times import turn
from tests.delivery.conftest import NewSite


async def test_removed_while_messages_wait(site: Site) -> None:
    pump = site.add_device()
    message = await site.submit(pump)
    site.store.remove_device("default", "pump-1")
    with pytest.raises(UnknownDevice):
        await site.submit(pump)
    with pytest.raises(UnknownDevice):
        site.delivery.message("default", "pump-1", message.draft.message_id)
    with pytest.raises(UnknownDevice):
        site.delivery.messages("default", "pump-1", limit=1, before=None, status=None)
    with pytest.raises(UnknownDevice):
        await site.delivery.cancel("default", "pump-1", message.draft.message_id)


async def test_removed_while_it_is_connected(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=2), DeliverySettings(ack_wait=1))
    pump = site.add_device()
    client = await site.log_in(pump)
    submissions = [asyncio.create_task(site.submit(pump, ttl=ttl)) for ttl in (60, 0, 60)]
    await client.receive(Publish)
    await client.receive(Publish)
    site.store.remove_device("default", "pump-1")
    assert await client.ended() == 0x98
    await site.store.flush()
    await site.let_pass(2)
    assert [(await submission).outcome for submission in submissions] == [None] * 3  # there is nothing left to say
    assert site.delivery._outboxes == {}


async def test_removed_and_made_again_is_another_device(site: Site) -> None:
    pump = site.add_device()
    await site.submit(pump, "m")
    site.store.remove_device("default", "pump-1")
    again = site.add_device()
    client = await site.log_in(again)
    await client.quiet()
    await site.submit(again, "m")
    await client.take()


async def test_changed_otherwise_keeps_its_messages(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    await site.submit(pump)
    await client.receive(Publish)
    site.store.set_frozen("default", "pump-1", frozen=True)
    assert await client.ended() == 0x98
    site.store.set_frozen("default", "pump-1", frozen=False)
    client = await site.log_in(pump)
    assert (await client.take()).dup


async def test_removed_by_another_process_a_moment_ago(site: Site) -> None:
    """What the daemon knows of it is not current for a moment: nothing breaks, and nothing is accepted."""
    pump = site.add_device()
    await site.submit(pump)
    await site.restart()
    assert site.store.devices_called("pump-1")
    assert site.store.device("default", "pump-1")
    with Admin.open(site.path, site.clock) as admin:
        admin.remove_device("default", "pump-1")

    with pytest.raises(UnknownDevice):
        await site.submit(pump)
    client = await site.client()
    assert (await client.connect("pump-1", "pump-1", SECRET)).reason_code == 0
    await client.subscribe("news")
    await client.quiet()
    site.store.look()
    assert await client.ended() == 0x98


async def test_removed_by_another_process_and_gone_before_it_is_noticed(site: Site) -> None:
    pump = site.add_device()
    site.store.devices_called("pump-1")
    with Admin.open(site.path, site.clock) as admin:
        admin.remove_device("default", "pump-1")
    client = await site.log_in(pump)
    await site.log_out(pump, client)
    assert site.delivery._outboxes == {}


async def test_reports_about_devices_nobody_knows(site: Site) -> None:
    """A broker may report what is no longer of interest."""
    for report in (
        site.delivery.connected,
        site.delivery.subscribed,
        site.delivery.writable,
        site.delivery.disconnected,
    ):
        report(4711)
    site.delivery.acknowledged(4711, 1, AcknowledgedBy.DEVICE, 0, None)
    assert site.delivery._outboxes == {}


async def test_reports_that_change_nothing(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump)
    publish = await client.receive(Publish)
    site.delivery.writable(pump.key)
    site.delivery.acknowledged(pump.key, 4711, AcknowledgedBy.DEVICE, 0, None)
    await client.quiet()
    await client.acknowledge(publish)
    await client.quiet()
    site.delivery.subscribed(pump.key)
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


async def test_messages_survive_the_daemon(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    sent = await site.submit(pump, "sent")
    await client.receive(Publish)
    await site.log_out(pump, client)
    waiting = await site.submit(pump, "waiting")
    await site.restart()
    assert [await site.stored_as(message) for message in (sent, waiting)] == [Status.PENDING, Status.PENDING]
    client = await site.log_in(pump)
    for message_id in (b"sent", b"waiting"):
        assert b'"id":"%s"' % message_id in (await client.take()).payload
    await client.quiet()
    assert [await site.stored_as(message) for message in (sent, waiting)] == [Status.DELIVERED, Status.DELIVERED]
    await site.restart()
    client = await site.log_in(pump)
    await client.quiet()


async def test_uncached_messages_end_with_the_daemon(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    pump = site.add_device()
    await site.log_in(pump)
    message = await site.submit(pump, ttl=0)
    site.heard._listener = Delivery(site.store, site.hub, DeliverySettings(), site.clock)  # the last run hears no more
    await site.restart()
    await site.store.flush()
    found = site.store.message(pump.key, message.draft.message_id)
    assert found is not None
    assert found.outcome is not None
    assert (found.status, found.outcome.failure) == (Status.FAILED, Failure.OFFLINE)
    assert found.outcome.detail == "the daemon stopped before it had recorded that the device acknowledged it"
    client = await site.log_in(pump)
    await client.quiet()
    assert [record.__dict__["count"] for record in caplog.records if "with ttl 0" in record.message] == [1]


async def test_uncached_messages_of_the_last_run_that_cannot_be_ended(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk refuses at the start. They are not sent all the same, they end sooner or later, and new ones live."""
    pump = site.add_device()
    client = await site.log_in(pump)
    old = await site.submit(pump, ttl=0)
    await client.receive(Publish)
    site.delivery.stop()
    site.delivery = site.heard._listener = Delivery(site.store, site.hub, DeliverySettings(ack_wait=0), site.clock)
    async with site.writes_refused():
        site.delivery.start()
        await site.store.flush()
        client = await site.log_in(pump)
        await client.quiet()
        await site.let_pass(1)
        await site.store.flush()
    assert "ended with the last run" not in caplog.text
    assert site.stored(old) is Status.PENDING

    fresh = await site.submit(pump, ttl=0)
    publish = await client.receive(Publish)
    assert fresh.draft.message_id.encode() in publish.payload
    await site.let_pass(2)
    await site.store.flush()
    assert site.status(pump, fresh) is Status.PENDING
    await client.acknowledge(publish)
    await client.quiet()
    assert await site.stored_as(fresh) is Status.DELIVERED

    await site.let_pass(61)
    assert await site.stored_as(old) in (Status.FAILED, Status.TIMEOUT)
    await client.quiet()


async def test_a_device_of_another_project(site: Site) -> None:
    here, there = site.add_device(), site.add_device(project="other")
    await site.submit(here, "m")
    await site.submit(there, "m")
    client = await site.client()
    await client.log_in(here)
    await client.take()
    await client.quiet()
    assert site.delivery.message("default", "pump-1", "m").status is not None
    with pytest.raises(UnknownDevice):
        await site.delivery.submit("third", "pump-1", draft())


async def test_nothing_more_is_accepted_once_the_store_is_closed(site: Site) -> None:
    pump = site.add_device()
    await site.submit(pump)
    await site.store._writer.close()
    with pytest.raises(StoreUnavailable):
        await site.submit(pump)
    await turn()
