"""Devices that come and go, each written in the transaction that tells of it: the event in the channel of its project,
the notification in its inbox. Everything here runs in the writer's thread."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import NamedTuple, TypeAlias

from bridge.model.event import Subject
from bridge.model.notification import Kind, Notice, Occurrence
from bridge.model.record import Sighting
from bridge.store import hearing_statements as statements
from bridge.store.journal import Journal, portions, read_subject
from bridge.store.rows import sighted_row
from bridge.store.statements import SIGHT

TellConnection: TypeAlias = Callable[[bool, int, int | None, Subject, int], str]
"""Says as JSON text that a device is online or not, since when, and when it came online last; the last number is the
position of the event."""
PAGE = 256
"""Devices in one transaction that nobody waits for."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who wants to know of devices that come and go."""

    channels: Mapping[str, int] = field(default_factory=dict)
    """By project, as it is at that time."""
    tell: TellConnection = lambda *_: ""
    kinds: frozenset[Kind] = frozenset()
    """What enters inboxes."""
    notice_of: Callable[[Occurrence], Notice | None] = lambda _: None

    def wants(self, project: str, online: bool) -> bool:
        return project in self.channels or _kind(online) in self.kinds


class _Coming(NamedTuple):
    """A device is online or not."""

    online: bool
    at: int
    last_online: int | None

    def tell(self, audience: Audience, project: str, subject: Subject, journal: Journal) -> None:
        channel = audience.channels.get(project)
        if channel is not None:
            journal.add(channel, self.at, None, partial(audience.tell, *self, subject))
        if (kind := _kind(self.online)) in audience.kinds:
            journal.notify(audience.notice_of(Occurrence(kind, project, subject.device_id)), self.at)


def note(audience: Audience, sightings: Sequence[Sighting], connection: sqlite3.Connection, journal: Journal) -> bool:
    """Of different devices; one that was removed is passed over. Whether devices behind gateways are still to be told
    of: some are, here, and the others wait in the store."""
    for part in portions(sightings):
        _note_part(audience, part, connection, journal)
    return tell_riders(audience, connection, journal)


def end_last_run(audience: Audience, at: int, connection: sqlite3.Connection, journal: Journal) -> bool:
    """Some of those who are written down as online went offline at that time. Whether that was all."""
    online = connection.execute(statements.STILL_ONLINE, (PAGE,)).fetchall()
    note(audience, [Sighting(key, False, at, None) for (key,) in online], connection, journal)
    return len(online) < PAGE


def tell_riders(audience: Audience, connection: sqlite3.Connection, journal: Journal) -> bool:
    """Some of the devices behind gateways that have come or gone, the earliest first. Whether there are more."""
    room = PAGE
    while owed := connection.execute(statements.OWED_RIDERS).fetchone():
        if room <= 0:
            return True
        seq, carrier, online, at, last_online, after, newest = owed
        riders = connection.execute(statements.RIDERS, (carrier, after, newest, room)).fetchall()
        for _, project, created_at, *subject in riders:
            since = None if last_online is None else max(last_online, created_at)
            _Coming(bool(online), at, since).tell(audience, project, read_subject(subject), journal)
        if len(riders) < room:
            connection.execute(statements.ALL_RIDERS_TOLD, (seq,))
        else:
            connection.execute(statements.RIDERS_TOLD, (riders[-1][0], seq))
        room -= len(riders) + 1
    return False


def _note_part(audience: Audience, part: Sequence[Sighting], connection: sqlite3.Connection, journal: Journal) -> None:
    heard = bool(audience.channels or audience.kinds)
    keys = tuple(sighting.device for sighting in part)
    lines = {row[0]: row[1:] for row in connection.execute(statements.LINES[len(part)], keys)} if heard else {}
    connection.execute(SIGHT[len(part)], tuple(chain.from_iterable(sighted_row(sighting) for sighting in part)))
    for sighting in part:
        line = lines.get(sighting.device)
        if line is None or not audience.wants(line[0], sighting.online):
            continue
        project, was_online, changed_at, carries, *subject = line
        times = (sighting.at,) if sighting.online else (changed_at if was_online else None, sighting.connected_at)
        coming = _Coming(sighting.online, sighting.at, _latest(times))
        coming.tell(audience, project, read_subject(subject), journal)
        if carries:
            connection.execute(statements.OWE_RIDERS, (sighting.device, *coming))


def _latest(times: Iterable[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)


def _kind(online: bool) -> Kind:
    return Kind.ONLINE if online else Kind.OFFLINE
