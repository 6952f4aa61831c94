"""How long the inbox takes to answer with a long history behind it."""

# ruff: noqa: S608 - its SQL is put together from its own constants

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import click

from bridge.model.clock import system_clock
from bridge.model.errors import TooBroad
from bridge.model.notification import Importance, Notice, Selection
from bridge.store import Store
from bridge.store.connection import open_connection
from bridge.store.series import NUMBER_BITS
from scripts.benchmarks import servers
from scripts.benchmarks.table import Verdict, show

SLOWEST_BUDGET = 20.0
"""Milliseconds."""
PROJECT = "default"
OBJECTS = 2000
ROUNDS = 20
STARTED = 1_700_000_000_000
FILL = f"""
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
    INSERT INTO notification
        (key, inbox, at, importance, importance_number, about_number, read, about, message_id, text)
    SELECT (1 << {NUMBER_BITS}) + n, 1, {STARTED} + n * 100, n % 10 = 0,
        CASE WHEN n % 10 = 0 THEN n / 10 ELSE n - n / 10 END, (n - 1) / {OBJECTS} + 1, n % 50 = 0,
        'device-' || ((n - 1) % {OBJECTS}), CASE WHEN n % 10 = 0 THEN 'message-' || n END,
        'Message message-' || n || ' for device device-' || (n % {OBJECTS}) || ' failed: the device is not online.'
    FROM number
"""


def fill(path: Path, count: int) -> None:
    started = time.perf_counter()
    connection = open_connection(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(
        "INSERT INTO inbox (key, project, last, latest_at) VALUES (1, ?, ?, ?)", (PROJECT, count, STARTED + count * 100)
    )
    connection.execute(FILL, (count,))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    megabytes, seconds = path.stat().st_size >> 20, time.perf_counter() - started
    click.echo(f"{count:,} notifications, {megabytes:,} MiB, filled in {seconds:.0f} s\n")


def questions(store: Store, count: int) -> dict[str, Callable[[], object]]:
    middle, end = STARTED + count * 50, STARTED + count * 100

    def listed(**asked: object) -> Callable[[], object]:
        return lambda: len(store.notifications(PROJECT, Selection(**asked), history=True))  # type: ignore[arg-type]

    def bounds(**asked: object) -> Callable[[], object]:
        return lambda: store.notification_bounds(PROJECT, Selection(**asked)).count  # type: ignore[arg-type]

    return {
        "list": listed(),
        "list, limit 1000": listed(limit=1000),
        "list, offset in the middle": listed(offset=count // 2),
        "list, window in the middle": listed(begin=middle, end=middle + 100_000),
        "list, one object": listed(about="device-7"),
        "list, one object, offset, window": listed(about="device-7", offset=count // 4 // OBJECTS, end=middle),
        "list, importance": listed(importance=Importance.IMPORTANT, offset=count // 40),
        "list, importance that nothing has": listed(importance=Importance.CRITICAL),
        "list, unread": listed(read=False),
        "list, read, one object": listed(read=True, about="device-49"),
        "list, search": listed(search=f"message-{count - 5000} "),
        "bounds": bounds(),
        "bounds, window": bounds(begin=middle, end=end - 1_000_000),
        "bounds, one object, window": bounds(about="device-7", begin=middle),
        "bounds, importance, window": bounds(importance=Importance.INFORMATION, begin=middle),
        "bounds, unread": bounds(read=False),
        "bounds, unread, window": bounds(read=False, begin=middle, end=middle + 1_000_000),
        "bounds, search in a window": bounds(search="message-5", begin=end - 1_000_000),
        "search that finds nothing": listed(search="nothing like that"),
    }


def measure(ask: Callable[[], object]) -> tuple[object, float, float]:
    """The answer, and the first and the median time in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        try:
            answer = ask()
        except TooBroad:
            answer = "too broad"
        times.append((time.perf_counter() - started) * 1000)
    return answer, times[0], sorted(times)[ROUNDS // 2]


async def writes(store: Store) -> list[tuple[str, str, str, str]]:
    async def enter(number: int) -> None:
        entered: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        notices = [
            Notice(PROJECT, f"device-{n % OBJECTS}", Importance.INFORMATION, "Device is online.") for n in range(number)
        ]
        store.enter(notices, system_clock(), entered.set_result)
        await entered

    rows = []
    for name, action in (("post", enter(1)), ("enter 256 at once", enter(256)), ("clear", store.clear(PROJECT))):
        started = time.perf_counter()
        await action
        rows.append((name, "", f"{(time.perf_counter() - started) * 1000:.2f}", ""))
    started = time.perf_counter()
    removed = await store.prune_notifications(STARTED + 10_000_000)
    rows.append(("prune, in steps of 500", f"{removed:,}", f"{(time.perf_counter() - started) * 1000:.2f}", ""))
    return rows


def history(verdict: Verdict, *, count: int) -> None:
    asyncio.run(_history(verdict, count))


async def _history(verdict: Verdict, count: int) -> None:
    rows, slowest = [], 0.0
    with servers.folder() as folder:
        path = folder / "bridge.db"
        fill(path, count)
        store = Store.open(path, clock=system_clock)
        for name, ask in questions(store, count).items():
            answer, first, median = measure(ask)
            slowest = max(slowest, median)
            rows.append((name, str(answer), f"{first:.2f}", f"{median:.2f}"))
        rows += await writes(store)
        await store.close()
    show(("", "answer", "first, ms", "median, ms"), rows)
    verdict.at_most("milliseconds of the slowest list or bounds", slowest, budget=SLOWEST_BUDGET)
