"""The feed of changes to devices, rules and credentials, as any process makes them."""

import sqlite3
from dataclasses import dataclass

from bridge.store import statements
from bridge.store.connection import refusing

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Change:
    seq: int
    kind: str
    """"device", "token", "key" or "rule"."""
    device: int | None
    """`Device.key`, for a device."""
    project: str | None
    name: str
    """The device id, the name of the token or access key, or the rule id."""


class Changes:
    """A cursor in the feed, at its end when it is made."""

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader
        self._seen = reader.execute(statements.LAST_CHANGE).fetchone()[0] or 0

    def take(self) -> list[Change]:
        """What was committed since the last call, oldest first, a page at most. Raises StoreUnavailable."""
        with refusing():
            rows = self._reader.execute(statements.CHANGES, (self._seen, PAGE)).fetchall()
        if rows:
            self._seen = rows[-1][0]
        return [Change(*row) for row in rows]
