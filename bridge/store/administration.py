"""What devices, rules and credentials have in common: they change rarely, from any process, and every change is
announced."""

import sqlite3
from typing import Literal

from bridge.model.clock import Clock
from bridge.store.connection import refusing
from bridge.store.rows import Row

CHANGES_KEPT = 3_600_000
"""Milliseconds. A daemon looks several times a second."""
CHANGE = "INSERT INTO change (at, kind, device, project, name) VALUES (?, ?, ?, ?, ?)"
PRUNE_CHANGES = "DELETE FROM change WHERE seq IN (SELECT seq FROM change WHERE at < ? ORDER BY at LIMIT 100)"


class Administration:
    """Writes on a connection of its own, at once and in the thread that asks."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        # Removing a device would scan all messages for it; `Devices.remove_device` deletes them itself.
        connection.execute("PRAGMA foreign_keys = OFF")
        self._connection = connection
        self._clock = clock

    def _announce(
        self,
        kind: Literal["device", "token", "key", "rule"],
        *,
        name: str,
        project: str | None,
        device: int | None = None,
    ) -> None:
        """In the transaction of the change itself, so that one never goes without the other."""
        now = self._clock()
        self._connection.execute(CHANGE, (now, kind, device, project, name))
        self._connection.execute(PRUNE_CHANGES, (now - CHANGES_KEPT,))

    def _written(self) -> None:
        """Called after each committed change."""

    def _query(self, statement: str, parameters: Row = ()) -> list[Row]:
        with refusing():
            return self._connection.execute(statement, parameters).fetchall()
