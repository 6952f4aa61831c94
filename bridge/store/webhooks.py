"""Pushes that wait, and those that were given up, as rows. Contract: `bridge.webhooks.base.PushStore`."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain

from bridge.model.errors import BridgeError
from bridge.model.push import DeadLetter, FoundDeadLetters, NewPush, Record, Waiting
from bridge.model.rule import Page
from bridge.store import statements
from bridge.store.connection import refusing
from bridge.store.journal import Journal
from bridge.store.rows import Row
from bridge.store.writer import Other, Telling, Writer
from bridge.store.writes import Debt

WAITING_PUSHES = "SELECT action, position, device, queued_at, attempts, due FROM push ORDER BY action, position"
PUSH_RECORDS = "SELECT action FROM push_record"
RESULT = Debt("results of pushes")
NEWEST = (1 << 63) - 1
MOST_READ = 4 * 1024 * 1024
"""Characters of content after which a page of dead letters ends."""
FORGOTTEN_AT_ONCE = 500
"""Rows in one transaction."""


class Webhooks:
    """They share the writer's commits with the messages. What makes the database larger is put as `Telling`: on a full
    disk it is refused alone, and what others write is not."""

    _reader: sqlite3.Connection
    _writer: Writer

    def waiting_pushes(self) -> Iterator[Waiting]:
        """All there are, each action's in order; for the start."""
        with refusing():
            for row in self._reader.execute(WAITING_PUSHES):
                yield Waiting(*row)

    def push_content(self, action: int, position: int) -> str | None:
        with refusing():
            row = self._reader.execute(statements.PUSH_CONTENT, (action, position)).fetchone()
        return None if row is None else row[0]

    def queue_pushes(
        self,
        cursor: tuple[int, str, int],
        now: int,
        new: Sequence[NewPush],
        dropped: Sequence[Waiting],
        done: Callable[[list[Waiting] | BridgeError], None],
    ) -> None:
        """All of it or nothing: these pushes wait from now on, those do not any more and are counted, and the cursor
        (channel, subscriber, position) has read up to there. `done` gets what is new."""
        channel, subscriber, position = cursor

        def run(connection: sqlite3.Connection, _: Journal) -> list[Waiting]:
            rows = [(push.action, push.position, push.device, now, push.content) for push in new]
            connection.executemany(statements.QUEUE_PUSH, rows)
            connection.executemany(statements.KEEP_RECORD, [(each,) for each in {push.action for push in new}])
            connection.executemany(statements.END_PUSH, [(push.action, push.position) for push in dropped])
            connection.executemany(statements.COUNT_DROPPED, [(1, push.action) for push in dropped])
            connection.execute(statements.ACKNOWLEDGE, (position, now, channel, subscriber, position))
            return [Waiting(push.action, push.position, push.device, now) for push in new]

        self._writer.put(Telling(run, done))

    def end_push(self, push: Waiting, done: Callable[[BridgeError | None], None]) -> None:
        """It has succeeded."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(statements.END_PUSH, (push.action, push.position))

        self._writer.put(Other(run, done, owed=RESULT))

    def postpone_push(self, push: Waiting, now: int, error: str, done: Callable[[BridgeError | None], None]) -> None:
        """It has failed: its `attempts` and `due` are new."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(statements.POSTPONE_PUSH, (push.attempts, push.due, push.action, push.position))
            connection.execute(statements.NOTE_ERROR, (error, now, push.action))

        self._writer.put(Other(run, done, owed=RESULT))

    def give_up_push(
        self, push: Waiting, now: int, error: str, keep: int, done: Callable[[BridgeError | None], None]
    ) -> None:
        """It becomes a dead letter; of more than `keep` the oldest go, and are counted as dropped."""
        which = push.action, push.position

        def run(connection: sqlite3.Connection, _: Journal) -> None:
            connection.execute(statements.BURY_PUSH, (push.attempts, now, error, *which))
            connection.execute(statements.END_PUSH, which)
            connection.execute(statements.NOTE_ERROR, (error, now, push.action))
            gone = connection.execute(statements.PRUNE_DEAD_LETTERS, (push.action, push.action, keep)).rowcount
            connection.execute(statements.COUNT_DROPPED, (gone, push.action))

        self._writer.put(Telling(run, done, owed=RESULT))

    def dead_letters(self, action: int, page: Page) -> FoundDeadLetters:
        """Newest first. Ends early rather than return more than a few MiB of content; at least one if there is one."""
        before = NEWEST if page.before is None else min(page.before, NEWEST)
        found: list[DeadLetter] = []
        with refusing():
            [count] = self._reader.execute(statements.COUNT_DEAD_LETTERS, (action,)).fetchone()
            rows = self._reader.execute(statements.DEAD_LETTERS, (action, before, page.limit, page.offset))
            size = 0
            for row in rows:
                found.append(DeadLetter(*row))
                size += len(found[-1].content)
                if size >= MOST_READ:
                    break
            rows.close()
        return FoundDeadLetters(found, count)

    def replay_dead_letters(
        self,
        action: int,
        positions: Collection[int] | None,
        now: int,
        at_most: int,
        done: Callable[[list[Waiting] | BridgeError], None],
    ) -> None:
        """Those of these positions, or all, wait again, the oldest `at_most` of them. `done` gets them."""

        def run(connection: sqlite3.Connection, _: Journal) -> list[Waiting]:
            found: list[Row]
            if positions is None:
                found = connection.execute(statements.OLDEST_DEAD_LETTERS, (action, at_most)).fetchall()
            else:
                asked = (
                    connection.execute(statements.DEAD_LETTER, (action, position)) for position in sorted(positions)
                )
                found = list(chain.from_iterable(asked))[:at_most]
            for key, *_rest in found:
                connection.execute(statements.REPLAY_DEAD_LETTER, (now, key))
                connection.execute(statements.REMOVE_DEAD_LETTER, (key,))
            return [Waiting(action, position, device, now) for _, position, device in found]

        self._writer.put(Telling(run, done))

    def push_record(self, action: int) -> Record:
        with refusing():
            row = self._reader.execute(statements.PUSH_RECORD, (action,)).fetchone()
            [dead] = self._reader.execute(statements.COUNT_DEAD_LETTERS, (action,)).fetchone()
        return Record(dead=dead) if row is None else Record(row[0], dead, row[1], row[2])

    def pushing_actions(self) -> list[int]:
        """All actions that anything is kept of."""
        with refusing():
            return [row[0] for row in self._reader.execute(PUSH_RECORDS)]

    def forget_pushes(self, action: int, done: Callable[[bool | BridgeError], None]) -> None:
        """A part of what is kept of the action; `done(True)`: there is more."""

        def run(connection: sqlite3.Connection) -> bool:
            for statement in (statements.FORGET_PUSHES, statements.FORGET_DEAD_LETTERS):
                if connection.execute(statement, (action, FORGOTTEN_AT_ONCE)).rowcount == FORGOTTEN_AT_ONCE:
                    return True
            connection.execute(statements.FORGET_RECORD, (action,))
            return False

        self._writer.put(Other(run, done))
