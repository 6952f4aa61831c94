"""How steady time goes on with the next start: one row. `bridge.model.clock` says what it means."""

import json
import sqlite3

from sqlite_utils import Database

from bridge.model.clock import ClockState, Jump

SAVED = "SELECT boot, elapsed, steady, wall, jumps, floor, floor_until FROM clock WHERE id = 1"
SAVE = """
    INSERT OR REPLACE INTO clock (id, boot, elapsed, steady, wall, jumps, floor, floor_until)
    VALUES (1, ?, ?, ?, ?, ?, ?, ?)
"""


def steady_time(database: Database) -> None:
    """The migration."""
    database.executescript("""
        CREATE TABLE clock (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            boot TEXT NOT NULL,
            elapsed INTEGER NOT NULL,
            steady INTEGER NOT NULL,
            wall INTEGER NOT NULL,
            jumps TEXT NOT NULL,
            floor INTEGER NOT NULL,
            floor_until INTEGER NOT NULL
        );
    """)


def saved_clock(connection: sqlite3.Connection) -> ClockState | None:
    """None: nothing was saved yet. Raises sqlite3.Error."""
    row = connection.execute(SAVED).fetchone()
    if row is None:
        return None
    boot, elapsed, steady, wall, jumps, floor, floor_until = row
    return ClockState(boot, elapsed, steady, wall, tuple(Jump(*each) for each in json.loads(jumps)), floor, floor_until)


def save_clock(connection: sqlite3.Connection, state: ClockState) -> None:
    """In the transaction of the caller. Raises sqlite3.Error."""
    jumps = json.dumps(state.jumps, separators=(",", ":"))
    row = (state.boot, state.elapsed, state.steady, state.wall, jumps, state.floor, state.floor_until)
    connection.execute(SAVE, row)
