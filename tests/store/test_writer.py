"""Group commit, and what happens when it does not go well."""

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.model.errors import DuplicateMessage, StoreUnavailable, UnknownDevice
from bridge.model.message import Status
from bridge.store import Store
from bridge.store.writer import BATCH
from tests.store.asking import a_message, add, added, fail_uncached, finish, ids, remove
from tests.store.clock import HandClock


def writing(store: Store) -> sqlite3.Connection:
    """The writer's connection; a test may touch it while nothing is queued."""
    return store._writer._connection


@contextlib.contextmanager
def holding(path: Path) -> Iterator[None]:
    """The lock for writing, as another process would take it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")


def count_statements(store: Store) -> Counter[str]:
    """Counts the statements of the writer from now on by their first word."""
    count: Counter[str] = Counter()
    writing(store).set_trace_callback(lambda statement: count.update([statement.split()[0]]))
    return count


async def test_what_is_written_in_one_turn_is_one_commit(store: Store, device: int) -> None:
    count = count_statements(store)
    messages = await added(store, device, *(f"m{number}" for number in range(300)))
    assert count == {"BEGIN": 1, "INSERT": 5, "COMMIT": 1}
    count.clear()
    assert await asyncio.gather(*(finish(store, message.seq) for message in messages)) == [True] * 300
    assert count == {"BEGIN": 1, "UPDATE": 5, "COMMIT": 1}


async def test_what_is_written_during_a_commit_shares_the_next(store: Store, path: Path, device: int) -> None:
    count = count_statements(store)
    turns = [a_message(device, f"m{number}") for number in range(4)]
    with holding(path):  # the first turn waits for the lock, the others queue up behind it
        answers = []
        for message in turns:
            answers.append(add(store, message))
            await asyncio.sleep(0)
    assert await asyncio.gather(*answers) == [None] * 4
    assert count["COMMIT"] <= 2


async def test_a_commit_is_bounded(store: Store, device: int) -> None:
    count = count_statements(store)
    await added(store, device, *(f"m{number}" for number in range(4 * BATCH)))
    assert 2 <= count["COMMIT"] <= 4


async def test_an_error_is_its_own_callers_alone(store: Store, device: int) -> None:
    count = count_statements(store)
    first = a_message(device, "m1")
    answers: list[asyncio.Future[Any]] = [
        add(store, first),
        add(store, a_message(device, "m1")),
        add(store, a_message(device + 1, "m2")),
        finish(store, first.seq),
        finish(store, first.seq),
        remove(store, first.seq + 999),
        fail_uncached(store),
    ]
    results = await asyncio.gather(*answers)
    assert isinstance(results.pop(1), DuplicateMessage)
    assert isinstance(results.pop(1), UnknownDevice)
    assert results == [None, True, False, None, 0]
    assert (count["ROLLBACK"], count["COMMIT"]) == (1, 1)


UNSTORABLE = {
    "lone surrogate": {"content": '"\ud800"'},
    "70 bits": {"ttl": 2**70},
    "no text": {"content": object()},
    "nothing": {"content": None},
}


@pytest.mark.parametrize("fields", UNSTORABLE.values(), ids=UNSTORABLE)
async def test_what_cannot_be_stored_fails_alone(
    store: Store, device: int, fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    bad = a_message(device, "m2", **fields)
    with caplog.at_level(logging.CRITICAL, "bridge"):
        answers = [add(store, a_message(device, "m1")), add(store, bad), add(store, a_message(device, "m3"))]
        first, second, third = await asyncio.gather(*answers)
    assert (first, third) == (None, None)
    assert isinstance(second, StoreUnavailable)
    assert ids(store.messages(device, limit=10)) == ["m3", "m1"]


async def test_a_full_disk_refuses_new_work_and_keeps_the_old(
    store: Store, device: int, caplog: pytest.LogCaptureFixture
) -> None:
    [kept] = await added(store, device, "kept")
    [pages] = writing(store).execute("PRAGMA page_count").fetchone()
    writing(store).execute(f"PRAGMA max_page_count = {pages}")
    large = [a_message(device, f"large{number}", content="x" * 20_000) for number in range(3)]
    with caplog.at_level(logging.CRITICAL, "bridge"):
        refused = await asyncio.gather(*(add(store, message) for message in large))
        assert [type(answer) for answer in refused] == [StoreUnavailable] * 3
        assert ids(store.messages(device, limit=10)) == ["kept"]
        # Where no room is needed there is work: the state of what is stored still moves.
        answers: list[asyncio.Future[Any]] = [add(store, large[0]), finish(store, kept.seq), add(store, large[1])]
        first, second, third = await asyncio.gather(*answers)
        assert (type(first), second, type(third)) == (StoreUnavailable, True, StoreUnavailable)
    writing(store).execute("PRAGMA max_page_count = 1000000")
    assert await asyncio.gather(*(add(store, message) for message in large)) == [None] * 3
    found = store.message(device, "kept")
    assert found is not None
    assert found.status is Status.DELIVERED


async def test_a_duplicate_and_a_full_disk_at_once(store: Store, device: int, caplog: pytest.LogCaptureFixture) -> None:
    await added(store, device, "m1")
    [pages] = writing(store).execute("PRAGMA page_count").fetchone()
    writing(store).execute(f"PRAGMA max_page_count = {pages}")
    with caplog.at_level(logging.CRITICAL, "bridge"):
        answers = [add(store, a_message(device, "m1")), add(store, a_message(device, "m2", content="x" * 20_000))]
        assert [type(answer) for answer in await asyncio.gather(*answers)] == [StoreUnavailable] * 2


@pytest.mark.slow
async def test_every_kind_of_write_learns_that_the_disk_refuses(
    store: Store, device: int, caplog: pytest.LogCaptureFixture
) -> None:
    [message] = await added(store, device, "m1", ttl=0)
    writing(store).execute("PRAGMA query_only = ON")
    answers: list[asyncio.Future[Any]] = [
        add(store, a_message(device, "m2")),
        remove(store, message.seq),
        fail_uncached(store),
    ]
    put_off = finish(store, message.seq)
    with caplog.at_level(logging.CRITICAL, "bridge"):
        results = await asyncio.gather(*answers)
        with pytest.raises(StoreUnavailable):
            await store._writer.request(lambda connection: connection.execute("DELETE FROM message"))
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert not put_off.done()
    writing(store).execute("PRAGMA query_only = OFF")
    assert await put_off is True


async def test_nobody_waits_for_a_cancelled_request(store: Store, device: int) -> None:
    request = store._writer.request(lambda _: None)
    request.cancel()
    await added(store, device, "m1")
    assert request.cancelled()


async def test_flush_waits_for_all_writes_before_it(store: Store, device: int) -> None:
    answers = [add(store, a_message(device, f"m{number}")) for number in range(3)]
    await store.flush()
    assert [answer.result() for answer in answers] == [None] * 3


async def test_close_commits_what_is_queued(path: Path, clock: HandClock) -> None:
    store = Store.open(path, clock=clock)
    device = store.add_device("home", "lamp", "secret-of-lamp").key
    answers = [add(store, a_message(device, f"m{number}")) for number in range(3)]
    await store.close()
    assert [answer.result() for answer in answers] == [None] * 3
    again = Store.open(path, clock=clock)
    assert len(again.pending(device, after=0, limit=10)) == 3
    await again.close()


async def test_a_closed_store_refuses(path: Path, clock: HandClock) -> None:
    store = Store.open(path, clock=clock)
    device = store.add_device("home", "lamp", "secret-of-lamp").key
    await store.close()
    await store.close()
    await store.flush()
    assert isinstance(await add(store, a_message(device)), StoreUnavailable)
    with pytest.raises(StoreUnavailable):
        store.messages(device, limit=10)
    with pytest.raises(StoreUnavailable):
        store.message(device, "m1")
    with pytest.raises(StoreUnavailable):
        store.devices(None)
    with pytest.raises(StoreUnavailable):
        store.look()


def test_the_thread_ends_with_its_loop(path: Path, clock: HandClock) -> None:
    loop = asyncio.new_event_loop()
    store = Store.open(path, clock=clock, loop=loop)
    device = store.add_device("home", "lamp", "secret-of-lamp").key
    store.add(a_message(device), lambda _: None)
    with holding(path):
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
    store._writer._thread.join()
    assert len(store.messages(device, limit=10)) == 1
    store._opened.close()
