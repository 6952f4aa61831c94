"""Batch tasks as the daemon works them off. Contract: `bridge.batch.base.BatchStore`.

Everything is written in pieces of PIECE rows at most, between the commits of messages: nobody waits for a large task.
"""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, TypeVar

from bridge.model.batch import Document, Obstacle, OpenTask, Target, TargetStatus, TaskOrder, TaskStatus, Waiting
from bridge.model.errors import TooManyTasks
from bridge.store import batch_statements as statements
from bridge.store.batch_rows import ordered_row, read_document, read_target
from bridge.store.connection import refusing
from bridge.store.rows import Row
from bridge.store.writer import Writer

T = TypeVar("T")

PIECE = 2000
"""Rows that one transaction writes for a task."""
FINAL: dict[frozenset[TargetStatus], TaskStatus] = {
    frozenset({TargetStatus.SUCCESS}): TaskStatus.SUCCESS,
    frozenset({TargetStatus.STOPPED}): TaskStatus.STOPPED,
}
"""What a task has come to when all its targets have come to the same."""


class Batches:
    """Writes are done when they return. All methods belong to the loop's thread and may raise StoreUnavailable."""

    _writer: Writer
    _reader: sqlite3.Connection

    async def add_batch(self, project: str, order: TaskOrder, now: int, *, most_open: int) -> int:
        def add(connection: sqlite3.Connection) -> int | None:
            if connection.execute(statements.COUNT_OPEN, (project,)).fetchone()[0] >= most_open:
                return None
            return connection.execute(statements.ADD_TASK, ordered_row(project, order, now)).lastrowid

        key = await self._writer.request(add)
        if key is None:
            raise TooManyTasks(f"the project has {most_open} batch tasks that have not ended")
        for start in range(0, len(order.targets), PIECE):
            piece = json.dumps(order.targets[start : start + PIECE])
            await self._change(statements.ADD_TARGETS, (key, start + 1, order.policy.retry_count, piece))
        repeated = _repeated(order.targets)
        for start in range(0, len(repeated), PIECE):
            await self._change(statements.REPEATED, (key, json.dumps(repeated[start : start + PIECE])))
        await self.move_batch(key, TaskStatus.WAITING, (TaskStatus.INITIALIZING,))
        return key

    async def move_batch(self, key: int, to: TaskStatus, of: Sequence[TaskStatus]) -> bool:
        states = json.dumps([status.value for status in of])
        return await self._change(statements.SET_STATUS, (to.value, None, key, states)) == 1

    async def end_batch(self, key: int, now: int) -> TaskStatus | None:
        def end(connection: sqlite3.Connection) -> TaskStatus | None:
            if connection.execute(statements.UNFINISHED, (key,)).fetchone():
                return None
            states = {TargetStatus(row[0]) for row in connection.execute(statements.PROGRESS, (key,))}
            stopping = connection.execute(
                statements.SET_STATUS, (TaskStatus.STOPPED, now, key, json.dumps([TaskStatus.STOPPING]))
            ).rowcount
            if stopping:
                return TaskStatus.STOPPED
            final = _final(states)
            connection.execute(statements.SET_STATUS, (final.value, now, key, json.dumps([TaskStatus.PROCESSING])))
            return final

        return await self._writer.request(end)

    async def remove_batch(self, project: str, key: int) -> bool:
        return await self._change(statements.REMOVE_TASK, (key, project)) == 1

    async def remove_batches(self, before: int) -> None:
        await self._change(statements.REMOVE_OLD, (before,))

    async def remove_unfinished_batches(self) -> None:
        await self._change(statements.REMOVE_UNFINISHED, ())

    async def purge_batches(self) -> bool:
        def purge(connection: sqlite3.Connection) -> bool:
            row = connection.execute(statements.REMOVED).fetchone()
            if row is None:
                return False
            if not connection.execute(statements.PURGE_TARGETS, (row[0], row[0], PIECE)).rowcount:
                connection.execute(statements.PURGE_TASK, row)
            return True

        return await self._writer.request(purge)

    def open_batches(self) -> list[OpenTask]:
        rows = self._look(statements.OPEN, ())
        return [OpenTask(key, project, TaskStatus(status), starts_at) for key, project, status, starts_at in rows]

    def batch_document(self, key: int) -> Document:
        return read_document(self._look(statements.DOCUMENT, (key,))[0])

    def waiting_targets(self, key: int, limit: int) -> list[Waiting]:
        return [Waiting(*row) for row in self._look(statements.WAITING, (key, limit))]

    def processing_targets(self, key: int, *, after: int, limit: int) -> list[Waiting]:
        return [Waiting(*row) for row in self._look(statements.PROCESSING, (key, after, limit))]

    def batch_unfinished(self, key: int) -> bool:
        return bool(self._look(statements.UNFINISHED, (key,)))

    async def settle_targets(self, seqs: Sequence[int], now: int) -> None:
        await self._change(statements.SETTLE, (json.dumps(seqs), now))

    async def refuse_targets(self, refused: Sequence[tuple[int, int, Obstacle]], now: int) -> None:
        await self._change(statements.REFUSE, (now, json.dumps(refused)))

    async def wake_targets(self, key: int, now: int) -> bool:
        if not self._look(statements.TO_RETRY, (key, now)):
            return False
        return await self._change(statements.RETRY_DUE, (key, key, now, PIECE)) > 0

    async def stop_waiting(self, key: int) -> None:
        while await self._change(statements.STOP_WAITING, (key, key, PIECE)):
            pass

    async def stop_targets(self, key: int, numbers: Sequence[int]) -> None:
        await self._change(statements.STOP_THESE, (key, json.dumps(numbers)))

    async def mark_stopping(self, key: int, numbers: Sequence[int]) -> None:
        await self._change(statements.MARK_STOPPING, (key, json.dumps(numbers)))

    async def retry_all(self, key: int) -> int:
        total = 0
        while count := await self._change(statements.RETRY_ALL, (key, key, PIECE)):
            total += count
        return total

    async def retry_targets(self, key: int, numbers: Sequence[int]) -> None:
        await self._change(statements.RETRY_THESE, (key, json.dumps(numbers)))

    def targets_called(self, key: int, device_id: str) -> list[Target]:
        return [read_target(row) for row in self._look(statements.CALLED, (key, device_id))]

    async def _change(self, statement: str, parameters: Row) -> int:
        """How many rows changed."""
        return await self._writer.request(lambda connection: connection.execute(statement, parameters).rowcount)

    def _look(self, statement: str, parameters: Row) -> list[Any]:
        with refusing():
            return self._reader.execute(statement, parameters).fetchall()


def _repeated(targets: Sequence[str]) -> list[int]:
    """The numbers of those that were named before."""
    first: dict[str, int] = {}
    return [number for number, target in enumerate(targets, 1) if first.setdefault(target, number) != number]


def _final(states: set[TargetStatus]) -> TaskStatus:
    if final := FINAL.get(frozenset(states)):
        return final
    return TaskStatus.PARTIAL_SUCCESS if TargetStatus.SUCCESS in states else TaskStatus.FAIL
