"""The writer: one thread, one write connection, group commit.

Why a thread and groups. A commit with synchronous=FULL waits for the disk, so it happens away from the event loop; and
everything that was queued while the last commit ran shares the next one. Under load a commit carries hundreds of
writes, alone it carries one. The loop hands over once a turn what was written in it: each hand-over may wake the
thread, and a thread that is woken for the first of fifty writes commits it alone while the others wait.

Why merged statements. CPython releases the interpreter lock around every step of an SQLite statement, and the writer
then has to win it back from the busy event loop, which can take a whole switch interval each time. What costs is
therefore the number of steps, not of rows. All adds of a batch go into a few multi-row INSERTs and all finishes into a
few UPDATEs from a list of VALUES; the text for each number of rows is found compiled.

Why that is allowed. Merging puts the adds before the finishes. Nobody can tell: a finish names a seq, which exists
since its add, so it cannot be about a message whose add was queued after it; and whether an add is a duplicate does not
depend on a state. Any other write (remove, fail_uncached, retention) can be told apart from its neighbours, and is run
in its place between them.

Optimism. A merged statement has one result for all its callers. If it is the one that all of them expect (no error, as
many rows changed as there are writes), everybody gets it. Otherwise (a duplicate id, a message that was finished
before) the transaction is rolled back and the same batch is run again one write at a time, in order, in one
transaction, each with a result of its own. Duplicates are rare and cost twice; everything else is cheap.

Errors. A write that breaks a constraint, or that SQLite cannot take (an integer of 70 bits), fails alone. Any other
error of the database (disk full, I/O) rolls the batch back. Its adds and all else that needs room are refused with
StoreUnavailable, and what is left gets another chance: on a full disk the end of a delivery needs no room, and must not
be lost for the sake of a new message. If that fails as well, everybody gets StoreUnavailable. The thread lives on and
tries the next batch from the start. Every write gets exactly one result, and results reach the loop in the order of the
writes, one wake-up a batch. A batch that meets a damaged page is halved until the write that needs the page is alone.

Outages. From the first refused write on, `outage` says why, until a write that needs room is taken. Once a second the
smallest write that there is finds out.

What is owed. Nobody asks again for some writes, the outcome of a message above all. They are not refused: the writer
keeps them, and tries again once a second, and for a few seconds when it is closed. What cannot be written even then is
what `close` returns.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from bridge.model.errors import BridgeError, OutcomeUnknown, StoreUnavailable
from bridge.model.event import Extent
from bridge.store.connection import Unsettled, commit, touch
from bridge.store.damage import is_damage
from bridge.store.execution import Run, merged, one_by_one
from bridge.store.journal import Journal, TellStatus
from bridge.store.outage import Outage
from bridge.store.writes import (
    APART,
    Add,
    Debt,
    Finish,
    Other,
    Telling,
    Write,
    is_joined,
    is_ordered,
    needs_room,
    owed_by,
)

__all__ = ["Add", "Finish", "Other", "Telling", "Writer"]

T = TypeVar("T")
logger = logging.getLogger(__name__)

BATCH = 512
"""Writes after which a transaction takes no more (it may have twice as many): bounds how long others wait for it, other
processes included."""
RETRY = 1.0
"""Seconds between two attempts to write while writes are refused."""
CLOSE_WAIT = 3.0
"""Seconds for which `close` tries to write what is owed."""
CLOSE_PAUSE = 0.25
END: list[Write] = []


class Ran(NamedTuple):
    """What became of a batch."""

    results: list[Any]
    events: Mapping[int, Extent]
    """What was appended to each channel."""
    error: sqlite3.Error | None = None
    """Because of which some results are StoreUnavailable."""


class Writer:
    """Takes writes from the loop's thread; calls `done` of each there, after its commit, in order."""

    def __init__(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._waiting: list[Write] = []
        self._busy = False
        self._idle: asyncio.Future[None] | None = None
        self._queue: queue.SimpleQueue[list[Write]] = queue.SimpleQueue()
        self._closed = False
        self._owed: list[Write] = []
        """What was refused and is tried again, in order."""
        self._retry: asyncio.TimerHandle | None = None
        self._suspended = ""
        self.outage = Outage(lambda: loop.time())  # noqa: PLW0108  tests move the time of a loop
        self.on_damage: Callable[[sqlite3.Error], None] | None = None
        """Called in the loop with an error that says that the database is damaged."""
        self.tell_status: TellStatus | None = None
        """Needed before the first message that names a channel."""
        self.on_events: Callable[[Mapping[int, Extent]], None] | None = None
        """Called in the loop after a commit, before those who wrote are: what was appended, by channel."""
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)

    def start(self) -> None:
        """From here on the connection belongs to the thread."""
        self._connection.isolation_level = "IMMEDIATE"  # sqlite3 begins a transaction without a step of its own
        self._thread.start()

    def put(self, write: Write) -> None:
        if self._closed:
            self._loop.call_soon(write.done, StoreUnavailable("the store is closed"))
        elif self._suspended or (self._owed and is_ordered(write)):
            self._refuse_one(write, self._suspended)
        else:
            if not self._waiting:
                self._loop.call_soon(self._hand_over)
            self._waiting.append(write)

    def _refuse_one(self, write: Write, reason: str) -> None:
        if owed_by(write) is not None:
            self._owed.append(write)
        else:
            self._loop.call_soon(write.done, StoreUnavailable(reason))

    def _hand_over(self) -> None:
        """One batch at a time: what comes meanwhile waits here, because waking the thread costs more than a write."""
        if self._busy or not self._waiting:
            return
        self._busy = True
        end = BATCH
        while end < len(self._waiting) and is_joined(self._waiting[end]):
            end += 1
        batch, self._waiting = self._waiting[:end], self._waiting[end:]
        self._queue.put(batch)

    def _committed(self, batch: list[Write], ran: Ran) -> None:
        self._busy = False
        results = ran.results
        if ran.error is not None:
            batch, results = self._refused(batch, results, ran.error)
        elif self.outage.reason is not None and not self._suspended and any(map(needs_room, batch)):
            self.outage.end()
        self._hand_over()  # first, so that the thread has work while the results are delivered
        if ran.events and self.on_events is not None:
            try:
                self.on_events(ran.events)
            except Exception:  # a defect of the listener must not keep the results from those who wrote
                logger.exception("a listener failed to take new events")
        deliver(batch, results)
        if self._idle is not None and not self._busy and not self._waiting:
            self._idle.set_result(None)
            self._idle = None

    def _refused(self, batch: list[Write], results: list[Any], error: sqlite3.Error) -> tuple[list[Write], list[Any]]:
        """Keeps what is owed, and plans the next attempt. Returns whom to tell what."""
        told = []
        for write, result in zip(batch, results, strict=True):
            if isinstance(result, StoreUnavailable) and owed_by(write) is not None:
                self._owed.append(write)
            else:
                told.append((write, result))
        if self._owed:
            self._owed += filter(is_ordered, self._waiting)
            self._waiting = [write for write in self._waiting if not is_ordered(write)]
        count = sum(isinstance(result, StoreUnavailable) and not is_probe(write) for write, result in told)
        self.outage.refuse(count, str(error))
        if is_damage(error) and self.on_damage is not None:
            self.on_damage(error)
        if self._retry is None and not self._closed:
            self._retry = self._loop.call_later(RETRY, self._try_again)
        return [write for write, _ in told], [result for _, result in told]

    def _try_again(self) -> None:
        self._retry = None
        if not self._suspended:
            self.outage.tell()
            self._put_owed()

    def _put_owed(self) -> None:
        """In front of what came later, and behind both a write that finds out whether the disk takes more."""
        self._waiting[:0] = self._owed
        self._owed = []
        self._waiting.append(Other(touch, no_matter, grows=True))
        self._hand_over()

    def request(self, run: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Runs in the next transaction. The future has its result after the commit, or StoreUnavailable."""
        future: asyncio.Future[T] = self._loop.create_future()

        def done(result: T | BridgeError) -> None:
            if future.done():  # cancelled
                return
            if isinstance(result, BridgeError):
                future.set_exception(result)
            else:
                future.set_result(result)

        self.put(Other(run, done))
        return future

    def probe(self) -> None:
        """Another connection was refused a write for want of room: find out whether this one is."""
        if self.outage.reason is None and not self._closed:
            self.put(Other(touch, no_matter, grows=True))

    def check(self) -> None:
        """Raises StoreUnavailable while the writer is suspended."""
        if self._suspended:
            raise StoreUnavailable(self._suspended)

    async def suspend(self, reason: str) -> None:
        """Refuses all writes from now on but those that are owed, which wait for `close`. Returns when the thread has
        nothing to do."""
        self._suspended = reason
        waiting, self._waiting = self._waiting, []
        for write in waiting:
            self._refuse_one(write, reason)
        self.outage.last(reason)
        await self._become_idle()

    async def close(self) -> list[Debt]:
        """Works off what was put; later writes are refused. The connection is free again.

        Returns what could not be written and will not be.
        """
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        self._hand_over()
        await self._become_idle()
        deadline = self._loop.time() + CLOSE_WAIT
        while self._owed:
            self._put_owed()
            await self._become_idle()
            if self._loop.time() > deadline:
                break
            if self._owed:
                await asyncio.sleep(CLOSE_PAUSE)
        self._queue.put(END)
        await asyncio.to_thread(self._thread.join)
        left, self._owed = self._owed, []
        deliver(left, [StoreUnavailable("the store is closed")] * len(left))
        return [owed for write in left if (owed := owed_by(write)) is not None]

    async def _become_idle(self) -> None:
        while self._busy or self._waiting:
            if self._idle is None:
                self._idle = self._loop.create_future()
            await self._idle

    def _work(self) -> None:
        while batch := self._queue.get():
            ran = self._run(batch)
            try:
                self._loop.call_soon_threadsafe(self._committed, batch, ran)
            except RuntimeError:  # the loop was closed without closing the store: nobody is left to be told
                break

    def _run(self, batch: list[Write]) -> Ran:
        try:
            try:
                return self._commit(merged, batch)
            except sqlite3.OperationalError:
                raise
            except Exception:  # whatever it is shows again, in the write that it belongs to
                return self._commit(one_by_one, batch)
        except sqlite3.Error as error:
            if is_damage(error) and (middle := middle_of(batch)):
                return together(self._run(batch[:middle]), self._run(batch[middle:]))
            return self._refuse(batch, error)

    def _refuse(self, batch: list[Write], error: sqlite3.Error) -> Ran:
        """All but what needs no room, which gets another chance."""
        refused = OutcomeUnknown(str(error)) if isinstance(error, Unsettled) else StoreUnavailable(str(error))
        others = [write for write in batch if not needs_room(write)]
        if not others or len(others) == len(batch):
            return Ran([refused] * len(batch), {}, error)
        left = self._run(others)
        results = iter(left.results)
        return Ran([refused if needs_room(write) else next(results) for write in batch], left.events, error)

    def _commit(self, run: Run, batch: list[Write]) -> Ran:
        journal = Journal(self._connection, self.tell_status)
        try:
            if any(type(write) in APART for write in batch):  # it may start with a SELECT
                self._connection.execute("BEGIN IMMEDIATE")
            results = run(self._connection, journal, batch)
            commit(self._connection)
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return Ran(results, journal.written)


def together(first: Ran, second: Ran) -> Ran:
    """Two batches that ran one after the other."""
    events = dict(first.events)
    for channel, extent in second.events.items():
        before = events.get(channel)
        if before is not None:
            extent = Extent(before.first, extent.last, before.oldest, before.size + extent.size)  # noqa: PLW2901
        events[channel] = extent
    return Ran(first.results + second.results, events, second.error or first.error)


def middle_of(batch: list[Write]) -> int:
    """Where to halve it, so that joined writes stay with the write before them; 0: nowhere."""
    for middle in range(len(batch) // 2, len(batch)):
        if not is_joined(batch[middle]):
            return middle
    return next((start for start in range(len(batch) // 2, 0, -1) if not is_joined(batch[start])), 0)


def deliver(batch: Sequence[Write], results: Iterable[Any]) -> None:
    for write, result in zip(batch, results, strict=True):
        try:
            write.done(result)
        except Exception:  # a defect of one caller must not keep their results from the others
            logger.exception("a caller failed to take the result of its write")


def no_matter(_: object) -> None:
    """Takes the result of the write that finds out whether the disk takes more."""


def is_probe(write: Write) -> bool:
    return write.done is no_matter
