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
writes, one wake-up a batch.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any, TypeAlias, TypeVar

from bridge.model.errors import BridgeError, DuplicateMessage, StoreUnavailable, UnknownDevice, Withdrawn
from bridge.model.event import Extent
from bridge.model.message import Status
from bridge.store.batch_statements import CLAIM
from bridge.store.journal import Change, Journal, TellStatus
from bridge.store.rows import CREATED_AT, Row
from bridge.store.statements import ADD, FINISH, MOST_ROWS, REMOVE

T = TypeVar("T")
logger = logging.getLogger(__name__)

BATCH = 512
"""Writes after which a transaction takes no more (it may have twice as many): bounds how long others wait for it, other
processes included."""


@dataclass(slots=True)
class Add:
    row: Row
    done: Callable[[Any], None]
    channel: int | None = None
    claim: Row | None = None
    """The target of a batch task that the message is for, as in `CLAIM`: both are written, or neither."""


@dataclass(slots=True)
class Finish:
    row: Row
    done: Callable[[Any], None]
    channel: int | None = None


@dataclass(slots=True)
class Other:
    run: Callable[[sqlite3.Connection], Any]
    done: Callable[[Any], None]
    grows: bool = False
    """Whether it makes the database larger."""
    joined: bool = False
    """Whether it goes into the transaction of the write before it."""


@dataclass(slots=True)
class Telling:
    """Any other write that makes events."""

    run: Callable[[sqlite3.Connection, Journal], Any]
    done: Callable[[Any], None]


Write: TypeAlias = Add | Finish | Other | Telling
END: list[Write] = []
APART = (Other, Telling)
Run: TypeAlias = Callable[[sqlite3.Connection, Journal, list[Write]], list[Any]]


class Unexpected(Exception):
    """A merged statement did not do what all its callers expect."""


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
            return
        if not self._waiting:
            self._loop.call_soon(self._hand_over)
        self._waiting.append(write)

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

    def _committed(self, batch: list[Write], results: list[Any], events: Mapping[int, Extent]) -> None:
        self._busy = False
        self._hand_over()  # first, so that the thread has work while the results are delivered
        if events and self.on_events is not None:
            try:
                self.on_events(events)
            except Exception:  # a defect of the listener must not keep the results from those who wrote
                logger.exception("a listener failed to take new events")
        deliver(batch, results)
        if self._idle is not None and not self._busy and not self._waiting:
            self._idle.set_result(None)

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

    async def close(self) -> None:
        """Works off what was put; later writes are refused. The connection is free again."""
        self._closed = True
        self._hand_over()
        if self._busy:
            self._idle = self._loop.create_future()
            await self._idle
        self._queue.put(END)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while batch := self._queue.get():
            results, events = self._run(batch)
            try:
                self._loop.call_soon_threadsafe(self._committed, batch, results, events)
            except RuntimeError:  # the loop was closed without closing the store: nobody is left to be told
                break

    def _run(self, batch: list[Write]) -> tuple[list[Any], Mapping[int, Extent]]:
        """The result of each write, and what was appended to each channel."""
        try:
            try:
                return self._commit(merged, batch)
            except sqlite3.OperationalError:
                raise
            except Exception:  # whatever it is shows again, in the write that it belongs to
                return self._commit(one_by_one, batch)
        except sqlite3.Error as error:
            logger.error("cannot write: %s", error)
            refused = StoreUnavailable(str(error))
            others = [write for write in batch if not needs_room(write)]
            if len(others) == len(batch):
                return [refused] * len(batch), {}
            left, events = self._run(others) if others else ([], {})
            results = iter(left)
            return [refused if needs_room(write) else next(results) for write in batch], events

    def _commit(self, run: Run, batch: list[Write]) -> tuple[list[Any], Mapping[int, Extent]]:
        journal = Journal(self._connection, self.tell_status)
        try:
            if any(type(write) in APART for write in batch):  # it may start with a SELECT
                self._connection.execute("BEGIN IMMEDIATE")
            results = run(self._connection, journal, batch)
            self._connection.commit()
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return results, journal.written


def tells(write: Write) -> bool:
    """Whether it makes events."""
    return isinstance(write, Telling) or (isinstance(write, Add | Finish) and write.channel is not None)


def needs_room(write: Write) -> bool:
    """Whether it makes the database larger."""
    return type(write) is Add or tells(write) or (type(write) is Other and write.grows)


def is_joined(write: Write) -> bool:
    return type(write) is Other and write.joined


def merged(connection: sqlite3.Connection, journal: Journal, batch: list[Write]) -> list[Any]:
    """Results of all writes if each went as expected. Raises Unexpected or an error of the database otherwise."""
    results: list[Any] = []
    for apart, group in groupby(batch, lambda write: type(write) in APART):
        writes = list(group)
        if apart:
            results += [run_apart(connection, journal, write) for write in writes]
        else:
            adds = [write for write in writes if type(write) is Add]
            execute_merged(connection, ADD, [write.row for write in adds])
            if claims := [write.claim for write in adds if write.claim is not None]:
                execute_merged(connection, CLAIM, claims)
            if told := [added(write.channel, write.row) for write in adds if write.channel is not None]:
                journal.changed(told)
            finishes = [write for write in writes if type(write) is Finish]
            execute_merged(connection, FINISH, [write.row for write in finishes])
            if told := [Change(write.channel, *write.row) for write in finishes if write.channel is not None]:
                journal.changed(told)
            results += [None if type(write) is Add else True for write in writes]
    journal.write()
    return results


def execute_merged(connection: sqlite3.Connection, statements: Mapping[int, str], rows: list[Row]) -> None:
    for start in range(0, len(rows), MOST_ROWS):
        part = rows[start : start + MOST_ROWS]
        # With one row: executemany was measured to give the interpreter up less often than execute.
        if connection.executemany(statements[len(part)], (tuple(chain.from_iterable(part)),)).rowcount != len(part):
            raise Unexpected


def run_apart(connection: sqlite3.Connection, journal: Journal, write: Write) -> Any:
    if isinstance(write, Telling):
        return write.run(connection, journal)
    assert isinstance(write, Other)  # noqa: S101  nothing else stands apart
    return write.run(connection)


def one_by_one(connection: sqlite3.Connection, journal: Journal, batch: list[Write]) -> list[Any]:
    return [execute_alone(connection, journal, write) for write in batch]


def execute_alone(connection: sqlite3.Connection, journal: Journal, write: Write) -> Any:
    try:
        return told_alone(connection, journal, write) if tells(write) else change(connection, journal, write)
    except sqlite3.IntegrityError as error:
        return refusal(error)
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.ProgrammingError | sqlite3.DataError):
            raise
        logger.exception("a write that cannot be stored")
        return StoreUnavailable(str(error))


def told_alone(connection: sqlite3.Connection, journal: Journal, write: Write) -> Any:
    """A change and its event: both, or neither."""
    if not connection.in_transaction:  # a savepoint would be one of its own
        connection.execute("BEGIN IMMEDIATE")
    connection.execute("SAVEPOINT alone")
    try:
        result = change(connection, journal, write)
        journal.write()
    except BaseException:
        journal.forget()
        if connection.in_transaction:  # some errors of the disk have ended it already
            connection.execute("ROLLBACK TO alone")
        raise
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE alone")
    return result


def change(connection: sqlite3.Connection, journal: Journal, write: Write) -> Any:
    if isinstance(write, Add):
        connection.execute(ADD[1], write.row)
        if write.claim is not None and not connection.execute(CLAIM[1], write.claim).rowcount:
            connection.execute(REMOVE, write.row[:1])
            return Withdrawn("the target does not wait for it any more")
        if write.channel is not None:
            journal.changed([added(write.channel, write.row)])
        return None
    if isinstance(write, Finish):
        changed = connection.execute(FINISH[1], write.row).rowcount == 1
        if changed and write.channel is not None:
            journal.changed([Change(write.channel, *write.row)])
        return changed
    return run_apart(connection, journal, write)


def added(channel: int, row: Row) -> Change:
    return Change(channel, row[0], Status.PENDING.value, row[CREATED_AT])


def refusal(error: sqlite3.IntegrityError) -> BridgeError:
    match error.sqlite_errorcode:
        case sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            return DuplicateMessage("the device has a message with this id")
        case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            return UnknownDevice("the device was removed")
    return StoreUnavailable(str(error))


def deliver(batch: Sequence[Write], results: Iterable[Any]) -> None:
    for write, result in zip(batch, results, strict=True):
        try:
            write.done(result)
        except Exception:  # a defect of one caller must not keep their results from the others
            logger.exception("a caller failed to take the result of its write")
