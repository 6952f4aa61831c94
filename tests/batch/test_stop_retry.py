"""What an application may do with a task that is there: stop, try again, delete."""

import asyncio

import pytest

from bridge.model.batch import Policy, TargetResult, TargetStatus, TaskStatus
from bridge.model.errors import UnknownTask, WrongTaskState
from tests.batch.batch_site import BatchSite

PROCESSING, SUCCESS = TargetStatus.PROCESSING, TargetStatus.SUCCESS
FAIL, STOPPED, RETRY = TargetStatus.FAIL, TargetStatus.STOPPED, TargetStatus.FAIL_WAIT_RETRY
P = "default"


async def test_a_stopped_task_sends_nothing_more(site: BatchSite) -> None:
    pumps = site.add_devices(3)
    client = await site.log_in(pumps[0])
    key = await site.create([*pumps, "nobody"], policy=Policy(None, 5, 10))
    await site.until_states(key, PROCESSING, PROCESSING, PROCESSING, RETRY)
    await client.take()
    await site.batches.stop_task(P, key)
    assert await site.until(key) is TaskStatus.STOPPED
    assert await site.states(key) == [SUCCESS, STOPPED, STOPPED, STOPPED]
    assert site.message_ids(pumps[1]) == []
    late = await site.log_in(pumps[1])
    await site.let_pass(3600)
    await late.quiet()


async def test_a_task_that_has_not_begun_can_be_stopped(site: BatchSite) -> None:
    [pump] = site.add_devices(1)
    key = await site.create([pump], policy=Policy(site.clock() + 60_000))
    await site.batches.stop_task(P, key)
    assert await site.until(key) is TaskStatus.STOPPED
    await site.let_pass(120)
    assert site.message_ids(pump) == []


async def test_stopping_goes_on_after_a_restart(site: BatchSite) -> None:
    pumps = site.add_devices(2)
    key = await site.create(pumps)
    await site.until_states(key, PROCESSING, PROCESSING)
    await site.batches.stop()
    await site.batches.stop_task(P, key)
    assert (await site.task(key)).status is TaskStatus.STOPPING
    await site.restart()
    assert await site.until(key) is TaskStatus.STOPPED
    assert await site.states(key) == [STOPPED, STOPPED]


async def test_single_targets_can_be_stopped(site: BatchSite) -> None:
    pumps = site.add_devices(3)
    client = await site.log_in(pumps[0])
    key = await site.create(pumps)
    await site.until_states(key, *[PROCESSING] * 3)
    await client.take()
    await site.until_states(key, SUCCESS, PROCESSING, PROCESSING)
    names = [pumps[0].device_id, pumps[1].device_id, "stranger"]
    assert await site.batches.stop_targets(P, key, names) == [
        TargetResult(names[0], "it is Success"),
        TargetResult(names[1]),
        TargetResult("stranger", "not a target of this task"),
    ]
    assert await site.states(key) == [SUCCESS, STOPPED, PROCESSING]
    assert site.message_ids(pumps[1]) == []
    await site.batches.stop_targets(P, key, [pumps[2].device_id])
    assert await site.until(key) is TaskStatus.PARTIAL_SUCCESS


async def test_what_failed_can_be_tried_again(site: BatchSite) -> None:
    pumps = site.add_devices(2)
    key = await site.create([*pumps, pumps[0], "nobody"], ttl=0, message_id="m")
    assert await site.until(key) is TaskStatus.FAIL
    client = await site.log_in(pumps[0])
    await site.batches.retry_task(P, key)
    await site.until_states(key, PROCESSING, FAIL, FAIL, FAIL)
    await client.take()
    assert await site.until(key) is TaskStatus.PARTIAL_SUCCESS
    assert await site.states(key) == [SUCCESS, FAIL, FAIL, FAIL]
    await client.quiet()
    assert site.message_ids(pumps[0]) == ["m"]


async def test_single_targets_can_be_tried_again(site: BatchSite) -> None:
    pumps = site.add_devices(2)
    key = await site.create(pumps, ttl=0)
    assert await site.until(key) is TaskStatus.FAIL
    clients = [await site.log_in(pump) for pump in pumps]
    names = [pumps[1].device_id, "stranger"]
    results = await site.batches.retry_targets(P, key, names)
    assert results == [TargetResult(names[0]), TargetResult("stranger", "not a target of this task")]
    await site.until_states(key, FAIL, PROCESSING)
    await clients[1].take()
    assert await site.until(key) is TaskStatus.PARTIAL_SUCCESS
    await clients[0].quiet()


async def test_retrying_while_it_runs(site: BatchSite) -> None:
    pumps = site.add_devices(2)
    key = await site.create([pumps[0], "late"])
    await site.until_states(key, PROCESSING, FAIL)
    site.add_device("late")
    await site.batches.retry_task(P, key)
    await site.until_states(key, PROCESSING, PROCESSING)
    assert len(site.message_ids(pumps[0])) == 1


async def test_a_task_of_which_nothing_failed_ends_as_before(site: BatchSite) -> None:
    [pump] = site.add_devices(1)
    key = await site.create([pump, pump])
    client = await site.log_in(pump)
    await site.until_states(key, PROCESSING, FAIL)
    await client.take()
    assert await site.until(key) is TaskStatus.PARTIAL_SUCCESS
    await site.batches.retry_task(P, key)
    assert await site.until(key) is TaskStatus.PARTIAL_SUCCESS
    await client.quiet()


async def test_only_what_has_ended_can_be_deleted(site: BatchSite) -> None:
    [pump] = site.add_devices(1)
    key = await site.create([pump])
    with pytest.raises(WrongTaskState, match="it is "):
        await site.batches.remove(P, key)
    await site.batches.stop_task(P, key)
    await site.until(key)
    await site.batches.remove(P, key)
    with pytest.raises(UnknownTask):
        await site.batches.show(P, key)
    with pytest.raises(UnknownTask):
        await site.batches.remove(P, key)


@pytest.mark.parametrize("action", ["stop_task", "retry_task", "remove"])
async def test_what_is_not_there_or_another_project_s(site: BatchSite, action: str) -> None:
    key = await site.create(["nobody"])
    await site.until(key)
    for project, other in ((P, key + 1), ("elsewhere", key)):
        with pytest.raises(UnknownTask):
            await getattr(site.batches, action)(project, other)


async def test_states_in_which_nothing_can_be_done(site: BatchSite) -> None:
    [pump] = site.add_devices(1)
    waiting = await site.create([pump], policy=Policy(site.clock() + 60_000))
    with pytest.raises(WrongTaskState):
        await site.batches.retry_task(P, waiting)
    failed = await site.create(["nobody"])
    await site.until(failed)
    for stop in (site.batches.stop_task(P, failed), site.batches.stop_targets(P, failed, ["nobody"])):
        with pytest.raises(WrongTaskState):
            await stop
    await site.batches.stop_task(P, waiting)
    await site.until(waiting)
    for retry in (site.batches.retry_task(P, waiting), site.batches.retry_targets(P, waiting, [pump.device_id])):
        with pytest.raises(WrongTaskState):
            await retry


async def test_stopping_twice_at_once(site: BatchSite) -> None:
    pumps = site.add_devices(2)
    key = await site.create(pumps)
    await site.until_states(key, PROCESSING, PROCESSING)
    both = await asyncio.gather(site.batches.stop_task(P, key), site.batches.stop_task(P, key), return_exceptions=True)
    assert [type(result) for result in both if result is not None] == [WrongTaskState]
    assert await site.until(key) is TaskStatus.STOPPED
