"""Writes as values: what the writer is asked to do, and what it has to know of each."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from bridge.store.journal import Journal
from bridge.store.rows import Row

OUTCOMES = "outcomes of messages"


@dataclass(frozen=True, slots=True)
class Debt:
    """What a write is about that nobody asks for again: the writer keeps it until it is stored, see `Writer`.

    `kind` and `count` say in the log what could not be written when the store was closed.
    """

    kind: str
    count: int = 1
    seq: int | None = None
    """The message, for `OUTCOMES`."""


@dataclass(slots=True)
class Add:
    row: Row
    done: Callable[[Any], None]
    channel: int | None = None
    claim: Row | None = None
    """The target of a batch task that the message is for, as in `CLAIM`: both are written, or neither."""


@dataclass(slots=True)
class Finish:
    row: Row
    done: Callable[[Any], None]
    channel: int | None = None


@dataclass(slots=True)
class Other:
    run: Callable[[sqlite3.Connection], Any]
    done: Callable[[Any], None]
    grows: bool = False
    """Whether it makes the database larger."""
    joined: bool = False
    """Whether it goes into the transaction of the write before it."""
    owed: Debt | None = None


@dataclass(slots=True)
class Telling:
    """Any other write that makes events."""

    run: Callable[[sqlite3.Connection, Journal], Any]
    done: Callable[[Any], None]
    owed: Debt | None = None


Write: TypeAlias = Add | Finish | Other | Telling
APART = (Other, Telling)


def tells(write: Write) -> bool:
    """Whether it makes events."""
    return isinstance(write, Telling) or (isinstance(write, Add | Finish) and write.channel is not None)


def needs_room(write: Write) -> bool:
    """Whether it makes the database larger."""
    return type(write) is Add or tells(write) or (type(write) is Other and write.grows)


def is_joined(write: Write) -> bool:
    return type(write) is Other and write.joined


def owed_by(write: Write) -> Debt | None:
    """None: whoever asked for the write is told when it is refused, and may ask again."""
    if isinstance(write, Finish):
        return Debt(OUTCOMES, 1, write.row[0])
    return None if isinstance(write, Add) else write.owed


def is_ordered(write: Write) -> bool:
    """Whether the write is owed, and must not overtake another one that is: all but outcomes, of which each message has
    one."""
    return isinstance(write, Other | Telling) and write.owed is not None and write.owed.kind != OUTCOMES
