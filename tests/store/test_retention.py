import asyncio
from pathlib import Path

import pytest

from bridge.model.errors import StoreUnavailable
from bridge.model.message import Message, Outcome, Status
from bridge.model.once import REMEMBERED, Once
from bridge.store import Store, StoreSettings, retention
from tests.store.asking import NOW, a_message, add, added, finish, ids
from tests.store.clock import HandClock

DAY = 86_400_000


async def aged(store: Store, device: int, clock: HandClock, *names: str, finished: bool = True) -> list[Message]:
    messages = await added(store, device, *names)
    if finished:
        outcome = Outcome(Status.TIMEOUT, clock())
        await asyncio.gather(*(finish(store, message.seq, outcome) for message in messages))
    return messages


async def test_finished_messages_go_when_they_are_old(store: Store, device: int, clock: HandClock) -> None:
    await aged(store, device, clock, "old1", "old2")
    await aged(store, device, clock, "waiting", finished=False)
    [late] = await added(store, device, "late")
    clock.now += 7 * DAY
    assert await store.prune() == 0
    await finish(store, late.seq, Outcome(Status.TIMEOUT, clock()))
    clock.now += 1
    assert await store.prune() == 2
    assert ids(store.messages(device, limit=10)) == ["late", "waiting"]
    clock.now += 7 * DAY
    assert await store.prune() == 1
    assert ids(store.messages(device, limit=10)) == ["waiting"]


async def test_nothing_to_prune(store: Store) -> None:
    assert await store.prune() == 0


async def test_it_goes_on_where_it_stopped(
    store: Store, device: int, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP", 2)
    monkeypatch.setattr(retention, "STEPS", 2)
    await aged(store, device, clock, "w1", "w2", "w3", finished=False)
    await aged(store, device, clock, *(f"old{number}" for number in range(6)))
    clock.now += 8 * DAY
    assert [await store.prune() for _ in range(4)] == [1, 4, 1, 0]


async def test_it_runs_by_itself(path: Path, clock: HandClock) -> None:
    store = Store.open(path, clock=clock, settings=StoreSettings(retention_days=1), prune_every=0.001)
    device = store.add_device("home", "lamp", "secret-of-lamp").key
    await aged(store, device, clock, "old")
    clock.now += 2 * DAY
    async with asyncio.timeout(10):
        while store.messages(device, limit=10):
            await store.flush()
    await store.close()


async def test_a_refusing_disk_is_survived(path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    store = Store.open(path, clock=clock, prune_every=0.001)
    device = store.add_device("home", "lamp", "secret-of-lamp").key
    await aged(store, device, clock, "old")
    store._writer._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable):
        await store.prune()
    async with asyncio.timeout(10):
        while "the store refuses writes" not in caplog.text:
            await store.flush()
    store._writer._connection.execute("PRAGMA query_only = OFF")
    clock.now += 8 * DAY
    async with asyncio.timeout(10):
        while store.messages(device, limit=10):
            await store.flush()
    await store.close()


async def test_one_run_at_a_time(store: Store) -> None:
    store._start_pruning()
    first = store._pruning
    store._start_pruning()
    assert store._pruning is first


async def test_keys_go_when_they_are_old(
    store: Store, device: int, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP", 2)
    monkeypatch.setattr(retention, "STEPS", 2)
    for number in range(6):
        await add(store, a_message(device, f"m{number}"), Once(f"key-{number}", b""))
    clock.now = NOW + REMEMBERED - 1
    assert await store.forget() == 0
    clock.now += 1
    assert [await store.forget() for _ in range(3)] == [4, 2, 0]
    assert store.remembered(device, "key-5", NOW) is None


async def test_old_keys_go_by_themselves(path: Path, clock: HandClock) -> None:
    store = Store.open(path, clock=clock, prune_every=0.001)
    device = store.add_device("home", "lamp", "secret-of-lamp").key
    await add(store, a_message(device), Once("a-key", b""))
    clock.now += REMEMBERED
    async with asyncio.timeout(10):
        while store.remembered(device, "a-key", NOW):
            await store.flush()
    await store.close()
