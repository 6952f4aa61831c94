"""Devices and tokens: in the store, from another process, and from memory."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.model.device import Device
from bridge.model.errors import DuplicateDevice, DuplicateToken, StoreUnavailable, UnknownDevice, UnknownToken
from bridge.model.principal import Principal
from bridge.store import Admin, Store, Token, cache, connection
from tests.store.asking import a_message, add, added, finish
from tests.store.clock import HandClock

SENDER = frozenset({"messages:send", "messages:read"})


def count_reads(store: Store) -> list[str]:
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    return statements


async def test_a_device_is_known_by_each_of_its_names(store: Store, clock: HandClock) -> None:
    lamp = store.add_device("home", "lamp", "secret-of-lamp")
    assert lamp == Device(lamp.key, "home", "lamp", "secret-of-lamp", False, clock())
    elsewhere = store.add_device("work", "lamp", "another-secret")
    assert store.device("home", "lamp") == lamp
    assert store.device_by_key(elsewhere.key) == elsewhere
    assert store.devices_called("lamp") == [lamp, elsewhere]
    assert store.devices_called("fan") == []
    assert store.device("work", "fan") is None
    assert store.device_by_key(elsewhere.key + 1) is None


async def test_a_device_is_registered_once(store: Store) -> None:
    lamp = store.add_device("home", "lamp", "secret-of-lamp")
    with pytest.raises(DuplicateDevice):
        store.add_device("home", "lamp", "another-secret")
    assert store.device("home", "lamp") == lamp


async def test_devices_are_listed_in_pages(store: Store) -> None:
    added = [store.add_device(project, name, "12345678") for project in ("a", "b") for name in ("x", "y", "z")]
    assert store.devices(None) == added
    assert store.devices("b") == added[3:]
    assert store.devices("b", limit=2) == added[3:5]
    assert store.devices("b", after=added[4].key) == added[5:]
    assert store.devices(None, after=added[1].key, limit=2) == added[2:4]


async def test_a_device_is_frozen_and_thawed(store: Store, device: int) -> None:
    for frozen in (True, False):
        store.set_frozen("home", "lamp", frozen)
        found = store.device("home", "lamp")
        assert found is not None
        assert found.frozen is frozen
    with pytest.raises(UnknownDevice):
        store.set_frozen("home", "nobody", True)


async def test_a_removed_device_takes_its_messages_along(store: Store, device: int, other: int) -> None:
    mine = await added(store, device, "m1", "m2")
    await added(store, other, "m1")
    await finish(store, mine[0].seq)
    store.remove_device("home", "lamp")
    assert store.device("home", "lamp") is None
    assert store.messages(device, limit=10) == []
    assert len(store.messages(other, limit=10)) == 1
    assert await finish(store, mine[1].seq) is False
    assert isinstance(await add(store, a_message(device, "m3")), UnknownDevice)
    with pytest.raises(UnknownDevice):
        store.remove_device("home", "lamp")
    assert store.add_device("home", "lamp", "secret-of-lamp").key > max(device, other)


async def test_a_token_is_shown_once_and_stored_as_a_hash(store: Store, path: Path, clock: HandClock) -> None:
    token = store.add_token("app", "home", SENDER)
    assert len(token) == 43
    assert store.principal(token) == Principal("app", "home", SENDER)
    assert store.principal(token + "x") is None
    assert store.principal("\ud800") is None
    assert store.tokens() == [Token("app", "home", SENDER, clock())]
    with Admin.open(path, clock) as admin:
        assert admin.principal(token) == store.principal(token)
        assert admin.principal(token + "x") is None
    await store.close()
    content = await asyncio.to_thread(path.read_bytes)
    assert token.encode() not in content


async def test_a_token_name_is_taken_once_a_project(store: Store) -> None:
    for project in ("home", "work", None):
        store.add_token("app", project, SENDER)
        with pytest.raises(DuplicateToken):
            store.add_token("app", project, SENDER)
    assert [token.project for token in store.tokens()] == [None, "home", "work"]


async def test_a_known_token_is_put_in_place(store: Store) -> None:
    store.put_token("admin", "from the file", None, frozenset({"admin"}))
    store.put_token("admin", "from the file", None, frozenset({"admin"}))
    assert store.principal("from the file") == Principal("admin", None, frozenset({"admin"}))
    store.put_token("admin", "a newer one", None, SENDER)
    assert store.principal("from the file") is None
    assert store.principal("a newer one") == Principal("admin", None, SENDER)
    store.put_token("root", "a newer one", "home", SENDER)
    assert [token.name for token in store.tokens()] == ["root"]


async def test_putting_what_is_there_changes_nothing(store: Store) -> None:
    store.put_token("admin", "from the file", None, SENDER)
    statements = count_reads(store)
    store.put_token("admin", "from the file", None, SENDER)
    assert not any(statement.startswith("BEGIN") for statement in statements)


async def test_a_revoked_token_opens_nothing(store: Store) -> None:
    tokens = [store.add_token("app", project, SENDER) for project in (None, "home")]
    kept = store.add_token("kept", None, SENDER)
    assert store.principal(tokens[0])
    store.revoke_token("app")
    assert [store.principal(token) for token in tokens] == [None, None]
    assert store.principal(kept)
    with pytest.raises(UnknownToken):
        store.revoke_token("app")


async def test_what_is_known_is_not_read_again(store: Store, device: int) -> None:
    token = store.add_token("app", "home", SENDER)
    known = (store.device("home", "lamp"), store.devices_called("lamp"), store.principal(token))
    statements = count_reads(store)
    assert (store.device("home", "lamp"), store.devices_called("lamp"), store.principal(token)) == known
    assert statements == []


async def test_what_was_missing_is_looked_for_again(store: Store, path: Path, clock: HandClock) -> None:
    assert store.device("home", "lamp") is None
    assert store.devices_called("lamp") == []
    assert store.principal("from the file") is None
    with Admin.open(path, clock) as admin:
        lamp = admin.add_device("home", "lamp", "secret-of-lamp")
        admin.put_token("admin", "from the file", None, SENDER)
    assert store.device("home", "lamp") == lamp
    assert store.devices_called("lamp") == [lamp]
    assert store.principal("from the file")


async def test_memory_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST", 2)
    for name in ("x", "y", "z"):
        store.add_device("home", name, "12345678")
        store.device("home", name)
    statements = count_reads(store)
    assert store.device("home", "z")
    assert store.device("home", "y")
    assert statements == []
    assert store.device("home", "x")
    assert len(statements) == 1


async def test_own_changes_are_told_at_once(store: Store) -> None:
    seen: list[tuple[int, bool | None]] = []

    def watch(key: int) -> None:
        found = store.device_by_key(key)
        seen.append((key, found.frozen if found else None))

    store.on_device_change(watch)
    key = store.add_device("home", "lamp", "secret-of-lamp").key
    store.set_frozen("home", "lamp", True)
    store.remove_device("home", "lamp")
    store.add_token("app", None, SENDER)
    assert seen == [(key, False), (key, True), (key, None)]


async def test_a_failing_watcher_stops_nobody(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: int) -> None:
        raise RuntimeError("not my day")

    seen: list[int] = []
    store.on_device_change(fail)
    store.on_device_change(seen.append)
    with caplog.at_level(logging.CRITICAL, "bridge"):
        lamp = store.add_device("home", "lamp", "secret-of-lamp")
    assert seen == [lamp.key]


CHANGING = """
import sys
from bridge.store import Admin
with Admin.open(sys.argv[1], lambda: 1) as admin:
    admin.set_frozen("home", "lamp", True)
    admin.revoke_token("app")
"""


async def test_changes_of_another_process_are_noticed(store: Store, path: Path, device: int) -> None:
    token = store.add_token("app", None, SENDER)
    assert store.devices_called("lamp")[0].frozen is False
    assert store.principal(token)
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    store.on_device_change(told.set_result)
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", CHANGING, str(path)], check=True)
    async with asyncio.timeout(10):
        assert await told == device
    store.look()
    assert store.devices_called("lamp")[0].frozen is True
    assert store.principal(token) is None


@pytest.mark.slow
async def test_a_feed_that_cannot_be_read_is_tried_again(
    store: Store, path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    changes = store._changes
    changes._reader, working = sqlite3.connect(":memory:"), changes._reader
    async with asyncio.timeout(10):
        while "the database cannot be used" not in caplog.text:
            await store.flush()
    changes._reader.close()
    changes._reader = working
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    store.on_device_change(told.set_result)
    with Admin.open(path, clock) as admin:
        lamp = admin.add_device("home", "lamp", "secret-of-lamp")
    async with asyncio.timeout(10):
        assert await told == lamp.key


async def test_old_changes_are_forgotten(store: Store, clock: HandClock) -> None:
    for name in ("x", "y"):
        store.add_device("home", name, "12345678")
    clock.now += 3_600_001
    store.add_device("home", "z", "12345678")
    rows = store._connection.execute("SELECT seq, name FROM change").fetchall()
    assert rows == [(3, "z")]


async def test_administration_waits_for_the_writer_but_not_forever(
    store: Store, path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0.05)
    with Admin.open(path, clock) as admin:
        store._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            admin.add_device("home", "lamp", "secret-of-lamp")
        store._connection.execute("COMMIT")
        assert admin.add_device("home", "lamp", "secret-of-lamp")
