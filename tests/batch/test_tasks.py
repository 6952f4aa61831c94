"""A task from its creation to its end: who is sent what, and what becomes of it."""

import asyncio

import pytest

from bridge.batch import BatchSettings
from bridge.delivery import DeliverySettings
from bridge.model.batch import Obstacle, Policy, TargetStatus, TaskStatus
from bridge.model.errors import TooManyTasks, UnknownTask
from bridge.model.message import Failure
from bridge.mqtt import Puback, Publish
from tests.batch.batch_site import BatchSite
from tests.batch.conftest import NewSite

WAITING, PROCESSING = TargetStatus.WAITING, TargetStatus.PROCESSING
SUCCESS, FAIL = TargetStatus.SUCCESS, TargetStatus.FAIL
RETRY = TargetStatus.FAIL_WAIT_RETRY


async def test_everybody_gets_one_message(site: BatchSite) -> None:
    pumps = site.add_devices(3)
    clients = [await site.log_in(pump) for pump in pumps]
    key = await site.create(pumps, content='"all of you"', payload_format="raw")
    await site.until_states(key, PROCESSING, PROCESSING, PROCESSING)
    for client in clients:
        publish = await client.take()
        assert publish.payload == b"all of you"
    assert await site.until(key) is TaskStatus.SUCCESS
    assert (await site.task(key)).progress == {SUCCESS: 3}
    for pump, client in zip(pumps, clients, strict=True):
        await client.quiet()
        assert len(site.message_ids(pump)) == 1


async def test_a_target_is_what_its_message_is(site: BatchSite) -> None:
    """Delivered, refused, expired, cancelled, on its way."""
    pumps = site.add_devices(5)
    taking, refusing = await site.log_in(pumps[0]), await site.log_in(pumps[1])
    key = await site.create(pumps, ttl=5)
    await site.until_states(key, *[PROCESSING] * 5)
    await taking.take()
    refusing.send(Puback((await refusing.receive(Publish)).packet_id, 0x80))
    await site.delivery.cancel("default", pumps[3].device_id, site.message_ids(pumps[3])[0])
    await site.until_states(key, SUCCESS, FAIL, PROCESSING, FAIL, PROCESSING)
    last = await site.log_in(pumps[4])
    await last.take()
    await site.until_states(key, SUCCESS, FAIL, PROCESSING, FAIL, SUCCESS)
    assert (await site.task(key)).status is TaskStatus.PROCESSING
    await site.let_pass(5 * 60)
    assert await site.until(key) is TaskStatus.PARTIAL_SUCCESS
    reasons = [target.reason for target in await site.targets(key)]
    assert reasons == [None, Failure.REFUSED, Obstacle.TIMEOUT, Obstacle.REMOVED, None]
    assert "0x80" in ((await site.targets(key))[1].detail or "")


async def test_targets_that_cannot_be_sent_anything_fail(new_site: NewSite) -> None:
    site = await new_site(None, DeliverySettings(ack_wait=0, max_pending_per_device=1))
    good, full, owner = site.add_devices(3)
    await site.submit(full)
    client = await site.log_in(owner)
    submission = asyncio.ensure_future(site.submit(owner, "same"))
    await client.take()
    await submission
    key = await site.create([good, "nobody", good, full, owner, good], message_id="same")
    await site.until_states(key, PROCESSING, FAIL, FAIL, FAIL, FAIL, FAIL)
    reasons = [target.reason for target in await site.targets(key)]
    assert reasons == [
        None,
        Obstacle.UNKNOWN_DEVICE,
        Obstacle.REPEATED,
        Obstacle.QUEUE_FULL,
        Obstacle.DUPLICATE_MESSAGE,
        Obstacle.REPEATED,
    ]
    assert site.message_ids(good) == ["same"]


async def test_nothing_but_failures_is_a_failed_task(site: BatchSite) -> None:
    key = await site.create(["nobody", "nobody-else"])
    assert await site.until(key) is TaskStatus.FAIL


async def test_a_removed_device_ends_its_target(site: BatchSite) -> None:
    [pump] = site.add_devices(1)
    key = await site.create([pump], policy=Policy(None, 5, 1))
    await site.until_states(key, PROCESSING)
    site.store.remove_device("default", pump.device_id)
    assert await site.until(key) is TaskStatus.FAIL
    assert [target.reason for target in await site.targets(key)] == [Obstacle.REMOVED]


async def test_a_delivered_message_that_is_deleted_at_once_counts_as_delivered(site: BatchSite) -> None:
    [pump] = site.add_devices(1)
    client = await site.log_in(pump)
    key = await site.create([pump])
    await site.until_states(key, PROCESSING)
    await client.take()
    await client.quiet()
    await site.store.flush()
    await site.delivery.cancel("default", pump.device_id, site.message_ids(pump)[0])
    assert await site.states(key) == [SUCCESS]


async def test_the_topic_is_each_device_s_own(site: BatchSite) -> None:
    pumps = site.add_devices(2)
    clients = [await site.log_in(pump) for pump in pumps]
    for client, pump in zip(clients, pumps, strict=True):
        await client.subscribe(f"$oc/devices/{pump.device_id}/user/#")
    key = await site.create(pumps, suffix="news")
    await site.until_states(key, PROCESSING, PROCESSING)
    topics = [(await client.take()).topic for client in clients]
    assert topics == [f"$oc/devices/{pump.device_id}/user/news" for pump in pumps]


async def test_it_begins_at_its_time(site: BatchSite) -> None:
    pumps = site.add_devices(2)
    key = await site.create(pumps, policy=Policy(site.clock() + 3600_000))
    await site.let_pass(3590)
    await site.store.flush()
    assert (await site.task(key)).status is TaskStatus.WAITING
    assert site.message_ids(pumps[0]) == []
    await site.restart()
    await site.let_pass(11)
    await site.until_states(key, PROCESSING, PROCESSING)


async def test_what_fails_is_tried_again(site: BatchSite) -> None:
    """ttl 0 and nobody there; the third attempt is the last."""
    [pump] = site.add_devices(1)
    key = await site.create([pump], ttl=0, policy=Policy(None, 2, 10))
    for attempt in (1, 2):
        await site.until_attempts(key, attempt)
        await site.until_states(key, RETRY)
        await site.let_pass(9 * 60)
        await site.store.flush()
        assert len(site.message_ids(pump)) == attempt
        await site.let_pass(60)
    await site.until_attempts(key, 3)
    assert await site.until(key) is TaskStatus.FAIL
    assert len(set(site.message_ids(pump))) == 3
    assert (await site.targets(key))[0].attempts == 3


async def test_a_retry_that_is_delivered_is_a_success(site: BatchSite) -> None:
    [pump] = site.add_devices(1)
    key = await site.create([pump, "late"], ttl=0, policy=Policy(None, 5, 0), message_id="the-same")
    await site.until_states(key, RETRY, RETRY)
    late = site.add_device("late")
    clients = [await site.log_in(pump), await site.log_in(late)]
    for client in clients:
        await site.let_pass(1.1)
        await client.take()
    assert await site.until(key) is TaskStatus.SUCCESS
    assert [site.message_ids(pump), site.message_ids(late)] == [["the-same"]] * 2


async def test_the_pace_is_kept(new_site: NewSite) -> None:
    site = await new_site(BatchSettings(max_rate=1))
    pumps = site.add_devices(10)
    key = await site.create([pump.device_id for pump in pumps] + [f"no-{n}" for n in range(290)])
    for _ in range(20):
        await site.let_pass(1)
        await site.store.flush()
    started = sum(status is not WAITING for status in await site.states(key))
    assert 0 < started < 60
    assert await site.until(key, TaskStatus.PROCESSING)


async def test_tasks_take_turns(new_site: NewSite) -> None:
    site = await new_site(BatchSettings(max_rate=100))
    keys = [await site.create([f"no-{n}" for n in range(200)]) for _ in range(2)]
    for _ in range(100):
        await site.let_pass(0.01)
        await site.store.flush()
    left = [(await site.task(key)).progress[WAITING] for key in keys]
    assert all(value < 190 for value in left), left


async def test_a_project_has_a_bounded_number_of_tasks(new_site: NewSite) -> None:
    site = await new_site(BatchSettings(max_open=2))
    [pump] = site.add_devices(1)
    keys = [await site.create([pump]) for _ in range(2)]
    with pytest.raises(TooManyTasks):
        await site.create([pump])
    await site.batches.stop_task("default", keys[0])
    await site.until(keys[0], TaskStatus.STOPPED)
    await site.create([pump])


async def test_a_disk_that_refuses_delays_a_task(site: BatchSite, caplog: pytest.LogCaptureFixture) -> None:
    pumps = site.add_devices(2)
    key = await site.create(pumps, policy=Policy(site.clock() + 1000))
    async with site.writes_refused():
        for _ in range(30):
            await site.let_pass(0.2)
            await site.store.flush()
        assert await site.states(key) == [WAITING, WAITING]
    await site.until_states(key, PROCESSING, PROCESSING)
    assert "the store refuses writes" in caplog.text
    assert [len(site.message_ids(pump)) for pump in pumps] == [1, 1]


async def test_tasks_that_are_old_go(new_site: NewSite) -> None:
    site = await new_site(BatchSettings(retention_days=1))
    key = await site.create(["nobody"])
    assert await site.until(key) is TaskStatus.FAIL
    await site.let_pass(23 * 3600)
    assert (await site.task(key)).status is TaskStatus.FAIL
    await site.let_pass(2 * 3600)
    for _ in range(20):
        await site.let_pass(61)
        await site.store.flush()
    with pytest.raises(UnknownTask):
        await site.task(key)
    assert site.store._reader.execute("SELECT count(*) FROM batch_target").fetchone() == (0,)
