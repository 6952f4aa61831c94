"""Messages end as TIMEOUT when their ttl has passed, whether anybody looks or not."""

import asyncio
import contextlib
import sqlite3

import pytest

from bridge.delivery import Delivery, DeliverySettings
from bridge.model.message import Status
from bridge.mqtt import Publish
from tests.broker.site import Site, mqtt
from tests.delivery.conftest import NewSite


async def test_more_than_a_page_at_once(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0))
    pump = site.add_device()
    messages = await asyncio.gather(*(site.submit(pump, ttl=5) for _ in range(600)))
    await site.let_pass(5 * 60)
    await site.store.flush()
    assert {site.stored(message) for message in messages[:500]} == {Status.TIMEOUT}  # on a fast disk the next ones, too
    await site.let_pass(0.05)
    await site.store.flush()
    assert {site.stored(message) for message in messages} == {Status.TIMEOUT}


async def test_the_rest_of_the_ttl_is_told_to_the_device(site: Site) -> None:
    pump = site.add_device()
    await site.submit(pump, ttl=5)
    site.clock.advance(100.2)
    client = await site.log_in(pump)
    assert (await client.receive(Publish)).properties["message_expiry_interval"] == 199
    await site.log_out(pump, client)
    site.clock.advance(199.7)
    client = await site.log_in(pump)
    assert (await client.take()).properties["message_expiry_interval"] == 1  # 0 would mean at once


async def test_of_a_device_that_was_not_seen_since_the_start(site: Site) -> None:
    pump = site.add_device()
    message = await site.submit(pump, ttl=5)
    await site.restart()
    await site.let_pass(5 * 60)
    assert await site.stored_as(message) is Status.TIMEOUT


async def test_what_expired_while_the_daemon_was_away(site: Site) -> None:
    pump = site.add_device()
    message = await site.submit(pump, ttl=5)
    site.clock.advance(5 * 60)
    await site.restart()
    client = await site.log_in(pump)
    await client.quiet()
    assert await site.stored_as(message) is Status.TIMEOUT


async def test_of_a_device_that_is_not_there(site: Site) -> None:
    """Somebody edited the database by hand; the others are not affected."""
    pump, other = site.add_device(), site.add_device("pump-2")
    orphan = await site.submit(pump, ttl=5)
    message = await site.submit(other, ttl=5)
    await site.restart()
    with contextlib.closing(sqlite3.connect(site.path, isolation_level=None)) as editor:
        editor.execute("PRAGMA foreign_keys = OFF")
        editor.execute("DELETE FROM device WHERE key = ?", (pump.key,))
    await site.let_pass(5 * 60)
    assert await site.stored_as(message) is Status.TIMEOUT
    assert site.stored(orphan) is Status.PENDING


@pytest.mark.parametrize("table", ["message", "device"])
async def test_what_cannot_be_read_is_read_later(site: Site, table: str, caplog: pytest.LogCaptureFixture) -> None:
    pump = site.add_device()
    message = await site.submit(pump, ttl=5)
    await site.restart()
    async with site.unreadable(table):
        await site.let_pass(5 * 60)
        await site.let_pass(1)
    assert "the database cannot be used" in caplog.text
    await site.let_pass(1)
    assert await site.stored_as(message) is Status.TIMEOUT


async def test_a_clock_that_is_set_back(site: Site) -> None:
    pump = site.add_device()
    message = await site.submit(pump, ttl=5)
    site.clock.advance(-3600)
    await site.let_pass(5 * 60)
    assert await site.stored_as(message) is Status.PENDING
    await site.let_pass(3600)
    assert await site.stored_as(message) is Status.TIMEOUT


async def test_stopped_before_it_was_started(site: Site) -> None:
    Delivery(site.store, site.hub, DeliverySettings(), site.clock).stop()


async def test_no_more_once_stopped(site: Site) -> None:
    pump = site.add_device()
    message = await site.submit(pump, ttl=5)
    site.delivery.stop()
    await site.let_pass(5 * 60)
    assert await site.stored_as(message) is Status.PENDING
