"""What changes notifications, each in a transaction of the writer. What is refused is returned: nothing was changed."""

import sqlite3
from collections.abc import Sequence

from bridge.model.errors import AlreadyProcessed, BridgeError, UnknownNotification
from bridge.model.notification import Notice, Notification, key_of
from bridge.store import inbox_statements as statements
from bridge.store.rows import Row
from bridge.store.series import IMPORTANCES, NUMBER_BITS

STEP = 500
"""Notifications removed in one transaction."""


class _Place:
    """Where the next notification of a project goes."""

    def __init__(self, connection: sqlite3.Connection, project: str) -> None:
        row = connection.execute(statements.INBOX, (project,)).fetchone()
        if row is None:
            connection.execute(statements.OPEN_INBOX, (project,))
            row = connection.execute(statements.INBOX, (project,)).fetchone()
        self.inbox, _, self.last, _, self.latest_at = row

    def next(self, now: int) -> tuple[int, int]:
        """Its key, and its time, which is never less than that of the one before."""
        self.last += 1
        self.latest_at = max(self.latest_at, now)
        return self.inbox << NUMBER_BITS | self.last, self.latest_at


def enter(connection: sqlite3.Connection, notices: Sequence[Notice], now: int) -> list[Notification]:
    places: dict[str, _Place] = {}
    entered = []
    for notice in notices:
        place = places.get(notice.project)
        if place is None:
            place = places[notice.project] = _Place(connection, notice.project)
        key, at = place.next(now)
        importance = IMPORTANCES.index(notice.importance)
        row = (key, place.inbox, at, importance, notice.about, notice.text, notice.message_id)
        connection.execute(statements.ENTER, row)
        entered.append(Notification(key, at, notice))
    for place in places.values():
        connection.execute(statements.ADVANCE, (place.last, place.latest_at, place.inbox))
    return entered


def mark_read(
    connection: sqlite3.Connection, project: str, notification_id: str, read: bool
) -> Notification | UnknownNotification:
    found = find(connection, project, notification_id)
    if found is None:
        return UnknownNotification(notification_id)
    connection.execute(statements.MARK, (read, found.key))
    return find(connection, project, notification_id) or UnknownNotification(notification_id)


def clear(connection: sqlite3.Connection, project: str) -> None:
    connection.execute(statements.CLEAR, (project,))


def confirm(
    connection: sqlite3.Connection, project: str, confirmed: str, *, by: str, process_at: int | None, now: int
) -> list[Notification] | BridgeError:
    """`confirmed` is the id of a notification, or of a device message, which stands for what is open about it."""
    found = find(connection, project, confirmed)
    if found is not None:
        named = [(found.key, found.processed_at)]
    else:
        named = connection.execute(statements.OF_MESSAGE, (_inbox_key(connection, project), confirmed)).fetchall()
    keys = [key for key, processed_at in named if processed_at is None]
    if not keys:
        return AlreadyProcessed(confirmed) if named else UnknownNotification(confirmed)
    processed_at = now if process_at is None else None
    for key in keys:
        connection.execute(statements.CONFIRM, (now, by, process_at, processed_at, process_at is None, key))
    return [_notification(connection, project, key) for key in keys]


def process_due(connection: sqlite3.Connection, now: int, limit: int, at: int) -> list[Notification]:
    due = connection.execute(statements.DUE, (now, limit)).fetchall()
    for _, key, *_ in due:
        connection.execute(statements.PROCESS, (at, key))
    return [_notification(connection, project, key) for project, key, *_ in due]


def prune(connection: sqlite3.Connection, inbox: int, before: int) -> int:
    """How many it removed, a few at most; 0: nothing is left to remove. What waits for its confirmed time stays."""
    base = inbox << NUMBER_BITS
    first = connection.execute("SELECT first FROM inbox WHERE key = ?", (inbox,)).fetchone()[0]
    low, high = base + first, base + (1 << NUMBER_BITS) - 1
    last = connection.execute(statements.LAST_OLD, (low, high, STEP, before)).fetchone()[0]
    if last is None:
        return 0
    connection.execute(statements.PRUNE, (low, last))
    connection.execute(statements.BEGIN_AT, (last - base + 1, inbox))
    return int(last - low + 1)


def prune_stragglers(connection: sqlite3.Connection, inbox: int) -> int:
    """What stayed behind, and is processed now."""
    base = inbox << NUMBER_BITS
    first = connection.execute("SELECT first FROM inbox WHERE key = ?", (inbox,)).fetchone()[0]
    return connection.execute(statements.PRUNE, (base, base + first - 1)).rowcount


def find(connection: sqlite3.Connection, project: str, notification_id: str) -> Notification | None:
    key = key_of(notification_id)
    if key is None or key >> NUMBER_BITS != _inbox_key(connection, project):
        return None
    row = connection.execute(statements.NOTIFICATION, (key,)).fetchone()
    found = read_notification(project, row) if row else None
    return found if found and found.id == notification_id.lower() else None


def read_notification(project: str, row: Row) -> Notification:
    """From the columns of `inbox_statements.WHOLE`."""
    key, at, importance, about, text, message_id, read, *confirmation = row
    notice = Notice(project, about, IMPORTANCES[importance], text, message_id)
    return Notification(key, at, notice, bool(read), *confirmation)


def _notification(connection: sqlite3.Connection, project: str, key: int) -> Notification:
    return read_notification(project, connection.execute(statements.NOTIFICATION, (key,)).fetchone())


def _inbox_key(connection: sqlite3.Connection, project: str) -> int | None:
    row = connection.execute(statements.INBOX, (project,)).fetchone()
    return row[0] if row else None
