"""Steady time goes on with the next start of the store."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.model.clock import ClockState, Timekeeper
from bridge.store import Store, store
from bridge.store.clock_state import saved_clock
from tests.model.machine import START, Machine
from tests.store.clock import HandClock

MINUTE = 60_000
DAY = 1440 * MINUTE


@pytest.fixture
def machine() -> Machine:
    return Machine()


@contextlib.asynccontextmanager
async def opened(path: Path, machine: Machine) -> AsyncIterator[tuple[Store, Timekeeper]]:
    clock = Timekeeper(machine)
    found = Store.open(path, clock=clock)
    try:
        yield found, clock
    finally:
        await found.close()


def saved(path: Path) -> ClockState:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = saved_clock(connection)
    assert found is not None
    return found


async def until_saved(store: Store, steady: int) -> None:
    async with asyncio.timeout(10):
        while saved(store.path).steady != steady:
            await store.flush()


async def test_it_goes_on_whatever_the_clock_says_meanwhile(path: Path, machine: Machine) -> None:
    async with opened(path, machine) as (_, clock):
        assert clock.steady() == START
        machine.now += 1000 * DAY
    machine.pass_by(MINUTE)
    machine.now -= 3000 * DAY
    async with opened(path, machine) as (_, clock):
        assert clock.steady() == START + MINUTE
        assert clock.wall_of(clock.steady()) == machine.now


async def test_it_is_saved_at_the_start_once_a_minute_and_when_the_clock_is_set(
    path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CLOCK_EVERY", 0.001)
    async with opened(path, machine) as (found, clock):
        await found.flush()
        assert saved(path).steady == START
        machine.pass_by(MINUTE)
        await until_saved(found, START + MINUTE)
        machine.pass_by(5)
        machine.now += DAY
        await until_saved(found, START + MINUTE + 5)
        assert [jump.offset for jump in saved(path).jumps] == [0, DAY]
        machine.pass_by(5)
        machine.now += DAY
        clock.steady_of(machine.now)  # notices it first
        await until_saved(found, START + MINUTE + 10)
        assert [jump.offset for jump in saved(path).jumps] == [0, DAY, 2 * DAY]
        machine.pass_by(5)
    assert saved(path).steady == START + MINUTE + 15


async def test_what_the_disk_refuses_is_saved_a_minute_later(
    path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CLOCK_EVERY", 0.001)
    async with opened(path, machine) as (found, _):
        await found.flush()
        await found._writer.request(lambda connection: connection.execute("PRAGMA query_only = ON").close())
        machine.pass_by(MINUTE)
        found._look_at_clock()
        await found.flush()
        assert saved(path).steady == START
        found._writer._connection.execute("PRAGMA query_only = OFF").close()
        machine.pass_by(MINUTE)
        await until_saved(found, START + 2 * MINUTE)


async def test_a_plain_clock_is_not_saved(path: Path, clock: HandClock) -> None:
    await Store.open(path, clock=clock).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert saved_clock(connection) is None
