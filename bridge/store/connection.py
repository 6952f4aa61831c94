"""Connections to the database file, all opened alike, and the transaction that administration writes in."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from sqlite_utils import Database

from bridge import private_files
from bridge.model.errors import OutcomeUnknown, StoreUnavailable
from bridge.store.damage import report
from bridge.store.schema import MIGRATIONS, NAMES

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that is writing."""
BUSY_PAUSE = 0.001
CACHED_STATEMENTS = 256
"""Holds all texts of merged statements, two for each number of rows, and the others."""
PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # The pages at the growing ends are written by every commit, but copied into the database once a checkpoint: fewer
    # checkpoints, less work. 4000 pages keep the WAL near 16 MiB, which a checkpoint copies in some 20 ms.
    "PRAGMA wal_autocheckpoint = 4000",
)


def open_connection(path: Path | str) -> sqlite3.Connection:
    """Opens the file, creates it for its owner alone if it is missing, and brings its schema up to date.

    Raises StoreUnavailable.
    """
    try:
        create_private(path)
        if reason := private_files.obstacle(Path(path)):  # a write would be refused later, in words that do not help
            raise StoreUnavailable(f"cannot open {path}: {reason}")
        connection = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(_refusal("open", path, error)) from error
    try:
        insist(connection, "PRAGMA journal_mode = WAL")
        for pragma in PRAGMAS:
            connection.execute(pragma)
        migrate(connection)
    except (sqlite3.Error, StoreUnavailable) as error:
        connection.close()
        raise StoreUnavailable(_refusal("use", path, error)) from error
    return connection


def _refusal(verb: str, path: Path | str, error: Exception) -> str:
    """SQLite says "unable to open database file", and not why: most often the rights are the reason."""
    reason = private_files.obstacle(Path(path)) or getattr(error, "strerror", None) or str(error)
    return f"cannot {verb} {path}: {reason}"


def create_private(path: Path | str) -> None:
    # Never opened when it exists: closing any descriptor of the file would drop the locks this process holds on it.
    with contextlib.suppress(FileExistsError):
        os.close(private_files.create(path))


def migrate(connection: sqlite3.Connection) -> None:
    """Raises StoreUnavailable when a newer version of the daemon has written the file."""
    database = Database(connection, recursive_triggers=False, execute_plugins=False)
    unknown = {migration.name for migration in MIGRATIONS.applied(database)} - NAMES
    if unknown:
        raise StoreUnavailable(f"a newer version has written it ({', '.join(sorted(unknown))})")
    if MIGRATIONS.pending(database):
        with transaction(connection):  # whoever comes second finds them applied
            MIGRATIONS.apply(database)


class Unsettled(sqlite3.OperationalError):
    """A commit has failed, and it is not known what a crash would make of it: see `commit`."""


def commit(connection: sqlite3.Connection) -> None:
    """Commits, or raises an error after which nothing of the transaction is left for certain; Unsettled if that cannot
    be had.

    SQLite rolls a transaction back in memory when its commit fails. But when the frames were written and only the sync
    failed (SQLITE_IOERR_FSYNC), they stay in the WAL behind its end, and whoever recovers the WAL after a crash finds
    them complete. The next transaction writes over them, so one is made at once.
    """
    try:
        connection.commit()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_IOERR:
            raise
        try:
            touch(connection)
        except sqlite3.Error:
            raise Unsettled(str(error)) from error
        raise


def touch(connection: sqlite3.Connection) -> None:
    """The smallest write that there is: one page, with what is in it already."""
    [version] = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")


class refusing:
    """`with refusing():` errors of the database leave as StoreUnavailable. A class, because reads are hot."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Unsettled):
            raise OutcomeUnknown(str(error)) from error
        if isinstance(error, sqlite3.Error):
            report(error)
            raise StoreUnavailable(str(error)) from error


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; any exception rolls back. Errors of the database leave as StoreUnavailable."""
    with refusing():
        try:
            insist(connection, "BEGIN IMMEDIATE")
            yield
            commit(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


@contextlib.contextmanager
def unreferenced(connection: sqlite3.Connection) -> Iterator[None]:
    """For a transaction that removes a row together with all that refers to it: SQLite would scan whole tables to find
    that nothing is left. Others' foreign keys keep watching."""
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def insist(connection: sqlite3.Connection, statement: str) -> None:
    """Executes a statement that needs the lock for writing, against others that are busy, for up to BUSY_TIMEOUT.

    SQLite's own busy handler sleeps up to 100 ms between two attempts, but the daemon's writer leaves gaps of well
    under a millisecond; and it is not asked at all when two processes switch a new file to WAL.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute(statement)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(BUSY_PAUSE)
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
