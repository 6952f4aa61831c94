"""The messages of the store: `bridge.delivery.base.MessageStore` but for the devices."""

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from bridge.model.batch import Claim
from bridge.model.clock import Clock
from bridge.model.device import Device
from bridge.model.errors import BridgeError
from bridge.model.event import CANCELLED
from bridge.model.message import Message, Outcome, Status
from bridge.model.notification import Notice, Occurrence
from bridge.model.once import REMEMBERED, Once, Remembered
from bridge.store import statements
from bridge.store.blocks import blocks
from bridge.store.connection import refusing
from bridge.store.endings import Endings
from bridge.store.journal import Change, Journal
from bridge.store.rows import Row, added_row, outcome_row, read_device, read_message, read_some
from bridge.store.writer import Add, Finish, Other, Telling, Writer
from bridge.store.writes import OUTCOMES, Debt

MOST_LISTED = 8 * 1024 * 1024
"""Characters of content after which `messages` ends."""
MOST_PENDING = 1024 * 1024
"""The same for `pending`, which is read for many devices at once."""
LAST_SENT = "SELECT max(seq) FROM session_downlink"
"""Once, at the start."""
NO_CHANNELS: Mapping[str, int] = MappingProxyType({})


class Messages:
    """Writes go to the writer, reads to a connection of the loop's thread. Contract: `MessageStore`."""

    def __init__(self, reader: sqlite3.Connection, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        # What was the greatest seq and is deleted may be given again after a restart, unless a client that keeps its
        # session may know it under a packet identifier.
        self._seq = max(self._read(text, ())[0][0] or 0 for text in (statements.LAST_SEQ, LAST_SENT))
        self._endings = Endings()

    def add(
        self,
        message: Message,
        done: Callable[[BridgeError | None], None],
        channel: int | None = None,
        *,
        once: Once | None = None,
        claim: Claim | None = None,
    ) -> None:
        self._seq += 1
        message.seq = self._seq
        if once is None and message.draft.send_at is None:
            claimed = None if claim is None else (claim.task, claim.number, message.seq)
            self._writer.put(Add(added_row(message), done, channel, claimed))
        elif channel is None:
            self._writer.put(Other(partial(add_apart, message, once), done))
        else:
            self._writer.put(Telling(partial(add_and_tell, message, once, channel), done))

    def finish(
        self, seq: int, outcome: Outcome, done: Callable[[bool | BridgeError], None], channel: int | None = None
    ) -> None:
        if outcome.status in self._endings.announced:
            owed = Debt(OUTCOMES, 1, seq)
            self._writer.put(Telling(partial(self._endings.finish, seq, outcome, channel), done, owed))
            return
        self._writer.put(Finish((seq, *outcome_row(outcome)), done, channel))

    def announce_endings(
        self, statuses: Iterable[Status], notice_of: Callable[[Occurrence], Notice | None], clock: Clock
    ) -> None:
        """From now on the end of a message in one of these states enters the inbox, in the transaction that writes it:
        neither is there without the other. `notice_of` is called in the writer's thread."""
        self._endings = Endings(frozenset(statuses), notice_of, clock)

    def remove(
        self, seq: int, done: Callable[[Status | BridgeError | None], None], channel: int | None = None, at: int = 0
    ) -> None:
        def run(connection: sqlite3.Connection) -> Status | None:
            row = connection.execute(statements.STATUS, (seq,)).fetchone()
            connection.execute(statements.KEEP_PLACE, (at, seq))
            connection.execute(statements.REMOVE, (seq,))
            return Status(row[0]) if row else None

        def tell(connection: sqlite3.Connection, journal: Journal) -> Status | None:
            if connection.execute(statements.STATUS, (seq,)).fetchone() == (Status.PENDING,) and channel is not None:
                journal.changed([Change(channel, seq, CANCELLED, at)])
            return run(connection)

        self._writer.put(Other(run, done) if channel is None else Telling(tell, done))

    def fail_uncached(
        self, outcome: Outcome, done: Callable[[int | BridgeError], None], channels: Mapping[str, int] = NO_CHANNELS
    ) -> None:
        row = outcome_row(outcome)

        def run(connection: sqlite3.Connection) -> int:
            return connection.execute(statements.FAIL_UNCACHED, row).rowcount

        def tell(connection: sqlite3.Connection, journal: Journal) -> int:
            uncached = connection.execute(statements.UNCACHED).fetchall()
            told = [Change(channels[project], seq, *row) for seq, project in uncached if project in channels]
            journal.changed(told)
            return run(connection)

        if outcome.status in self._endings.announced:
            self._writer.put(Telling(partial(self._endings.fail_uncached, outcome, channels), done))
        else:
            self._writer.put(Telling(tell, done) if channels else Other(run, done))

    def release(self, now: int, limit: int, done: Callable[[Sequence[tuple[int, int]] | BridgeError], None]) -> None:
        def run(connection: sqlite3.Connection) -> list[tuple[int, int]]:
            released = connection.execute(statements.TO_RELEASE, (now, limit)).fetchall()
            connection.execute(statements.RELEASE, (now, limit))
            return released

        self._writer.put(Other(run, done))

    def next_scheduled(self) -> int | None:
        rows = self._read(statements.NEXT_SCHEDULED, ())
        return rows[0][0] if rows else None

    def remembered(self, device: int, key: str, now: int) -> Remembered | None:
        rows = self._read(statements.REMEMBERED, (device, key, now - REMEMBERED))
        return Remembered(*rows[0]) if rows else None

    def message(self, device: int, message_id: str) -> Message | None:
        rows = self._read(statements.MESSAGE, (message_id, device))
        return read_message(rows[0]) if rows else None

    def place(self, device: int, message_id: str) -> int | None:
        rows = self._read(statements.PLACE, (message_id, device, device, message_id))
        return rows[0][0] if rows else None

    def messages(
        self, device: int, *, limit: int, before: int | None = None, status: Status | None = None
    ) -> list[Message]:
        before = self._seq + 1 if before is None else max(0, min(before, self._seq + 1))
        with refusing(), contextlib.closing(self._newest_first(device, before, status, limit)) as rows:
            return read_some(itertools.islice(rows, limit), MOST_LISTED)

    def pending(self, device: int, *, after: int, limit: int) -> list[Message]:
        with refusing(), contextlib.closing(self._reader.execute(statements.PENDING, (device, after, limit))) as rows:
            return read_some(rows, MOST_PENDING)

    def carried_pending(self, carrier: int) -> list[Device]:
        return [read_device(row) for row in self._read(statements.CARRIED_PENDING, (carrier,))]

    def count_pending(self, device: int, *, at_most: int) -> int:
        count: int = self._read(statements.COUNT_PENDING, (device, device, at_most))[0][0]
        return count

    def due(self, now: int, limit: int) -> Sequence[tuple[int, int, int]]:
        return self._read(statements.DUE, (now, limit))

    def _newest_first(self, device: int, before: int, status: Status | None, limit: int) -> Generator[Row, None, None]:
        if status is Status.PENDING:
            yield from self._reader.execute(statements.MESSAGES_PENDING, (device, before, device, before, limit))
            return
        if status in statements.MESSAGES:
            yield from self._reader.execute(statements.MESSAGES[status], (device, before, limit))
            return
        statement = statements.MESSAGES_IN_BLOCK[status]
        for block in blocks(self._reader, device, newest=before - 1):
            yield from self._reader.execute(statement, (block, device, before, limit))

    def _read(self, statement: str, parameters: Row) -> list[Row]:
        with refusing():
            return self._reader.execute(statement, parameters).fetchall()


def add_apart(message: Message, once: Once | None, connection: sqlite3.Connection) -> None:
    """Adds one that needs more than its row: a time to be sent at, or a key that is remembered with it."""
    row = added_row(message)
    if message.draft.send_at is None:
        connection.execute(statements.ADD[1], row)
    else:
        connection.execute(statements.ADD_SCHEDULED, (*row, message.draft.send_at))
    if once is not None:  # behind the message: what is refused is not remembered
        remembered = (message.seq, message.draft.message_id, message.created_at)
        connection.execute(statements.REMEMBER, (message.device, once.key, once.digest, *remembered))


def add_and_tell(
    message: Message, once: Once | None, channel: int, connection: sqlite3.Connection, journal: Journal
) -> None:
    add_apart(message, once, connection)
    journal.changed([Change(channel, message.seq, Status.PENDING, message.created_at)])
