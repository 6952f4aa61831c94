"""What batch tasks need of a store and of delivery, whichever they are."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from bridge.model.batch import (
    Claim,
    Document,
    FoundTasks,
    Obstacle,
    OpenTask,
    Target,
    TargetSearch,
    Task,
    TaskDetails,
    TaskOrder,
    TaskSearch,
    TaskStatus,
    Waiting,
)
from bridge.model.errors import BridgeError
from bridge.model.message import Draft, Message

T = TypeVar("T")


class TaskTable(Protocol):
    """Reads that may take a while. All methods may raise StoreUnavailable."""

    def batch_task(self, project: str, key: int) -> Task | None: ...

    def batch_tasks(self, project: str, search: TaskSearch) -> FoundTasks: ...

    def batch_details(self, project: str, key: int, search: TargetSearch) -> TaskDetails | None: ...


class BatchStore(Protocol):
    """Durable tasks. What is awaited is committed when it returns; the others are immediate and see what is committed.
    All methods may raise StoreUnavailable.

    A target that is Processing has a PENDING message, or one whose end `settle_targets` was not told of yet: whoever
    deletes the message of one ends the target in the same transaction.
    """

    async def manage(self, action: Callable[[TaskTable], T]) -> T:
        """Runs `action` away from the event loop."""

    async def add_batch(self, project: str, order: TaskOrder, now: int, *, most_open: int) -> int:
        """The key of the new task, which is Waitting. Raises TooManyTasks."""

    async def move_batch(self, key: int, to: TaskStatus, of: Sequence[TaskStatus]) -> bool:
        """To a state of a task that has not ended, if it is in one of these."""

    async def end_batch(self, key: int, now: int) -> TaskStatus | None:
        """What the task has come to, if no target is left that may change by itself; None otherwise."""

    async def remove_batch(self, project: str, key: int) -> bool:
        """Nobody sees it any more; `purge_batches` deletes it. False: it is not there, or has not ended."""

    async def remove_batches(self, before: int) -> None:
        """The same for all that ended before that time."""

    async def remove_unfinished_batches(self) -> None:
        """The same for those whose creation was cut short by the end of the daemon."""

    async def purge_batches(self) -> bool:
        """Delete a piece of what is removed. False: there is nothing."""

    def open_batches(self) -> list[OpenTask]:
        """Those that have not ended, oldest first."""

    def batch_document(self, key: int) -> Document: ...

    def waiting_targets(self, key: int, limit: int) -> list[Waiting]:
        """In order."""

    def processing_targets(self, key: int, *, after: int, limit: int) -> list[Waiting]:
        """In order, those with a number > `after`."""

    def batch_unfinished(self, key: int) -> bool:
        """Whether a target is left that may change by itself."""

    async def settle_targets(self, seqs: Sequence[int], now: int) -> None:
        """Those whose messages are among these, and have ended, take their results from them. `now` is steady time,
        here, in `refuse_targets` and in `wake_targets`."""

    async def refuse_targets(self, refused: Sequence[tuple[int, int, Obstacle]], now: int) -> None:
        """(task, number, why) of targets whose messages were not accepted."""

    async def wake_targets(self, key: int, now: int) -> bool:
        """Those that wait for their next attempt and are due wait for it no longer. False: there was none."""

    async def stop_waiting(self, key: int) -> None:
        """What has no message on its way is Stopped."""

    async def stop_targets(self, key: int, numbers: Sequence[int]) -> None:
        """The same for these targets."""

    async def mark_stopping(self, key: int, numbers: Sequence[int]) -> None:
        """Those of these whose message is PENDING: when it is deleted, they are Stopped."""

    async def retry_all(self, key: int) -> int:
        """What failed or was stopped waits again; says how many. But not what was named twice."""

    async def retry_targets(self, key: int, numbers: Sequence[int]) -> None:
        """The same for these targets."""

    def targets_called(self, key: int, device_id: str) -> list[Target]:
        """In order; more than one when the device was named more than once."""


class Carrier(Protocol):
    """Delivery as batch tasks use it."""

    def carry(
        self, project: str, device_id: str, draft: Draft, claim: Claim, done: Callable[[BridgeError | None], None]
    ) -> None:
        """Accept a message for a target. `done` is called once, later, when both are committed, or with the error
        because of which nothing was: DuplicateMessage, UnknownDevice, Withdrawn, StoreUnavailable.

        Raises UnknownDevice, QueueFull, StoreUnavailable; then `done` is not called.
        """

    def watch_ends(self, ended: Callable[[int], None] | None) -> None:
        """`ended(seq)` after the commit of each message's end."""

    def message(self, project: str, device_id: str, message_id: str) -> Message:
        """Raises UnknownDevice, UnknownMessage, StoreUnavailable."""

    async def cancel(self, project: str, device_id: str, message_id: str) -> None:
        """Raises UnknownDevice, UnknownMessage, StoreUnavailable."""
