"""Channels, their subscribers and their events, as rows. Contract: `bridge.events.base.EventStore`."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from bridge.model.errors import BridgeError
from bridge.model.event import Extent, Pruned, StoredChannel, StoredEvent, StoredSubscriber, Subject, Subscribed
from bridge.model.notification import Notice
from bridge.store import statements
from bridge.store.connection import refusing
from bridge.store.journal import Journal, TellStatus
from bridge.store.writer import Other, Telling, Writer

# A channel's positions have no gaps. They begin with its key, so that they also grow from one channel of a name to the
# next one.
NEW_CHANNEL = """
    INSERT INTO channel (project, name, last)
    VALUES (?, ?, (SELECT ifnull(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'channel') << 32)
    ON CONFLICT DO NOTHING
"""
CHANNELS = "SELECT key, project, name, last, size, dropped FROM channel"
SUBSCRIBERS = "SELECT channel, name, position, seen FROM subscriber"
MOST_READ = 4 * 1024 * 1024
"""Characters of content after which `events` ends."""
PRUNED_AT_ONCE = 500
"""Rows in one transaction."""
MOST_PRUNED = 16 * 1024 * 1024
"""Characters of content after which it removes no more."""


class Events:
    """They share the writer's commits with the messages."""

    _reader: sqlite3.Connection
    _writer: Writer

    def tell_status_with(self, tell: TellStatus) -> None:
        """Says how changes of messages are told. To be called before the first one that names a channel."""
        self._writer.tell_status = tell

    def on_events(self, callback: Callable[[Mapping[int, Extent]], None]) -> None:
        """`callback` gets what a commit has appended, by channel, before those who wrote it are told."""
        self._writer.on_events = callback

    def stored_channels(self) -> list[StoredChannel]:
        """All there are; for the start."""
        subscribers: dict[int, list[StoredSubscriber]] = defaultdict(list)
        with refusing():
            for channel, name, position, seen in self._reader.execute(SUBSCRIBERS):
                subscribers[channel].append(StoredSubscriber(name, position, seen))
            return [
                StoredChannel(
                    key, project, name, extent(self._reader, key, last, size), dropped, tuple(subscribers[key])
                )
                for key, project, name, last, size, dropped in self._reader.execute(CHANNELS).fetchall()
            ]

    def events(self, channel: int, *, after: int, since: int, limit: int) -> list[StoredEvent]:
        """Behind the position `after`, published at `since` or later, oldest first.

        Ends early rather than return more than a few MiB of content; at least one if there is one."""
        found: list[StoredEvent] = []
        size = 0
        with refusing():
            rows = self._reader.execute(statements.EVENTS, (channel, after, since, limit))
            for row in rows:
                found.append(StoredEvent(*row))
                size += len(found[-1].content)
                if size >= MOST_READ:
                    break
            rows.close()
        return found

    def subscribe(
        self,
        project: str,
        channel: str,
        subscriber: str,
        now: int,
        done: Callable[[Subscribed | BridgeError], None],
        *,
        anew: bool,
    ) -> None:
        """`anew`: a subscriber of that name begins at the end of the channel, even if there is one."""

        def run(connection: sqlite3.Connection) -> Subscribed:
            connection.execute(NEW_CHANNEL, (project, channel))
            key, last = connection.execute(statements.CHANNEL, (project, channel)).fetchone()
            if anew:
                connection.execute(statements.UNSUBSCRIBE, (key, subscriber))
            connection.execute(statements.SUBSCRIBE, (key, subscriber, last, now))
            [position] = connection.execute(statements.SUBSCRIBER_POSITION, (key, subscriber)).fetchone()
            return Subscribed(key, last, position)

        self._writer.put(Other(run, done))

    def unsubscribe(
        self, project: str, channel: str, subscribers: Sequence[str], done: Callable[[BridgeError | None], None]
    ) -> None:
        """Those that there are. The channel stays until `prune_channel` finds it empty."""

        def run(connection: sqlite3.Connection) -> None:
            found = connection.execute(statements.CHANNEL, (project, channel)).fetchone()
            if found is not None:
                connection.executemany(statements.UNSUBSCRIBE, [(found[0], name) for name in subscribers])

        self._writer.put(Other(run, done))

    def acknowledge(
        self, channel: int, subscriber: str, position: int, now: int, done: Callable[[BridgeError | None], None]
    ) -> None:
        """Everything up to `position`; nothing if it is further already, or gone."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(statements.ACKNOWLEDGE, (position, now, channel, subscriber, position))

        self._writer.put(Other(run, done))

    def note_seen(self, seen: Iterable[tuple[int, str, int]], done: Callable[[BridgeError | None], None]) -> None:
        """Channel, subscriber, and when it was seen."""
        rows = [(at, channel, subscriber) for channel, subscriber, at in seen]

        def run(connection: sqlite3.Connection) -> None:
            connection.executemany(statements.SEEN, rows)

        self._writer.put(Other(run, done))

    def publish(
        self, channel: int, message_id: str | None, at: int, content: str, done: Callable[[bool | BridgeError], None]
    ) -> None:
        """`done(False)`: the channel has an event with this id."""

        def run(_: sqlite3.Connection, journal: Journal) -> bool:
            if message_id is not None and journal.knows(channel, message_id):
                return False
            journal.add(channel, at, message_id, lambda _: content)
            return True

        self._writer.put(Telling(run, done))

    def tell(
        self,
        channel: int,
        device: int,
        at: int,
        text: Callable[[Subject, int], str],
        done: Callable[[bool | BridgeError], None],
        *,
        notice: Notice | None = None,
    ) -> None:
        """Append an event about a device. `text(subject, position)` is its content; it is called in another thread.
        `notice` enters the inbox in the same transaction. `done(False)`: the device was removed, and nothing is told.
        """

        def run(_: sqlite3.Connection, journal: Journal) -> bool:
            subject = journal.subject(device)
            if subject is None:
                return False
            journal.add(channel, at, None, lambda position: text(subject, position))
            journal.notify(notice, at)
            return True

        self._writer.put(Telling(run, done))

    def prune_channel(
        self,
        channel: int,
        before: int,
        done: Callable[[Pruned | BridgeError | None], None],
        *,
        upto: int | None = None,
        most: int | None = None,
    ) -> None:
        """Delete the oldest events, those from before `before`, and of more than `most` characters of content the
        oldest; but not many at once, and none behind the position `upto`. `done` gets None if the channel is gone: a
        channel without events and subscribers goes."""

        def run(connection: sqlite3.Connection) -> Pruned | None:
            found = connection.execute(statements.CHANNEL_SIZE, (channel,)).fetchone()
            if found is None:
                return None
            last, size = found
            excess = 0 if most is None else size - most
            cut, freed, dropped = _cut(connection, channel, before, last if upto is None else upto, excess)
            if cut:
                connection.execute(statements.PRUNE_EVENTS, (channel, cut))
                connection.execute(statements.SHRINK_CHANNEL, (freed, dropped, channel))
            left = extent(connection, channel, last, size - freed)
            if left.first > left.last and connection.execute(statements.DROP_CHANNEL, (channel,)).rowcount:
                return None
            return Pruned(left, freed, dropped)

        self._writer.put(Other(run, done))


def _cut(connection: sqlite3.Connection, channel: int, before: int, upto: int, excess: int) -> tuple[int, int, int]:
    """Up to which position the oldest events go, 0 for none; their characters; how many of them are young."""
    cut = freed = dropped = walked = young = 0
    rows = connection.execute(statements.OLDEST_EVENTS, (channel, upto, PRUNED_AT_ONCE))
    for position, at, length in rows:
        needed = freed < excess
        walked += length
        young += at >= before
        if at < before or needed:
            cut, freed, dropped = position, walked, young
        if walked >= MOST_PRUNED:
            break
    rows.close()
    return cut, freed, dropped


def extent(connection: sqlite3.Connection, channel: int, last: int, size: int) -> Extent:
    first = connection.execute(statements.FIRST_EVENT, (channel,)).fetchone()
    return Extent(last + 1, last, None, size) if first is None else Extent(first[0], last, first[1], size)
