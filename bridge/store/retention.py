"""Finished messages and idempotency keys are kept for a while, then removed."""

import sqlite3

from bridge.model.clock import Timekeeper
from bridge.model.once import REMEMBERED
from bridge.store import statements
from bridge.store.settings import StoreSettings
from bridge.store.writer import Writer

STEP = 500
"""Rows looked at, and at most deleted, in one transaction."""
STEPS = 2000
"""In one run. The next one goes on from there: PENDING rows that outlive the retention time are not walked at once."""
DAY = 86_400_000


class Retention:
    def __init__(self, writer: Writer, time: Timekeeper, settings: StoreSettings) -> None:
        self._writer = writer
        self._time = time
        self._age = int(settings.retention_days * DAY)
        self._after = 0

    async def prune(self) -> int:
        """Walks the messages from the oldest until it meets a young one. Returns how many it deleted."""
        before = self._time.now_within(self._age) - self._age
        deleted = 0
        for _ in range(STEPS):
            last, count = await self._writer.request(lambda connection: self._step(connection, before))
            self._after = last
            deleted += count
            if not last:
                break
        return deleted

    async def forget(self) -> int:
        """Removes the idempotency keys, and the places of removed messages, that have had their time. Returns how
        many."""
        before = self._time.now_within(REMEMBERED) - REMEMBERED
        return await self._forget(statements.FORGET, before) + await self._forget(statements.FORGET_PLACES, before)

    async def _forget(self, statement: str, before: int) -> int:
        forgotten = step = 0
        for _ in range(STEPS):
            step = await self._writer.request(lambda connection: connection.execute(statement, (before, STEP)).rowcount)
            forgotten += step
            if step < STEP:
                break
        return forgotten

    def _step(self, connection: sqlite3.Connection, before: int) -> tuple[int, int]:
        """How far it came, 0 at the end, and how many rows it deleted."""
        last, youngest = connection.execute(statements.OLDEST, (self._after, STEP)).fetchone()
        if last is None:
            return 0, 0
        count = connection.execute(statements.PRUNE, (self._after, last, before)).rowcount
        return (last if youngest < before else 0), count
