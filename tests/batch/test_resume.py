"""A daemon that dies in the middle of a task: no device is sent two messages, none is left out."""

import asyncio
import contextlib
import sqlite3

from bridge.batch import BatchSettings
from bridge.model.batch import TargetStatus, TaskStatus
from tests.batch.batch_site import BatchSite, order
from tests.batch.conftest import NewSite

PROCESSING, SUCCESS, WAITING = TargetStatus.PROCESSING, TargetStatus.SUCCESS, TargetStatus.WAITING


async def test_it_goes_on_where_it_was(new_site: NewSite) -> None:
    site = await new_site(BatchSettings(max_rate=500))
    pumps = site.add_devices(60)
    key = await site.create(pumps)
    for _ in range(5):
        await site.let_pass(0.03)
        await site.store.flush()
    for _ in range(3):
        await site.restart()
        await site.let_pass(0.02)
        await site.store.flush()
    await site.until_states(key, *[PROCESSING] * 60)
    assert [len(site.message_ids(pump)) for pump in pumps] == [1] * 60


async def test_what_ended_shortly_before_is_not_forgotten(site: BatchSite) -> None:
    """The message is DELIVERED on disk, and its target does not know yet."""
    pumps = site.add_devices(2)
    key = await site.create(pumps)
    await site.until_states(key, PROCESSING, PROCESSING)
    await site.batches.stop()
    client = await site.log_in(pumps[0])
    await client.take()
    await client.quiet()
    await site.store.flush()
    assert await site.states(key) == [PROCESSING, PROCESSING]
    await site.restart()
    await site.until_states(key, SUCCESS, PROCESSING)


async def test_a_task_that_nobody_was_told_of_is_gone(site: BatchSite) -> None:
    """The daemon died while it stored the targets."""
    with contextlib.closing(sqlite3.connect(site.path)) as other:
        other.execute(
            "INSERT INTO batch_task (project, name, created_at, retry_count, retry_interval, ttl, content) "
            "VALUES ('default', 'half', 1, 0, 0, 5, '\"x\"')"
        )
        other.execute(
            "INSERT INTO batch_target (task, number, device_id, status, retries) VALUES (1, 1, 'a', 'Waitting', 0)"
        )
        other.commit()
    await site.restart()
    for _ in range(10):
        await site.let_pass(0.1)
        await site.store.flush()
    for table in ("batch_task", "batch_target"):
        assert site.store._reader.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608


async def test_a_task_is_on_disk_before_it_is_answered(site: BatchSite) -> None:
    with site.writer_held():
        creation = asyncio.ensure_future(site.batches.create("default", order("a", "b")))
        await asyncio.sleep(0)
        assert not creation.done()
    task = await creation
    with contextlib.closing(sqlite3.connect(site.path)) as other:
        assert other.execute("SELECT count(*) FROM batch_target WHERE task = ?", (task.key,)).fetchone() == (2,)
    assert task.status is TaskStatus.WAITING
    assert task.targets == ("a", "b")
