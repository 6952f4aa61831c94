"""A site without batch tasks, and nobody to hear a broadcast: for tests that are about something else."""

from collections.abc import Sequence

from bridge.model.batch import FoundTasks, TargetResult, TargetSearch, Task, TaskDetails, TaskOrder, TaskSearch
from bridge.model.errors import UnknownTask


class NoBatches:
    async def create(self, project: str, order: TaskOrder) -> Task:
        raise NotImplementedError

    async def find(self, project: str, search: TaskSearch) -> FoundTasks:
        return FoundTasks([], 0)

    async def details(self, project: str, key: int, search: TargetSearch) -> TaskDetails:
        raise UnknownTask

    async def stop_task(self, project: str, key: int) -> None:
        raise UnknownTask

    async def stop_targets(self, project: str, key: int, targets: Sequence[str]) -> Sequence[TargetResult]:
        raise UnknownTask

    async def retry_task(self, project: str, key: int) -> None:
        raise UnknownTask

    async def retry_targets(self, project: str, key: int, targets: Sequence[str]) -> Sequence[TargetResult]:
        raise UnknownTask

    async def remove(self, project: str, key: int) -> None:
        raise UnknownTask


class NoBroadcasts:
    def broadcast(self, project: str, topic: str, payload: bytes, ttl: int) -> int:
        return 0
