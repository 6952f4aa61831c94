"""A database file that is damaged: how it is noticed, and what SQLite can say about it."""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
MOST_FINDINGS = 5
LONGEST_LOOK = 5.0
"""Seconds for which a damaged database is examined."""
STEPS = 10_000
"""Instructions of SQLite between two looks at the time."""
ADVICE = "stop the daemon, and restore a backup or save what can be read with: sqlite3 {path} .recover"
HEADING = "*** in database main ***"
WATCHERS: list[Callable[[sqlite3.Error], None]] = []
"""Called with each error of a connection that is not the writer's, in the thread that met it."""


def is_damage(error: BaseException | None) -> bool:
    """Whether the error, or one that caused it, says that the database file is not what SQLite has written."""
    while error is not None:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in CODES:
            return True
        error = error.__cause__
    return False


def report(error: sqlite3.Error) -> None:
    """Tells the watchers of an error that the disk or the file is to blame for, not the statement."""
    if type(error) in {sqlite3.OperationalError, sqlite3.DatabaseError}:
        for watcher in list(WATCHERS):
            watcher(error)


def diagnosis(path: Path) -> str:
    """What is damaged, as far as `PRAGMA quick_check` says in a few seconds, and what to do, in one sentence."""
    advice = ADVICE.format(path=path)
    findings = examine(path)
    return f"{path} is damaged ({'; '.join(findings)}): {advice}" if findings else f"{path} is damaged: {advice}"


def examine(path: Path) -> list[str]:
    deadline = time.monotonic() + LONGEST_LOOK
    found: list[str] = []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        database.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
        try:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        except sqlite3.Error as error:
            return [str(error)]
        for table in tables:
            if len(found) < MOST_FINDINGS and time.monotonic() < deadline:
                found += examine_table(database, table)
    return found[:MOST_FINDINGS]


def examine_table(database: sqlite3.Connection, table: str) -> list[str]:
    """Apart from the others: what makes SQLite give up in one table says nothing about the next."""
    try:
        rows = database.execute(f"PRAGMA quick_check('{table}')").fetchmany(MOST_FINDINGS)
    except sqlite3.Error as error:
        return [] if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT else [f"table {table}: {error}"]
    lines = [line for [text] in rows for line in text.splitlines() if line not in {"ok", HEADING}]
    return [f"table {table}: {line}" for line in lines]
