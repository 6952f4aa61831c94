"""The notifications of the store. Contract: `bridge.inbox.base.NotificationStore`."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from bridge.model.errors import BridgeError, StoreUnavailable, TooBroad, UnknownNotification
from bridge.model.notification import Bounds, Notice, Notification, Selection
from bridge.store import inbox_statements as statements
from bridge.store import inbox_writes as writes
from bridge.store.connection import refusing
from bridge.store.inbox_writes import read_notification
from bridge.store.journal import Journal
from bridge.store.rows import Row
from bridge.store.series import IMPORTANCES, NUMBER_BITS, Keys, series_of, within
from bridge.store.writer import Other, Telling, Writer
from bridge.store.writes import Debt

T = TypeVar("T")
TellNotification: TypeAlias = Callable[[Notification, int], str]
"""Says as JSON text what became of a notification; the number is the position of the event."""
MOST_LISTED = 8 * 1024 * 1024
"""Characters of text after which a list ends."""
MOST_LOOKED_AT = 8_000
"""Notifications looked through, one by one, for a filter that has no numbers of its own."""
MOST_LOOKED_THROUGH = 4 * 1024 * 1024
"""Characters of their text."""
MOST_PASSED_OVER = 1_000_000
"""Entries of an index walked for an offset among the read or the unread."""


class Notifications:
    """They share the writer's commits with the messages."""

    _reader: sqlite3.Connection
    _writer: Writer
    _told: Mapping[str, int] = MappingProxyType({})
    _tell_posted: TellNotification
    _tell_processed: TellNotification

    def enter(
        self, notices: Sequence[Notice], now: int, done: Callable[[list[Notification] | BridgeError], None]
    ) -> None:
        owed = Debt("notifications", len(notices))
        self._writer.put(Other(lambda connection: writes.enter(connection, notices, now), done, grows=True, owed=owed))

    async def mark_read(self, project: str, notification_id: str, read: bool) -> Notification:
        def run(connection: sqlite3.Connection) -> Notification | UnknownNotification:
            return writes.mark_read(connection, project, notification_id, read)

        return _unless_error(await self._writer.request(run))

    async def clear(self, project: str) -> None:
        await self._writer.request(lambda connection: writes.clear(connection, project))

    def post(self, notice: Notice, now: int, done: Callable[[Notification | BridgeError], None]) -> None:
        def run(connection: sqlite3.Connection, journal: Journal) -> Notification:
            [posted] = writes.enter(connection, [notice], now)
            if self._told:
                self._tell(journal, self._tell_posted, posted, posted.at)
            return posted

        self._writer.put(Telling(run, done))

    def tell_notifications_with(
        self, channels: Mapping[str, int], *, posted: TellNotification, processed: TellNotification
    ) -> None:
        self._told, self._tell_posted, self._tell_processed = channels, posted, processed

    async def confirm(
        self, project: str, confirmed: str, by: str, process_at: int | None, now: int
    ) -> list[Notification]:
        def run(connection: sqlite3.Connection, journal: Journal) -> list[Notification] | BridgeError:
            changed = writes.confirm(connection, project, confirmed, by=by, process_at=process_at, now=now)
            if process_at is None and not isinstance(changed, BridgeError):
                self._tell_all_processed(journal, changed)
            return changed

        return _unless_error(await self._request(run))

    async def process_due(self, now: int, limit: int, *, at: int | None = None) -> list[Notification]:
        def run(connection: sqlite3.Connection, journal: Journal) -> list[Notification]:
            processed = writes.process_due(connection, now, limit, now if at is None else at)
            self._tell_all_processed(journal, processed)
            return processed

        return await self._request(run)

    async def prune_notifications(self, before: int) -> int:
        """Removes what entered before that, in small steps. Says how many."""
        with refusing():
            inboxes = self._reader.execute(statements.INBOXES).fetchall()
        removed = 0
        for inbox, _, _ in inboxes:
            removed += await self._writer.request(partial(writes.prune_stragglers, inbox=inbox))
            while count := await self._writer.request(partial(writes.prune, inbox=inbox, before=before)):
                removed += count
        return removed

    def next_due(self) -> int | None:
        with refusing():
            due: int | None = self._reader.execute(statements.NEXT_DUE).fetchone()[0]
            return due

    def notification(self, project: str, notification_id: str) -> Notification | None:
        with refusing():
            return writes.find(self._reader, project, notification_id)

    def notifications(self, project: str, selection: Selection, *, history: bool) -> list[Notification]:
        with self._snapshot():
            keys = self._inbox(project, history)
            if keys is None:
                return []
            rows = self._listed(within(self._reader, keys, selection), selection)
            return [read_notification(project, row) for row in _some(rows)]

    def notification_bounds(self, project: str, selection: Selection) -> Bounds:
        with self._snapshot():
            keys = self._inbox(project, history=True)
            if keys is None:
                return Bounds(0)
            keys = within(self._reader, keys, selection)
            if _only_read(selection):
                return self._bounds_of_read(project, keys, selection.read)
            series = series_of(self._reader, keys, selection)
            numbers = series.numbers()
            if _filtered(selection):
                found = list(self._looked_through(series.rows(numbers), selection, keys))
                ends = [read_notification(project, row) for row in (found[-1], found[0])] if found else []
                return Bounds(len(found), *ends)
            if not numbers:
                return Bounds(0)
            oldest, newest = (self._whole(project, series.key(number)) for number in (numbers[0], numbers[-1]))
            return Bounds(len(numbers), oldest, newest)

    def _tell_all_processed(self, journal: Journal, notifications: Iterable[Notification]) -> None:
        """In the writer's thread."""
        for notification in notifications if self._told else ():
            self._tell(journal, self._tell_processed, notification, notification.processed_at or 0)

    def _tell(self, journal: Journal, tell: TellNotification, notification: Notification, at: int) -> None:
        channel = self._told.get(notification.notice.project)
        if channel is not None:
            journal.add(channel, at, None, partial(tell, notification))

    def _request(self, run: Callable[[sqlite3.Connection, Journal], T]) -> asyncio.Future[T]:
        """As `Writer.request`, for what makes events."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def done(result: T | StoreUnavailable) -> None:
            if future.done():  # cancelled
                return
            if isinstance(result, StoreUnavailable):
                future.set_exception(result)
            else:
                future.set_result(result)

        self._writer.put(Telling(run, done))
        return future

    def _listed(self, keys: Keys, selection: Selection) -> Iterator[Row]:
        offset, limit = selection.offset, selection.limit
        if _only_read(selection):
            if offset > MOST_PASSED_OVER:
                raise TooBroad(self._at(keys.high) if keys.low <= keys.high else 0)
            return self._reader.execute(
                statements.READ, (keys.inbox, selection.read, keys.low, keys.high, limit, offset)
            )
        series = series_of(self._reader, keys, selection)
        numbers = series.numbers()
        if _filtered(selection):
            return islice(self._looked_through(series.rows(numbers), selection, keys), offset, offset + limit)
        page = numbers[max(0, len(numbers) - offset - limit) : max(0, len(numbers) - offset)]
        return series.rows(page) if page else iter(())

    def _looked_through(self, rows: Iterator[Row], selection: Selection, keys: Keys) -> Iterator[Row]:
        """Those that pass every filter. Raises TooBroad when that takes too long."""
        search = selection.search.casefold() if selection.search else None
        importance = IMPORTANCES.index(selection.importance) if selection.importance else None
        size = 0
        for count, row in enumerate(rows):
            _, at, of_importance, _, text, _, read, *_ = row
            size += len(text)
            if count >= MOST_LOOKED_AT or size > MOST_LOOKED_THROUGH:
                raise TooBroad(at)
            if (
                importance in {None, of_importance}
                and selection.read in {None, bool(read)}
                and (search is None or search in text.casefold())
            ):
                yield row

    def _bounds_of_read(self, project: str, keys: Keys, read: bool | None) -> Bounds:
        """The unread ones are counted as the others among all: nearly always there are fewer of those."""
        span = keys.inbox, keys.low, keys.high
        count = self._reader.execute(statements.COUNT_READ, span).fetchone()[0]
        count = count if read else max(0, keys.high - keys.low + 1) - count
        if not count:
            return Bounds(0)
        which = keys.inbox, read, keys.low, keys.high
        oldest, newest = (
            self._whole(project, self._reader.execute(text, which).fetchone()[0])
            for text in (statements.OLDEST_READ, statements.NEWEST_READ)
        )
        return Bounds(count, oldest, newest)

    def _inbox(self, project: str, history: bool) -> Keys | None:
        """All of its notifications, or those after the last `clear`. None: it never had any."""
        row = self._reader.execute(statements.INBOX, (project,)).fetchone()
        if row is None:
            return None
        inbox, first, last, cleared, _ = row
        base = inbox << NUMBER_BITS
        low = first if history else max(first, cleared + 1)
        return Keys(inbox, base + first, base + low, base + last)

    def _whole(self, project: str, key: int) -> Notification:
        return read_notification(project, self._reader.execute(statements.NOTIFICATION, (key,)).fetchone())

    def _at(self, key: int) -> int:
        at: int = self._reader.execute(statements.AT, (key,)).fetchone()[0]
        return at

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[None]:
        """What is read within is of one moment, whatever the writer does meanwhile."""
        with refusing():
            self._reader.execute("BEGIN")
            try:
                yield
            finally:
                self._reader.execute("COMMIT")


def _only_read(selection: Selection) -> bool:
    """There is an index for just that."""
    return selection.read is not None and selection.about is selection.importance is selection.search is None


def _filtered(selection: Selection) -> bool:
    """Whether more is asked of a notification than that it belongs to its series."""
    narrowed = selection.about is not None and selection.importance is not None
    return narrowed or selection.read is not None or selection.search is not None


def _some(rows: Iterable[Row]) -> Iterator[Row]:
    size = 0
    for row in rows:
        yield row
        size += len(row[4])
        if size >= MOST_LISTED:
            break


def _unless_error(result: T | BridgeError) -> T:
    if isinstance(result, BridgeError):
        raise result
    return result
