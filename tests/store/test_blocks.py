"""Lists that reach over many blocks of the index."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from bridge.model.message import Status
from bridge.store import Admin, Store
from bridge.store.blocks import BITS, blocks
from tests.store.asking import a_message, add, added, finish, ids
from tests.store.clock import HandClock

BLOCK = 1 << BITS


async def test_lists_reach_over_blocks(store: Store, device: int, other: int) -> None:
    expected: list[str] = []
    for name in ("m1", "m2", "m3"):
        mine = await added(store, device, f"{name}a", f"{name}b")
        await finish(store, mine[1].seq)
        expected[:0] = [f"{name}b", f"{name}a"]
        await asyncio.gather(*(add(store, a_message(other, f"{name}-{number}")) for number in range(BLOCK)))
    assert ids(store.messages(device, limit=10)) == expected
    assert ids(store.messages(device, limit=10, status=Status.DELIVERED)) == ["m3b", "m2b", "m1b"]
    page = store.messages(device, limit=3)
    assert ids(page) + ids(store.messages(device, limit=3, before=page[-1].seq)) == expected
    found = list(blocks(store._reader, device, newest=store._seq))
    assert found == [2, 1, 0]
    assert list(blocks(store._reader, device, newest=2 * BLOCK - 1, oldest=BLOCK)) == [1]


async def test_what_comes_in_during_a_removal_goes_too(store: Store, path: Path, device: int, clock: HandClock) -> None:
    await added(store, device, "m1")
    begins = 0

    def late(statement: str) -> None:
        nonlocal begins
        begins += statement.startswith("BEGIN")
        if begins == 2:
            begins += 1
            with contextlib.closing(sqlite3.connect(path)) as writer, writer:
                writer.execute(
                    "INSERT INTO message (device, message_id, ttl, created_at, expires_at, content)"
                    " VALUES (?, 'late', 5, 1, 2, '')",
                    (device,),
                )

    with Admin.open(path, clock) as admin:
        admin._connection.set_trace_callback(late)
        admin.remove_device("home", "lamp")
    assert begins == 3
    assert store.messages(device, limit=10) == []


async def test_a_device_is_removed_with_all_blocks(store: Store, device: int, other: int) -> None:
    for round_ in range(3):
        await added(store, device, f"m{round_}")
        await asyncio.gather(*(add(store, a_message(other, f"{round_}-{number}")) for number in range(BLOCK)))
    store.remove_device("home", "lamp")
    assert store.messages(device, limit=10) == []
    assert len(store.messages(other, limit=4 * BLOCK)) == 3 * BLOCK
