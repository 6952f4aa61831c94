"""When devices were connected, as it is written down. Contract: `bridge.registry.base.DeviceStore`."""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain

from bridge.model.errors import BridgeError
from bridge.model.record import Sighting
from bridge.store.rows import sighted_row
from bridge.store.statements import ALL_OFFLINE, SIGHT, SIGHTED_AT_ONCE
from bridge.store.writer import Other, Writer


class Sightings:
    """They share the writer's commits with the messages."""

    _writer: Writer

    def note(self, sightings: Sequence[Sighting], done: Callable[[BridgeError | None], None]) -> None:
        """Of different devices; one that was removed meanwhile is passed over."""
        rows = [sighted_row(sighting) for sighting in sightings]

        def run(connection: sqlite3.Connection) -> None:
            start = 0
            for size in SIGHTED_AT_ONCE:
                while start + size <= len(rows):
                    connection.execute(SIGHT[size], tuple(chain.from_iterable(rows[start : start + size])))
                    start += size

        self._writer.put(Other(run, done))

    def note_all_offline(self, at: int, done: Callable[[BridgeError | None], None]) -> None:
        """Whoever is written down as online since then or longer went offline at that time, as far as anybody can
        tell."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(ALL_OFFLINE, (at, at))

        self._writer.put(Other(run, done))
