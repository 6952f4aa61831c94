"""Batch tasks for those who look at them. Counting the targets of a large one takes a while, so nobody does it in the
event loop's thread. Contract: `bridge.batch.base.TaskTable`."""

import contextlib
from typing import Any

from bridge.model.batch import FoundTasks, TargetSearch, TargetStatus, Task, TaskDetails, TaskSearch
from bridge.store import batch_statements as statements
from bridge.store.administration import Administration
from bridge.store.batch_rows import read_target, read_task
from bridge.store.connection import refusing
from bridge.store.rows import Row

NEWEST = (1 << 63) - 1
MOST_NAMED = 100
"""Targets that a task is shown with; more are read in pages."""
MOST_CONTENT = 8 * 1024 * 1024
"""Characters of message content after which a page of tasks ends."""
TARGET = "number, device_id, status, attempts, reason, detail"


class BatchRecords(Administration):
    """All methods may raise StoreUnavailable."""

    def batch_task(self, project: str, key: int) -> Task | None:
        rows = self._query(statements.TASK, (min(key, NEWEST), project))
        return self._read(rows[0]) if rows else None

    def batch_tasks(self, project: str, search: TaskSearch) -> FoundTasks:
        """A page ends early rather than hold more than a few MiB."""
        where, values = _matching(
            f"project = ? AND {statements.SHOWN}",
            (project,),
            [("app_id = ?", search.app_id), ("status = ?", search.status and search.status.value)],
        )
        [[count]] = self._query(f"SELECT count(*) FROM batch_task WHERE {where}", values)  # noqa: S608 - see _matching
        page = (
            f"SELECT {statements.TASK_COLUMNS}, {statements.DOCUMENT_COLUMNS} "  # noqa: S608 - see _matching
            f"FROM batch_task WHERE {where} AND key < ? ORDER BY key DESC LIMIT ? OFFSET ?"
        )
        found: list[Task] = []
        size = 0
        parameters = (*values, _before(search.before), search.limit, search.offset)
        with refusing(), contextlib.closing(self._connection.execute(page, parameters)) as rows:
            for row in rows:
                found.append(self._read(row))
                size += len(found[-1].document.draft.content)
                if size >= MOST_CONTENT:
                    break
        return FoundTasks(found, count)

    def batch_details(self, project: str, key: int, search: TargetSearch) -> TaskDetails | None:
        task = self.batch_task(project, key)
        if task is None:
            return None
        asked = [("device_id = ?", search.device_id), ("status = ?", search.status and search.status.value)]
        where, values = _matching("task = ?", (key,), asked)
        count_all = f"SELECT count(*) FROM batch_target WHERE {where}"  # noqa: S608 - see _matching
        [[count]] = self._query(count_all, values)
        page = (
            f"SELECT {TARGET} FROM batch_target WHERE {where} AND number < ? "  # noqa: S608 - see _matching
            "ORDER BY number DESC LIMIT ? OFFSET ?"
        )
        rows = self._query(page, (*values, _before(search.before), search.limit, search.offset))
        return TaskDetails(task, [read_target(row) for row in rows], count)

    def _read(self, row: Row) -> Task:
        key = row[0]
        progress = {TargetStatus(status): count for status, count in self._query(statements.PROGRESS, (key,))}
        targets = None
        if sum(progress.values()) <= MOST_NAMED:
            targets = tuple(name for (name,) in self._query(statements.NAMED, (key, MOST_NAMED)))
        return read_task(row, progress, targets)


def _matching(where: str, values: Row, asked: list[tuple[str, Any]]) -> tuple[str, Row]:
    """What stands in the text is ours; what was asked for is a parameter."""
    given = [(condition, value) for condition, value in asked if value is not None]
    return " AND ".join([where, *(condition for condition, _ in given)]), (*values, *(value for _, value in given))


def _before(key: int | None) -> int:
    return NEWEST if key is None else min(key, NEWEST)
