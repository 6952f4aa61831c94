"""Notifications numbered without gaps: those of a project, those about one object, those of one importance.

The numbers rise with time, and only the oldest are ever removed. So how many there are between two moments is the
difference of two numbers, page 1,000 of a list begins at a number, and both ends of a window are found by bisection:
all that costs a few look-ups, whether there are ten notifications or ten million. What was confirmed for a time after
its retention outlives its neighbours: those stragglers have smaller numbers than the `first` of their series.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.model.notification import Importance, Selection
from bridge.store import inbox_statements as statements
from bridge.store.rows import Row

NUMBER_BITS = 40
IMPORTANCES = tuple(Importance)
"""Stored as its place in here."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Those from `low` to `high`, both included, of one inbox."""

    inbox: int
    first: int
    """The oldest there is, but for stragglers."""
    low: int
    high: int


class Series(Protocol):
    def numbers(self) -> range:
        """Of its notifications among the keys."""

    def key(self, number: int) -> int: ...

    def rows(self, numbers: range) -> Iterator[Row]:
        """`inbox_statements.WHOLE`, newest first."""


class WholeSeries:
    def __init__(self, connection: sqlite3.Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    def numbers(self) -> range:
        return range(self._keys.low, self._keys.high + 1)

    def key(self, number: int) -> int:
        return number

    def rows(self, numbers: range) -> Iterator[Row]:
        return self._connection.execute(statements.SERIES, (numbers.start, numbers.stop - 1))


class PartSeries:
    """What has one value in one column."""

    def __init__(self, connection: sqlite3.Connection, keys: Keys, value: object, texts: tuple[str, str, str, str]):
        self._connection = connection
        self._keys = keys
        self._which = keys.inbox, value
        self._first, self._last, self._key, self._rows = texts

    def numbers(self) -> range:
        first = self._value(self._first, self._keys.first)
        if first is None:
            return range(0)
        every = range(first, self._value(self._last) + 1)
        start = bisect_left(every, self._keys.low, key=self.key)
        return every[start : bisect_right(every, self._keys.high, key=self.key)]

    def key(self, number: int) -> int:
        key: int = self._value(self._key, number)
        return key

    def rows(self, numbers: range) -> Iterator[Row]:
        return self._connection.execute(self._rows, (*self._which, numbers.start, numbers.stop - 1))

    def _value(self, text: str, *more: int) -> Any:
        row = self._connection.execute(text, (*self._which, *more)).fetchone()
        return row and row[0]


def series_of(connection: sqlite3.Connection, keys: Keys, selection: Selection) -> Series:
    """The narrowest one that holds all that is selected."""
    if selection.about is not None:
        texts = statements.ABOUT_FIRST, statements.ABOUT_LAST, statements.ABOUT_KEY, statements.ABOUT
        return PartSeries(connection, keys, selection.about, texts)
    if selection.importance is not None:
        texts = (
            statements.IMPORTANCE_FIRST,
            statements.IMPORTANCE_LAST,
            statements.IMPORTANCE_KEY,
            statements.IMPORTANCE,
        )
        return PartSeries(connection, keys, IMPORTANCES.index(selection.importance), texts)
    return WholeSeries(connection, keys)


def within(connection: sqlite3.Connection, keys: Keys, selection: Selection) -> Keys:
    """Those that entered in the window."""

    def at(key: int) -> int:
        moment: int = connection.execute(statements.AT, (key,)).fetchone()[0]
        return moment

    every, low, high = range(keys.low, keys.high + 1), keys.low, keys.high
    if selection.begin > 0:
        low += bisect_left(every, selection.begin, key=at)
    if selection.end is not None:
        high = keys.low + bisect_right(every, selection.end, key=at) - 1
    return Keys(keys.inbox, keys.first, low, high)
