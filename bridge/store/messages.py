"""The messages of the store: `bridge.delivery.base.MessageStore` but for the devices."""

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType

from bridge.model.device import Device
from bridge.model.errors import BridgeError
from bridge.model.event import CANCELLED
from bridge.model.message import Message, Outcome, Status
from bridge.store import statements
from bridge.store.blocks import blocks
from bridge.store.connection import refusing
from bridge.store.journal import Change, Journal
from bridge.store.rows import Row, added_row, outcome_row, read_device, read_message, read_some
from bridge.store.writer import Add, Finish, Other, Telling, Writer

MOST_LISTED = 8 * 1024 * 1024
"""Characters of content after which `messages` ends."""
MOST_PENDING = 1024 * 1024
"""The same for `pending`, which is read for many devices at once."""
NO_CHANNELS: Mapping[str, int] = MappingProxyType({})


class Messages:
    """Writes go to the writer, reads to a connection of the loop's thread. Contract: `MessageStore`."""

    def __init__(self, reader: sqlite3.Connection, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        # What was the greatest seq and is deleted may be given again after a restart: all that refers to a seq without
        # its row is messages in flight, which are in memory and end with the daemon.
        self._seq = self._read(statements.LAST_SEQ, ())[0][0] or 0

    def add(self, message: Message, done: Callable[[BridgeError | None], None], channel: int | None = None) -> None:
        self._seq += 1
        message.seq = self._seq
        self._writer.put(Add(added_row(message), done, channel))

    def finish(
        self, seq: int, outcome: Outcome, done: Callable[[bool | BridgeError], None], channel: int | None = None
    ) -> None:
        self._writer.put(Finish((seq, *outcome_row(outcome)), done, channel))

    def remove(
        self, seq: int, done: Callable[[Status | BridgeError | None], None], channel: int | None = None, at: int = 0
    ) -> None:
        def run(connection: sqlite3.Connection) -> Status | None:
            row = connection.execute(statements.STATUS, (seq,)).fetchone()
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

        self._writer.put(Telling(tell, done) if channels else Other(run, done))

    def message(self, device: int, message_id: str) -> Message | None:
        rows = self._read(statements.MESSAGE, (message_id, device))
        return read_message(rows[0]) if rows else None

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
        count: int = self._read(statements.COUNT_PENDING, (device, at_most))[0][0]
        return count

    def due(self, now: int, limit: int) -> Sequence[tuple[int, int, int]]:
        return self._read(statements.DUE, (now, limit))

    def _newest_first(self, device: int, before: int, status: Status | None, limit: int) -> Generator[Row, None, None]:
        if status in statements.MESSAGES:
            yield from self._reader.execute(statements.MESSAGES[status], (device, before, limit))
            return
        statement = statements.MESSAGES_IN_BLOCK[status]
        for block in blocks(self._reader, device, newest=before - 1):
            yield from self._reader.execute(statement, (block, device, before, limit))

    def _read(self, statement: str, parameters: Row) -> list[Row]:
        with refusing():
            return self._reader.execute(statement, parameters).fetchall()
