"""A batch of writes as SQL, merged or one by one, in the transaction of the writer. See `bridge.store.writer`."""

import logging
import sqlite3
from collections.abc import Callable, Mapping
from itertools import chain, groupby
from typing import Any, TypeAlias

from bridge.model.errors import BridgeError, DuplicateMessage, StoreUnavailable, UnknownDevice, Withdrawn
from bridge.model.message import Status
from bridge.store.batch_statements import CLAIM
from bridge.store.journal import Change, Journal
from bridge.store.rows import CREATED_AT, Row
from bridge.store.statements import ADD, FINISH, MOST_ROWS, REMOVE
from bridge.store.writes import APART, Add, Finish, Other, Telling, Write, tells

logger = logging.getLogger(__name__)
Run: TypeAlias = Callable[[sqlite3.Connection, Journal, list[Write]], list[Any]]


class Unexpected(Exception):
    """A merged statement did not do what all its callers expect."""


def merged(connection: sqlite3.Connection, journal: Journal, batch: list[Write]) -> list[Any]:
    """Results of all writes if each went as expected. Raises Unexpected or an error of the database otherwise."""
    results: list[Any] = []
    for apart, group in groupby(batch, lambda write: type(write) in APART):
        writes = list(group)
        if apart:
            results += [run_apart(connection, journal, write) for write in writes]
        else:
            adds = [write for write in writes if type(write) is Add]
            execute_merged(connection, ADD, [write.row for write in adds])
            if claims := [write.claim for write in adds if write.claim is not None]:
                execute_merged(connection, CLAIM, claims)
            if told := [added(write.channel, write.row) for write in adds if write.channel is not None]:
                journal.changed(told)
            finishes = [write for write in writes if type(write) is Finish]
            execute_merged(connection, FINISH, [write.row for write in finishes])
            if told := [Change(write.channel, *write.row) for write in finishes if write.channel is not None]:
                journal.changed(told)
            results += [None if type(write) is Add else True for write in writes]
    journal.write()
    return results


def execute_merged(connection: sqlite3.Connection, statements: Mapping[int, str], rows: list[Row]) -> None:
    for start in range(0, len(rows), MOST_ROWS):
        part = rows[start : start + MOST_ROWS]
        # With one row: executemany was measured to give the interpreter up less often than execute.
        if connection.executemany(statements[len(part)], (tuple(chain.from_iterable(part)),)).rowcount != len(part):
            raise Unexpected


def run_apart(connection: sqlite3.Connection, journal: Journal, write: Write) -> Any:
    if isinstance(write, Telling):
        return write.run(connection, journal)
    assert isinstance(write, Other)  # noqa: S101  nothing else stands apart
    return write.run(connection)


def one_by_one(connection: sqlite3.Connection, journal: Journal, batch: list[Write]) -> list[Any]:
    return [execute_alone(connection, journal, write) for write in batch]


def execute_alone(connection: sqlite3.Connection, journal: Journal, write: Write) -> Any:
    try:
        return told_alone(connection, journal, write) if tells(write) else change(connection, journal, write)
    except sqlite3.IntegrityError as error:
        return refusal(error)
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.ProgrammingError | sqlite3.DataError):
            raise
        logger.exception("a write that cannot be stored")
        return StoreUnavailable(str(error))


def told_alone(connection: sqlite3.Connection, journal: Journal, write: Write) -> Any:
    """A change and its event: both, or neither."""
    if not connection.in_transaction:  # a savepoint would be one of its own
        connection.execute("BEGIN IMMEDIATE")
    connection.execute("SAVEPOINT alone")
    try:
        result = change(connection, journal, write)
        journal.write()
    except BaseException:
        journal.forget()
        if connection.in_transaction:  # some errors of the disk have ended it already
            connection.execute("ROLLBACK TO alone")
        raise
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE alone")
    return result


def change(connection: sqlite3.Connection, journal: Journal, write: Write) -> Any:
    if isinstance(write, Add):
        connection.execute(ADD[1], write.row)
        if write.claim is not None and not connection.execute(CLAIM[1], write.claim).rowcount:
            connection.execute(REMOVE, write.row[:1])
            return Withdrawn("the target does not wait for it any more")
        if write.channel is not None:
            journal.changed([added(write.channel, write.row)])
        return None
    if isinstance(write, Finish):
        changed = connection.execute(FINISH[1], write.row).rowcount == 1
        if changed and write.channel is not None:
            journal.changed([Change(write.channel, *write.row)])
        return changed
    return run_apart(connection, journal, write)


def added(channel: int, row: Row) -> Change:
    return Change(channel, row[0], Status.PENDING.value, row[CREATED_AT])


def refusal(error: sqlite3.IntegrityError) -> BridgeError:
    match error.sqlite_errorcode:
        case sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            return DuplicateMessage("the device has a message with this id")
        case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            return UnknownDevice("the device was removed")
    return StoreUnavailable(str(error))
