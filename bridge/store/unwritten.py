"""What a store could not write before it was closed."""

import sqlite3
from collections import Counter
from collections.abc import Iterable

from bridge.model.errors import StoreUnavailable
from bridge.store.connection import refusing
from bridge.store.inbox_statements import ENDED
from bridge.store.writes import Debt

MOST_NAMED = 10


class Unwritten:
    """Counts by kind. Empty, and false, when everything was written."""

    def __init__(self, left: Iterable[Debt]) -> None:
        self._counts: Counter[str] = Counter()
        self._seqs: list[int] = []
        for owed in left:
            self._counts[owed.kind] += owed.count
            if owed.seq is not None and len(self._seqs) < MOST_NAMED:
                self._seqs.append(owed.seq)

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __str__(self) -> str:
        return ", ".join(f"{count} {kind}" for kind, count in sorted(self._counts.items()))

    def messages(self, reader: sqlite3.Connection) -> str:
        """The first messages whose outcome was not written, as project/device/message."""
        try:
            with refusing():
                rows = [reader.execute(ENDED, (seq,)).fetchone() for seq in self._seqs]
        except StoreUnavailable:
            return ""
        return " ".join("/".join(row) for row in rows if row is not None)
