"""MQTT sessions that outlive their connections, as rows. Contract: `bridge.broker.base.SessionStore`."""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

from bridge.model.errors import BridgeError
from bridge.model.session import (
    Backlog,
    Exchange,
    Gains,
    Losses,
    Owed,
    StoredCopy,
    StoredDownlink,
    StoredSession,
    StoredSubscription,
)
from bridge.store import session_statements as statements
from bridge.store.connection import refusing
from bridge.store.rows import Row
from bridge.store.statements import SIZES
from bridge.store.writer import Other, Writer
from bridge.store.writes import Debt

ALL_LEFT = "UPDATE session SET left_at = ? WHERE left_at IS NULL"
"""Once, at the start. Reads all sessions, as the start does anyway."""
SESSIONS = Debt("changes of kept MQTT sessions")
logger = logging.getLogger(__name__)


class Sessions:
    """They share the writer's commits with the messages of applications."""

    _reader: sqlite3.Connection
    _writer: Writer

    def last_session_keys(self) -> tuple[int, int]:
        with refusing():
            [session] = self._reader.execute(statements.LAST_SESSION).fetchone()
            [message] = self._reader.execute(statements.LAST_MESSAGE).fetchone()
        return session, message

    def stored_sessions(self, after: int, limit: int) -> list[tuple[StoredSession, bool]]:
        with refusing():
            rows = self._reader.execute(statements.SESSIONS, (after, limit)).fetchall()
        return [(StoredSession._make(row[:-1]), bool(row[-1])) for row in rows]

    def stored_subscriptions(self, first: int, last: int) -> list[StoredSubscription]:
        with refusing():
            rows = self._reader.execute(statements.SUBSCRIPTIONS, (first, last)).fetchall()
        return [StoredSubscription._make(row) for row in rows]

    def session_backlog(self, session: int) -> Backlog:
        with refusing():
            return Backlog._make(self._reader.execute(statements.BACKLOG, (session,)).fetchone())

    def session_exchange(self, session: int) -> Exchange:
        with refusing():
            sent = owed(self._reader.execute(statements.SENT_COPIES, (session,)))
            received = [packet_id for (packet_id,) in self._reader.execute(statements.RECEIVED, (session,))]
            downlinks = [StoredDownlink._make(row) for row in self._reader.execute(statements.DOWNLINKS, (session,))]
        return Exchange(sent, received, downlinks)

    def session_copies(self, session: int, after: int, limit: int) -> Sequence[Owed]:
        with refusing():
            return owed(self._reader.execute(statements.WAITING_COPIES, (session, after, limit)))

    def session_shared(self, session: int) -> Sequence[Owed]:
        with refusing():
            return owed(self._reader.execute(statements.SHARED_COPIES, (session,)))

    def note_all_left(self, at: int) -> None:
        def run(connection: sqlite3.Connection) -> None:
            connection.execute(ALL_LEFT, (at,))

        self._writer.put(Other(run, _noted))

    def keep_gains(
        self,
        gains: Gains,
        done: Callable[[BridgeError | None], None],
        *,
        joined: bool = False,
        owed: bool = False,
    ) -> None:
        def run(connection: sqlite3.Connection) -> None:
            add(connection, gains)

        self._writer.put(Other(run, done, grows=True, joined=joined, owed=SESSIONS if owed else None))

    def keep_losses(self, losses: Losses, done: Callable[[BridgeError | None], None], *, owed: bool = False) -> None:
        def run(connection: sqlite3.Connection) -> None:
            remove(connection, losses)

        self._writer.put(Other(run, done, owed=SESSIONS if owed else None))


def add(connection: sqlite3.Connection, gains: Gains) -> None:
    in_parts(connection, statements.KEEP_SESSIONS, list(gains.sessions.values()))
    in_parts(connection, statements.KEEP_SESSION_MESSAGES, list(gains.messages.values()))
    for statement, rows in (
        (statements.SUBSCRIBE_SESSIONS, gains.subscriptions.values()),
        (statements.KEEP_COPIES, gains.copies.values()),
        (statements.KEEP_RECEIVED, gains.received),
        (statements.KEEP_DOWNLINKS, gains.downlinks.values()),
    ):
        at_once(connection, statement, rows)


def remove(connection: sqlite3.Connection, losses: Losses) -> None:
    for statement, rows in (
        (statements.MOVE_COPIES, [(*place, *moved) for place, moved in losses.moved.items()]),
        (statements.SETTLE_COPIES, losses.copies),
        (statements.RELEASE_DOWNLINKS, losses.released),
        (statements.UNSUBSCRIBE_SESSIONS, losses.subscriptions),
        (statements.FORGET_RECEIVED, losses.received),
        (statements.FORGET_DOWNLINKS, losses.downlinks),
    ):
        at_once(connection, statement, rows)
    for statement in statements.END_SESSIONS.values():
        at_once(connection, statement, losses.sessions)


def at_once(connection: sqlite3.Connection, statement: str, rows: Iterable[object]) -> None:
    listed = list(rows)
    if listed:
        connection.execute(statement, (json.dumps(listed, ensure_ascii=False),))


def in_parts(connection: sqlite3.Connection, texts: Mapping[int, str], rows: Sequence[Row]) -> None:
    start = 0
    for size in SIZES:
        while start + size <= len(rows):
            connection.execute(texts[size], tuple(chain.from_iterable(rows[start : start + size])))
            start += size


def owed(rows: Iterable[Row]) -> list[Owed]:
    return [Owed(StoredCopy._make((*row[:5], bool(row[5]), row[6])), row[7], row[8]) for row in rows]


def _noted(error: BridgeError | None) -> None:
    if isinstance(error, BridgeError):
        logger.debug("when clients left is not noted: %s", error)
