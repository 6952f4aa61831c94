"""Damage, files that are lost, and what is owed when the store is closed."""

import asyncio
import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bridge.model.errors import StoreUnavailable
from bridge.model.message import Status
from bridge.store import Store
from bridge.store.damage import diagnosis
from bridge.store.writer import middle_of
from bridge.store.writes import Other
from tests.store.asking import a_message, add, added, finish, ids
from tests.store.clock import HandClock


def damage(path: Path, name: str) -> None:
    """The page that a table begins at is not what SQLite has written any more."""
    with contextlib.closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [page] = opened.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        [size] = opened.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


async def test_who_meets_damage_is_refused_and_the_others_are_not(
    store: Store, path: Path, device: int, caplog: pytest.LogCaptureFixture
) -> None:
    await store.flush()
    damage(path, "retained")
    answers: list[asyncio.Future[Any]] = [add(store, a_message(device, f"m{number}")) for number in range(5)]
    met: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    store._writer.put(Other(lambda connection: connection.execute("DELETE FROM retained"), met.set_result))
    answers += [add(store, a_message(device, f"n{number}")) for number in range(5)]
    assert isinstance(await met, StoreUnavailable)
    assert await asyncio.gather(*answers) == [None] * 10
    assert len(ids(store.messages(device, limit=20))) == 10
    await store.close()
    [line] = [record.message for record in caplog.records if record.levelname == "CRITICAL"]
    assert line.startswith(f"{path} is damaged (table retained: ")


def test_what_is_not_damaged_has_no_findings(path: Path, clock: HandClock) -> None:
    with contextlib.closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE t (x)")
    assert diagnosis(path).startswith(f"{path} is damaged: stop the daemon")


def other(*, joined: bool) -> Other:
    return Other(lambda _: None, lambda _: None, joined=joined)


@pytest.mark.parametrize(
    ("joined", "middle"),
    [([0], 0), ([0, 0], 1), ([0, 1], 0), ([0, 0, 1, 1], 1), ([0, 1, 1, 0], 3), ([0, 1, 1, 1, 0, 0], 4)],
)
def test_halves_do_not_part_what_is_joined(joined: list[int], middle: int) -> None:
    assert middle_of([other(joined=bool(each)) for each in joined]) == middle


async def test_what_is_owed_is_written_by_close(path: Path, clock: HandClock) -> None:
    store = Store.open(path, clock=clock)
    device = store.add_device("home", "lamp", "secret-of-lamp").key
    [message] = await added(store, device, "m1")
    store._writer._connection.execute("PRAGMA query_only = ON")
    answer = finish(store, message.seq)
    await store.flush()
    assert not answer.done()
    store._writer._connection.execute("PRAGMA query_only = OFF")
    assert not await store.close()
    assert await answer is True


async def test_what_cannot_be_written_is_returned(
    path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bridge.store.writer.CLOSE_WAIT", 0)
    store = Store.open(path, clock=clock)
    device = store.add_device("home", "lamp", "secret-of-lamp").key
    messages = await added(store, device, *(f"m{number}" for number in range(12)))
    store._writer._connection.execute("PRAGMA query_only = ON")
    answers = [finish(store, message.seq) for message in messages]
    unwritten = await store.close()
    assert str(unwritten) == "12 outcomes of messages"
    assert {type(await answer) for answer in answers} == {StoreUnavailable}
    assert "home/lamp/m0 home/lamp/m1 " in caplog.records[-1].__dict__["messages"]
    assert not await store.close()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
async def test_a_file_that_is_lost(
    store: Store, path: Path, device: int, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    [message] = await added(store, device, "m1")
    os.unlink(f"{path}{suffix}")  # noqa: PTH108
    store._guard.look()
    store._guard.look()
    await asyncio.gather(*store._guard._tasks)
    assert isinstance(await add(store, a_message(device, "m2")), StoreUnavailable)
    with pytest.raises(StoreUnavailable, match="was deleted or replaced"):
        await store.manage(lambda admin: admin.devices(None))
    finished = finish(store, message.seq)
    assert not await store.close()
    assert await finished is True
    [line] = [record.message for record in caplog.records if record.levelname == "CRITICAL"]
    assert f"{path.name}{suffix} was deleted or replaced" in line
    saved = path if suffix else path.with_name("bridge.db.rescued")
    with contextlib.closing(sqlite3.connect(saved)) as opened:
        assert opened.execute("SELECT message_id, status FROM message").fetchall() == [("m1", Status.DELIVERED)]


def lose(path: Path) -> None:
    """Where a copy would be there is something else."""
    path.unlink()
    path.with_name("bridge.db.rescued").mkdir()


async def test_what_cannot_be_saved_is_said(
    store: Store, path: Path, device: int, caplog: pytest.LogCaptureFixture
) -> None:
    await added(store, device, "m1")
    lose(path)
    store._guard.look()
    await asyncio.gather(*store._guard._tasks)
    assert "cannot be saved: " in caplog.text


async def test_an_administrator_who_finds_no_room(store: Store, device: int, caplog: pytest.LogCaptureFixture) -> None:
    for connection in (store._connection, store._writer._connection):
        connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable):
        store.add_device("home", "second", "secret-of-second")
    await asyncio.sleep(0)  # it is told in the loop
    await store.flush()
    assert store.refusal is not None
    for connection in (store._connection, store._writer._connection):
        connection.execute("PRAGMA query_only = OFF")
