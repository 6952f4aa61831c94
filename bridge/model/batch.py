"""A batch task: one message for many devices, and how far it has come. The words, spelling included, are IoTDA's."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from bridge.model.message import Draft, Failure


class TaskStatus(StrEnum):
    INITIALIZING = "Initializing"
    """Its targets are being stored; nobody was told of it yet."""
    WAITING = "Waitting"
    """It has not begun: its time has not come."""
    PROCESSING = "Processing"
    STOPPING = "Stopping"
    """What is not delivered is being taken back."""
    SUCCESS = "Success"
    FAIL = "Fail"
    PARTIAL_SUCCESS = "PartialSuccess"
    STOPPED = "Stopped"


ENDED = frozenset({TaskStatus.SUCCESS, TaskStatus.FAIL, TaskStatus.PARTIAL_SUCCESS, TaskStatus.STOPPED})


class TargetStatus(StrEnum):
    WAITING = "Waitting"
    """Its message is not accepted yet."""
    PROCESSING = "Processing"
    """Its message is PENDING."""
    SUCCESS = "Success"
    """Its message is DELIVERED."""
    FAIL = "Fail"
    FAIL_WAIT_RETRY = "FailWaitRetry"
    """It failed, and gets another message after a while."""
    STOPPED = "Stopped"


class Obstacle(StrEnum):
    """Why a target failed, besides the ways in which a message does."""

    TIMEOUT = "timeout"
    """The message is TIMEOUT."""
    UNKNOWN_DEVICE = "unknown_device"
    REPEATED = "repeated"
    """The task names the device more than once; the first one counts."""
    DUPLICATE_MESSAGE = "duplicate_message"
    """The device has a message with the id that the task gives to all of its messages."""
    QUEUE_FULL = "queue_full"
    REMOVED = "removed"
    """The message was cancelled before its end, or the device was removed."""


Reason: TypeAlias = Obstacle | Failure


@dataclass(frozen=True, slots=True)
class Document:
    """What each target is sent."""

    draft: Draft
    """`message_id` is empty unless all messages have the same; `topic` is None when there is a suffix."""
    suffix: str | None = None
    """`Draft.suffix` of each message."""

    def draft_for(self, message_id: str) -> Draft:
        return dataclasses.replace(self.draft, message_id=message_id, suffix=self.suffix)


@dataclass(frozen=True, slots=True)
class Policy:
    starts_at: int | None = None
    """None: at once. Wall time, in the store steady time."""
    retry_count: int = 0
    retry_interval: int = 0
    """Minutes."""


@dataclass(frozen=True, slots=True)
class TaskOrder:
    """A task that an application asks for; its dialect has checked every field."""

    name: str
    targets: tuple[str, ...]
    """Device ids in order. The devices need not exist, and one may be named twice."""
    document: Document
    policy: Policy
    app_id: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    key: int
    project: str
    name: str
    app_id: str | None
    document: Document
    policy: Policy
    status: TaskStatus
    created_at: int
    """Milliseconds since the epoch."""
    progress: Mapping[TargetStatus, int] = field(default_factory=dict)
    """How many targets are in each state; those in which none is may be missing."""
    targets: tuple[str, ...] | None = None
    """None: too many to be shown in one piece."""


@dataclass(frozen=True, slots=True)
class Target:
    number: int
    """From 1, in the order in which they were named."""
    device_id: str
    status: TargetStatus
    attempts: int = 0
    """Messages it was sent."""
    reason: Reason | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A target whose turn has come."""

    number: int
    device_id: str
    attempts: int
    """Messages it was sent before."""
    seq: int | None
    """`Message.seq` of the last one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The target that a new message is for. It takes effect in the transaction that stores the message, or that stores
    nothing because the target does not wait any more."""

    task: int
    number: int


@dataclass(frozen=True, slots=True)
class OpenTask:
    """What has to be known of a task that has not ended."""

    key: int
    project: str
    status: TaskStatus
    starts_at: int
    """Steady time."""


@dataclass(frozen=True, slots=True)
class TaskSearch:
    """Which tasks of a project, newest first. None: no matter."""

    limit: int
    before: int | None = None
    """Those with a smaller `Task.key`."""
    offset: int = 0
    app_id: str | None = None
    status: TaskStatus | None = None


@dataclass(frozen=True, slots=True)
class TargetSearch:
    """Which targets of a task, last first. None: no matter."""

    limit: int
    before: int | None = None
    """Those with a smaller number."""
    offset: int = 0
    status: TargetStatus | None = None
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class FoundTasks:
    tasks: list[Task]
    count: int
    """How many there are in all, whatever `limit`, `before` and `offset`."""


@dataclass(frozen=True, slots=True)
class TaskDetails:
    task: Task
    targets: list[Target]
    count: int
    """How many match in all."""


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What became of one target that was to be stopped or tried again."""

    device_id: str
    error: str | None = None
    """Why that was not done, in words; None: it was."""


def task_id_of(key: int) -> str:
    """24 hexadecimal digits."""
    return f"{key:024x}"


def message_id_of(task: int, number: int, attempt: int) -> str:
    """The id of the message that a target is sent for the `attempt`-th time, from 1, unless the task gives one."""
    return f"{task_id_of(task)}-{number}" if attempt == 1 else f"{task_id_of(task)}-{number}-{attempt}"
