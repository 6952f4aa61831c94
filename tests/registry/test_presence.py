"""Connection status is true at every moment, and its times survive the daemon."""

import asyncio

import pytest

from bridge.model.record import Activity
from tests.registry.conftest import NewSite
from tests.registry.managed_site import ManagedSite

START = 1_700_000_000_000


def stored(site: ManagedSite, device_id: str = "pump-1") -> Activity:
    record = site.store.record("default", device_id)
    assert record is not None
    return record.line


async def test_before_and_after_it_is_written(site: ManagedSite) -> None:
    pump = site.add_device()
    assert (site.state("pump-1"), site.show("pump-1").activity) == ("INACTIVE", Activity())
    with site.writer_held():
        client = await site.log_in(pump)
        assert (site.state("pump-1"), site.show("pump-1").activity) == ("ONLINE", Activity(True, START, START))
        assert stored(site) == Activity()
    await site.written()
    assert site.show("pump-1").activity == stored(site) == Activity(True, START, START)

    later = site.clock()
    await site.log_out(pump, client)
    assert (site.state("pump-1"), site.show("pump-1").activity) == ("OFFLINE", Activity(False, later, START))
    await site.written()
    assert site.show("pump-1").activity == stored(site) == Activity(False, later, START)


async def test_what_is_being_written_counts(site: ManagedSite) -> None:
    pump = site.add_device()
    with site.writer_held():
        client = await site.log_in(pump)
        await site.let_pass(0.1)
        assert site.show("pump-1").activity == Activity(True, START, START)
        await site.log_out(pump, client)
        assert site.show("pump-1").activity == Activity(False, site.clock(), START)
    await site.written()
    assert stored(site) == Activity(False, START + 100, START)


async def test_what_is_short_is_put_together(site: ManagedSite) -> None:
    pump = site.add_device()
    for _ in range(3):
        await site.log_out(pump, await site.log_in(pump))
    site.clock.advance(1)
    await site.written()
    assert stored(site) == Activity(False, START, START)


async def test_a_connection_that_takes_over(site: ManagedSite) -> None:
    pump = site.add_device()
    await site.log_in(pump)
    await site.written()
    again = site.clock()
    await site.log_in(pump)
    assert (site.state("pump-1"), site.show("pump-1").activity.changed_at) == ("ONLINE", again)
    await site.written()
    assert stored(site) == Activity(True, again, START)


async def test_many_devices_at_once(site: ManagedSite) -> None:
    pumps = [site.add_device(f"pump-{number}") for number in range(600)]
    for pump in pumps:
        site.presence.connected(pump.key)
    await site.written()
    assert all(stored(site, pump.device_id) == Activity(True, START, START) for pump in pumps)
    assert {site.state(pump.device_id) for pump in pumps} == {"OFFLINE"}  # as the broker says


async def test_a_clean_stop_is_remembered(site: ManagedSite) -> None:
    pump = site.add_device()
    await site.log_in(pump)
    site.clock.advance(5)
    await site.restart()
    site.clock.advance(60)
    assert (site.state("pump-1"), site.show("pump-1").activity) == ("OFFLINE", Activity(False, START + 5000, START))
    await site.log_in(pump)
    assert site.show("pump-1").activity == Activity(True, START + 65_000, START)


async def test_after_an_unclean_stop_everybody_is_offline(site: ManagedSite, new_site: NewSite) -> None:
    pump = site.add_device()
    site.add_device("pump-2")
    await site.log_in(pump)
    await site.written()
    after = await new_site()
    assert after.state("pump-1") == "OFFLINE"
    await after.store.flush()
    assert stored(after) == Activity(False, after.clock(), START)
    assert after.state("pump-2") == "INACTIVE"


async def test_the_end_of_the_last_run_is_written_when_the_disk_takes_it(
    site: ManagedSite, caplog: pytest.LogCaptureFixture
) -> None:
    pump = site.add_device()
    site.presence.connected(pump.key)
    await site.written()
    async with site.writes_refused():
        site.presence.start()
        await site.store.flush()
        assert "the store refuses writes" in caplog.text
    at = site.clock()
    await site.let_pass(1)
    await site.store.flush()
    assert stored(site) == Activity(False, at, START)


async def test_what_the_disk_refuses_is_written_later(site: ManagedSite, caplog: pytest.LogCaptureFixture) -> None:
    pump, other = site.add_device(), site.add_device("pump-2")
    await site.written()
    start = site.clock()
    async with site.writes_refused():
        client = await site.log_in(pump)
        await site.log_in(other)
        await site.let_pass(0.1)
        await site.log_out(pump, client)  # while the first sighting is being refused
        await site.store.flush()
        assert "the store refuses writes" in caplog.text
        assert site.show("pump-1").activity == Activity(False, start + 100, start)
        assert site.show("pump-2").activity == Activity(True, start, start)
    await site.let_pass(1)
    await site.written()
    assert stored(site) == Activity(False, start + 100, start)
    assert stored(site, "pump-2") == Activity(True, start, start)


async def test_a_refused_write_does_not_undo_a_newer_one(site: ManagedSite) -> None:
    pump = site.add_device()
    held = asyncio.get_running_loop().create_future()
    async with site.writes_refused():
        client = await site.log_in(pump)
        await site.let_pass(0.1)
        await site.log_out(pump, client)
        await site.let_pass(0.1)
        site.store._writer.request(lambda _: None).add_done_callback(held.set_result)
        await held
        assert site.show("pump-1").activity == Activity(False, START + 100, START)
    await site.let_pass(1)
    await site.written()
    assert stored(site) == Activity(False, START + 100, START)


async def test_nothing_is_written_after_the_stop(site: ManagedSite) -> None:
    pump = site.add_device()
    site.presence.connected(pump.key)
    site.presence.stop()
    await site.store.flush()
    assert stored(site).online
    site.presence.disconnected(pump.key)
    await site.written()
    assert stored(site).online


async def test_a_removed_device(site: ManagedSite) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    await site.registry.remove("default", "pump-1")
    assert await client.ended() == 0x98
    await site.written()
    assert site.store.record("default", "pump-1") is None
