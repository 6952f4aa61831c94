"""What applications ask for: create, look up, stop, retry and delete batch tasks."""

import dataclasses
from collections.abc import Sequence

from bridge.batch.base import BatchStore, Carrier
from bridge.batch.settings import BatchSettings
from bridge.batch.worker import Worker
from bridge.model.batch import (
    ENDED,
    FoundTasks,
    OpenTask,
    TargetResult,
    TargetSearch,
    TargetStatus,
    Task,
    TaskDetails,
    TaskOrder,
    TaskSearch,
    TaskStatus,
)
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import UnknownTask, WrongTaskState

_MAY_STOP = (TaskStatus.WAITING, TaskStatus.PROCESSING)
_MAY_RETRY = (TaskStatus.PROCESSING, TaskStatus.FAIL, TaskStatus.PARTIAL_SUCCESS)
_MAY_REOPEN = (*_MAY_RETRY, TaskStatus.SUCCESS)
_FAILED = {TargetStatus.FAIL, TargetStatus.FAIL_WAIT_RETRY, TargetStatus.STOPPED}


class Batches:
    """A task is durable when `create` returns. `start` before devices connect, `stop` before the store closes."""

    def __init__(self, store: BatchStore, carrier: Carrier, settings: BatchSettings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._time = Timekeeper.of(clock)
        self._max_open = settings.max_open
        self._worker = Worker(store, carrier, clock, settings)

    async def start(self) -> None:
        """Raises StoreUnavailable."""
        await self._worker.start()

    async def stop(self) -> None:
        await self._worker.stop()

    async def create(self, project: str, order: TaskOrder) -> Task:
        """Raises TooManyTasks, StoreUnavailable."""
        starts_at = order.policy.starts_at
        if starts_at is not None:
            starts_at = self._time.steady_of(starts_at)
            order = dataclasses.replace(order, policy=dataclasses.replace(order.policy, starts_at=starts_at))
        key = await self._store.add_batch(project, order, self._clock(), most_open=self._max_open)
        task = await self.show(project, key)
        self._worker.open(OpenTask(key, project, TaskStatus.WAITING, starts_at or 0))
        return task

    async def show(self, project: str, key: int) -> Task:
        """Raises UnknownTask, StoreUnavailable."""
        task = await self._store.manage(lambda table: table.batch_task(project, key))
        if task is None:
            raise UnknownTask(key)
        return self._shown(task)

    async def find(self, project: str, search: TaskSearch) -> FoundTasks:
        """Raises StoreUnavailable."""
        found = await self._store.manage(lambda table: table.batch_tasks(project, search))
        return dataclasses.replace(found, tasks=[self._shown(task) for task in found.tasks])

    async def details(self, project: str, key: int, search: TargetSearch) -> TaskDetails:
        """Raises UnknownTask, StoreUnavailable."""
        details = await self._store.manage(lambda table: table.batch_details(project, key, search))
        if details is None:
            raise UnknownTask(key)
        return dataclasses.replace(details, task=self._shown(details.task))

    async def stop_task(self, project: str, key: int) -> None:
        """What is not delivered is not delivered afterwards; that takes a while, until then the task is Stopping.

        Raises UnknownTask, WrongTaskState, StoreUnavailable.
        """
        await self._check(project, key, _MAY_STOP)
        if not await self._store.move_batch(key, TaskStatus.STOPPING, _MAY_STOP):
            await self._check(project, key, _MAY_STOP)
        self._worker.stop_run(key)

    async def stop_targets(self, project: str, key: int, targets: Sequence[str]) -> list[TargetResult]:
        """The same for these targets alone; done when it returns. Raises UnknownTask, WrongTaskState,
        StoreUnavailable."""
        task = await self._check(project, key, _MAY_STOP)
        numbers = {target.number for name in targets for target in self._store.targets_called(key, name)}
        await self._store.stop_targets(key, sorted(numbers))
        await self._worker.withdraw(OpenTask(key, project, task.status, 0), numbers)
        return [self._result(key, name, {TargetStatus.STOPPED}) for name in targets]

    async def retry_task(self, project: str, key: int) -> None:
        """Who failed or was stopped is sent another message. Raises UnknownTask, WrongTaskState, StoreUnavailable."""
        await self._check(project, key, _MAY_RETRY)
        await self._reopen(project, key, None)

    async def retry_targets(self, project: str, key: int, targets: Sequence[str]) -> list[TargetResult]:
        """The same for these targets alone. Raises UnknownTask, WrongTaskState, StoreUnavailable."""
        await self._check(project, key, _MAY_RETRY)
        results = [self._result(key, name, _FAILED) for name in targets]
        chosen = {
            target.number
            for result in results
            if result.error is None
            for target in self._store.targets_called(key, result.device_id)
        }
        await self._reopen(project, key, sorted(chosen))
        return results

    async def remove(self, project: str, key: int) -> None:
        """Only what has ended; its messages stay. Raises UnknownTask, WrongTaskState, StoreUnavailable."""
        if not await self._store.remove_batch(project, key):
            await self._check(project, key, tuple(ENDED))
        self._worker.purge()

    def _shown(self, task: Task) -> Task:
        """With `starts_at` in wall time."""
        if task.policy.starts_at is None:
            return task
        starts_at = self._time.wall_of(task.policy.starts_at)
        return dataclasses.replace(task, policy=dataclasses.replace(task.policy, starts_at=starts_at))

    async def _check(self, project: str, key: int, states: Sequence[TaskStatus]) -> Task:
        task = await self.show(project, key)
        if task.status not in states:
            raise WrongTaskState(f"it is {task.status}")
        return task

    async def _reopen(self, project: str, key: int, numbers: Sequence[int] | None) -> None:
        """The task is open before its targets wait, so that a crash leaves nobody behind; and afterwards, when it may
        have ended in between."""
        if not await self._store.move_batch(key, TaskStatus.PROCESSING, _MAY_REOPEN):
            await self._check(project, key, _MAY_RETRY)
        if numbers is None:
            await self._store.retry_all(key)
        else:
            await self._store.retry_targets(key, numbers)
        await self._store.move_batch(key, TaskStatus.PROCESSING, _MAY_REOPEN)
        self._worker.open(OpenTask(key, project, TaskStatus.PROCESSING, 0))

    def _result(self, key: int, name: str, states: set[TargetStatus]) -> TargetResult:
        found = self._store.targets_called(key, name)
        if not found:
            return TargetResult(name, "not a target of this task")
        return TargetResult(name, None if found[0].status in states else f"it is {found[0].status}")
