"""Events and notifications that are committed together with what they tell of."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple, TypeAlias, TypeVar

from bridge.model.event import Extent, StatusChange, Subject
from bridge.model.notification import Notice
from bridge.store.inbox_writes import enter
from bridge.store.rows import Row
from bridge.store.statements import (
    CHANNEL_LAST,
    EVENT,
    EVENT_KNOWN,
    MOVE_LAST,
    SIZES,
    SUBJECT,
    TOLD,
)

T = TypeVar("T")
TellStatus: TypeAlias = Callable[[StatusChange, int], str]
"""Says as JSON text that a message came into a state; the number is the position of the event."""


class Change(NamedTuple):
    """The state of a message, with the channel that is to tell of it. From `seq` on as in a row of FINISH."""

    channel: int
    seq: int
    status: str
    at: int
    acknowledged_by: str | None = None
    failure: str | None = None
    detail: str | None = None


class _Entry(NamedTuple):
    at: int
    message_id: str | None
    text: Callable[[int], str]


class Journal:
    """The events and notifications of one transaction. They wait here until `write`, and share a few statements."""

    def __init__(self, connection: sqlite3.Connection, tell_status: TellStatus | None) -> None:
        self._connection = connection
        self._tell_status = tell_status
        self._waiting: dict[int, list[_Entry]] = {}
        self._notices: list[Notice] = []
        self._noticed_at = 0
        self._subjects: dict[int, Subject | None] = {}
        self.written: dict[int, Extent] = {}
        """By channel: what was appended."""

    def add(self, channel: int, at: int, message_id: str | None, text: Callable[[int], str]) -> None:
        """`text(position)` is called once, before the end of the transaction."""
        self._waiting.setdefault(channel, []).append(_Entry(at, message_id, text))

    def notify(self, notice: Notice | None, at: int) -> None:
        """What enters an inbox because of what happened `at` that time; None: nothing does."""
        if notice is not None:
            self._notices.append(notice)
            self._noticed_at = max(self._noticed_at, at)

    def changed(self, changes: Sequence[Change]) -> None:
        """For messages that are stored, in the order of the changes."""
        told = self._read_messages([change.seq for change in changes])
        for change in changes:
            message_id, name, topic, *subject = told[change.seq]
            said = StatusChange(
                read_subject(subject),
                message_id,
                name,
                topic,
                change.status,
                change.at,
                change.failure,
                change.detail,
            )
            self.tell(change.channel, said)

    def tell(self, channel: int, change: StatusChange) -> None:
        """For a message that is not stored any more."""
        tell = self._tell_status
        assert tell is not None, "nobody says how a status is told"  # noqa: S101
        self.add(channel, change.at, None, partial(tell, change))

    def subject(self, device: int) -> Subject | None:
        """None: the device was removed."""
        if device not in self._subjects:
            row = self._connection.execute(SUBJECT, (device,)).fetchone()
            self._subjects[device] = None if row is None else read_subject(row)
        return self._subjects[device]

    def knows(self, channel: int, message_id: str) -> bool:
        """Whether the channel has an event with this id."""
        if any(entry.message_id == message_id for entry in self._waiting.get(channel, ())):
            return True
        return self._connection.execute(EVENT_KNOWN, (channel, message_id)).fetchone() is not None

    def forget(self) -> None:
        """What waits belongs to a write that is taken back."""
        self._waiting.clear()
        self._notices.clear()

    def write(self) -> None:
        """A channel that is gone takes its events along."""
        notices, self._notices = self._notices, []
        if notices:
            enter(self._connection, notices, self._noticed_at)
        waiting, self._waiting = self._waiting, {}
        for channel, entries in waiting.items():
            found = self._connection.execute(CHANNEL_LAST, (channel,)).fetchone()
            if found is None:
                continue
            first, last = found[0] + 1, found[0] + len(entries)
            rows = [
                (channel, position, entry.at, entry.message_id, entry.text(position))
                for position, entry in enumerate(entries, first)
            ]
            for part in portions(rows):
                self._connection.execute(EVENT[len(part)], tuple(chain.from_iterable(part)))
            size = sum(len(content) for *_, content in rows)
            self._connection.execute(MOVE_LAST, (last, size, channel))
            before = self.written.get(channel, Extent(first, last, entries[0].at))
            self.written[channel] = Extent(before.first, last, before.oldest, before.size + size)

    def _read_messages(self, seqs: list[int]) -> dict[int, Row]:
        return {
            row[0]: row[1:] for part in portions(seqs) for row in self._connection.execute(TOLD[len(part)], tuple(part))
        }


def portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """All of them in order, in parts that there are statements for."""
    start = 0
    for size in SIZES:
        while start + size <= len(items):
            yield items[start : start + size]
            start += size


def read_subject(row: Iterable[str | None]) -> Subject:
    """From `statements.SUBJECT_COLUMNS`."""
    device_id, node_id, product_id, gateway_id, app_id, tags = row
    pairs = tuple((key, value) for key, value in json.loads(tags)) if tags else ()
    return Subject(device_id or "", node_id or "", product_id or "", gateway_id, app_id, pairs)
