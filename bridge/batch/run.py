"""What is in memory of a task that has not ended: little, because the store is the queue."""

from collections import deque

from bridge.model.batch import Document, OpenTask, TaskStatus, Waiting


class Run:
    """`queue`        the next targets, as they were read.
    `uncommitted`  targets whose message, or refusal, is on its way to the disk. The queue is not read again before
                   it is there: they would be found waiting still.
    `fed`          no target waits, as far as the store was asked.
    `taken_back`   while the task stops: targets up to this number had their message withdrawn.
    """

    __slots__ = ("document", "fed", "key", "project", "queue", "starts_at", "status", "taken_back", "uncommitted")

    def __init__(self, task: OpenTask) -> None:
        self.key = task.key
        self.project = task.project
        self.status = task.status
        self.starts_at = task.starts_at
        self.document: Document | None = None
        """Only while it is needed: it may be large."""
        self.queue: deque[Waiting] = deque()
        self.uncommitted = 0
        self.fed = False
        self.taken_back = 0

    @property
    def hungry(self) -> bool:
        return self.status is TaskStatus.PROCESSING and not self.fed

    @property
    def quiet(self) -> bool:
        """Nobody is about to be sent a message."""
        return not self.uncommitted and (self.fed or self.status is TaskStatus.STOPPING)

    def look_again(self) -> None:
        """There are targets waiting."""
        self.fed = False

    def stop(self) -> None:
        self.status = TaskStatus.STOPPING
        self.queue.clear()
        self.document = None
        self.taken_back = 0
