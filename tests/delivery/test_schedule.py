"""Messages that are not to be sent before a time."""

import asyncio
import contextlib
import json
import sqlite3

import pytest

from bridge.delivery import Delivery, DeliverySettings
from bridge.model.device import Device
from bridge.model.errors import DuplicateMessage, QueueFull
from bridge.model.message import Message, Status
from bridge.model.record import Enrolment, Profile
from bridge.mqtt import Publish
from tests.broker.client import RawClient
from tests.broker.site import SECRET, Site, mqtt
from tests.broker.times import turn
from tests.delivery.conftest import NewSite

HOUR = 3600


async def scheduled(site: Site, device: Device, message_id: str = "", seconds: float = HOUR, ttl: int = 5) -> Message:
    return await site.submit(device, message_id, ttl=ttl, send_at=site.clock() + int(seconds * 1000))


async def come(site: Site, seconds: float) -> None:
    """Time passes, and what was due is released and offered."""
    await site.let_pass(seconds)
    for _ in range(3):
        await site.store.flush()
        await turn()


async def taken(client: RawClient, count: int) -> list[str]:
    publishes = [await client.take() for _ in range(count)]
    await client.quiet()
    return [json.loads(publish.payload)["id"] for publish in publishes]


async def test_not_before_and_then_at_once(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await scheduled(site, pump)
    assert (message.status, message.expires_at) == (Status.PENDING, site.clock() + (HOUR + 300) * 1000)
    await come(site, HOUR - 0.1)
    await client.quiet()
    assert site.shown(pump, message).draft.send_at == site.clock() + 100
    await come(site, 0.1)
    assert await taken(client, 1) == [message.draft.message_id]
    assert await site.stored_as(message) is Status.DELIVERED


async def test_the_answer_does_not_wait(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=60))
    pump = site.add_device()
    await site.log_in(pump)
    async with asyncio.timeout(30):
        assert (await scheduled(site, pump)).status is Status.PENDING


async def test_it_does_not_block_those_behind_it(site: Site) -> None:
    """Offline, and on a connection that has passed its place."""
    pump = site.add_device()
    await scheduled(site, pump, "later")
    await site.submit(pump, "a")
    client = await site.log_in(pump)
    assert await taken(client, 1) == ["a"]
    await site.submit(pump, "b")
    assert await taken(client, 1) == ["b"]
    await come(site, HOUR)
    assert await taken(client, 1) == ["later"]


async def test_among_those_that_are_due_the_first_accepted_goes_first(site: Site) -> None:
    pump = site.add_device()
    for name, seconds in (("1", 3), ("2", 1), ("3", 2)):
        await scheduled(site, pump, name, seconds)
    await site.submit(pump, "4")
    client = await site.log_in(pump)
    assert await taken(client, 1) == ["4"]
    await site.log_out(pump, client)
    await come(site, 1)
    await site.submit(pump, "5")
    await come(site, 2)
    assert await taken(await site.log_in(pump), 4) == ["1", "2", "3", "5"]


async def test_together_on_a_live_connection(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    for name, seconds in (("1", 2), ("2", 1), ("3", 2)):
        await scheduled(site, pump, name, seconds)
    await come(site, 2)
    assert await taken(client, 3) == ["1", "2", "3"]


async def test_what_is_on_its_way_is_not_sent_again(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    await scheduled(site, pump, "later")
    await site.submit(pump, "now")
    on_its_way = await client.receive(Publish)
    await come(site, HOUR)
    late = await client.receive(Publish)
    assert json.loads(late.payload)["id"] == "later"
    assert not late.dup
    await client.quiet()
    await client.acknowledge(on_its_way)
    await client.acknowledge(late)
    await client.quiet()


async def test_a_full_window_is_respected(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=1))
    pump = site.add_device()
    client = await site.log_in(pump)
    await scheduled(site, pump, "later", 2)
    await site.submit(pump, "now")
    await site.submit(pump, "then")
    first = await client.receive(Publish)
    await come(site, 2)
    await client.quiet()
    await client.acknowledge(first)
    assert await taken(client, 2) == ["later", "then"]


async def test_a_drain_may_come_first(site: Site) -> None:
    """The release is committed, but nobody was told when the device connects and takes its backlog."""
    pump = site.add_device()
    await scheduled(site, pump, "later", 1)
    async with site.news_held():
        await site.let_pass(1)
        while site.store.next_scheduled() is not None:
            await turn()
        client = await site.log_in(pump)
        publish = await client.receive(Publish)
    await come(site, 0)
    await client.quiet()
    await client.acknowledge(publish)
    await client.quiet()


async def test_cancelled(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await scheduled(site, pump, "later")
    await site.delivery.cancel("default", "pump-1", "later")
    assert site.status(pump, message) is None
    await come(site, HOUR)
    await client.quiet()


async def test_cancelled_while_it_is_released(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await scheduled(site, pump, "later", 1)
    with site.writer_held():
        await site.let_pass(1)
        cancelled = asyncio.create_task(site.delivery.cancel("default", "pump-1", "later"))
        await turn()
    await cancelled
    await come(site, 1)
    await client.quiet()
    assert site.status(pump, message) is None


async def test_its_ttl_counts_from_then(site: Site) -> None:
    pump = site.add_device()
    message = await scheduled(site, pump)
    await come(site, HOUR + 299)
    assert await site.stored_as(message) is Status.PENDING
    await come(site, 1)
    assert await site.stored_as(message) is Status.TIMEOUT


async def test_over_before_the_daemon_was_back(site: Site) -> None:
    pump = site.add_device()
    message = await scheduled(site, pump)
    site.clock.advance(HOUR + 300)
    await site.restart()
    client = await site.log_in(pump)
    await come(site, 1)
    await client.quiet()
    assert await site.stored_as(message) is Status.TIMEOUT


@pytest.mark.parametrize("due", [True, False], ids=["meanwhile", "afterwards"])
async def test_a_restart(site: Site, due: bool) -> None:
    pump = site.add_device()
    message = await scheduled(site, pump)
    site.clock.advance(HOUR if due else HOUR - 1)
    await site.restart()
    client = await site.log_in(pump)
    if not due:
        await client.quiet()
        await come(site, 1)
    await come(site, 0)
    assert await taken(client, 1) == [message.draft.message_id]


async def test_for_a_device_behind_a_gateway(site: Site) -> None:
    """Nothing was sent to it since the daemon runs; its gateway is connected."""
    gateway = site.add_device()
    profile = Profile(node_id="lamp")
    lamp = site.store.enrol("default", Enrolment("lamp", profile, secret=SECRET, gateway_id="pump-1")).device
    await scheduled(site, lamp, "later")
    await site.restart()
    client = await site.log_in(gateway)
    await client.quiet()
    await come(site, HOUR)
    assert await taken(client, 1) == ["later"]


async def test_of_a_device_that_is_not_there(site: Site) -> None:
    """Somebody edited the database by hand; the others are not affected."""
    pump, other = site.add_device(), site.add_device("pump-2")
    await scheduled(site, pump, "1", 1)
    await scheduled(site, other, "2", 1)
    await site.restart()
    with contextlib.closing(sqlite3.connect(site.path, isolation_level=None)) as editor:
        editor.execute("PRAGMA foreign_keys = OFF")
        editor.execute("DELETE FROM device WHERE key = ?", (pump.key,))
    client = await site.log_in(other)
    await come(site, 1)
    assert await taken(client, 1) == ["2"]


async def test_more_than_a_page(site: Site) -> None:
    pump = site.add_device()
    at = site.clock() + 1000
    await asyncio.gather(*(site.submit(pump, send_at=at) for _ in range(1100)))
    await site.let_pass(1)
    for _ in range(5):
        await site.store.flush()
    assert site.store.next_scheduled() is None
    assert len(site.store.pending(pump.key, after=0, limit=2000)) == 1100


async def test_the_timer_is_set_for_the_earliest(site: Site) -> None:
    """No look in between: a look a second would be late."""
    pump = site.add_device()
    client = await site.log_in(pump)
    await scheduled(site, pump, "2", 0.6)
    await scheduled(site, pump, "1", 0.3)
    await scheduled(site, pump, "3", 0.9)
    for name in ("1", "2", "3"):
        await come(site, 0.3)
        assert await taken(client, 1) == [name]


async def test_a_clock_that_is_set_back(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    await scheduled(site, pump, "later", 2)
    site.clock.advance(-HOUR)
    await come(site, 3)
    await client.quiet()
    site.clock.advance(HOUR)
    await come(site, 1)
    assert await taken(client, 1) == ["later"]


async def test_it_counts_in_the_queue_but_is_not_pushed_out(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, max_pending_per_device=2, when_full="drop_oldest"))
    pump = site.add_device()
    first = await scheduled(site, pump)
    second = await site.submit(pump)
    third = await scheduled(site, pump)
    assert await site.stored_as(second) is Status.FAILED
    with pytest.raises(QueueFull):
        await site.submit(pump)
    await site.restart()
    with pytest.raises(QueueFull):
        await site.submit(pump)
    assert {await site.stored_as(message) for message in (first, third)} == {Status.PENDING}


async def test_an_id_that_is_taken(site: Site) -> None:
    pump = site.add_device()
    await scheduled(site, pump, "m")
    with pytest.raises(DuplicateMessage):
        await scheduled(site, pump, "m")


@pytest.mark.parametrize("trouble", ["unreadable", "refused"])
async def test_what_cannot_be_released_is_released_later(
    site: Site, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    await scheduled(site, pump, "later", 1)
    async with site.unreadable("message") if trouble == "unreadable" else site.writes_refused():
        await come(site, 1)
        await come(site, 1)
    said = "the database cannot be used" if trouble == "unreadable" else "the store refuses writes"
    assert said in caplog.text
    await come(site, 1)
    assert await taken(client, 1) == ["later"]


async def test_a_device_that_cannot_be_read(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    pump = site.add_device()
    await scheduled(site, pump, "later", 1)
    await site.restart()
    async with site.unreadable("device"):
        await come(site, 1)
    assert "the database cannot be used" in caplog.text
    client = await site.log_in(pump)
    await come(site, 1)
    assert await taken(client, 1) == ["later"]


async def test_stopped_before_it_was_started(site: Site) -> None:
    Delivery(site.store, site.hub, DeliverySettings(), site.clock).stop()


async def test_no_more_once_stopped(site: Site) -> None:
    pump = site.add_device()
    await scheduled(site, pump, "later", 1)
    with site.writer_held():
        await site.let_pass(1)
        site.delivery.stop()
    await site.store.flush()
    await scheduled(site, pump, "much later", 1)
    await come(site, 5)
    assert site.store.next_scheduled() is not None
