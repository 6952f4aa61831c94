"""Batch tasks → JSON of this dialect. Pure."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from bridge.api.iotda.batch_parse import CREATE_MESSAGES
from bridge.api.iotda.errors import FAILURES, OBSTACLES
from bridge.api.iotda.paging import Page
from bridge.api.iotda.render import CompactTime, ErrorInfo, ShownProperties, compact, properties_of
from bridge.api.schema import NOT_NULL, shown
from bridge.model.batch import (
    Document,
    FoundTasks,
    Obstacle,
    Target,
    TargetResult,
    TargetStatus,
    Task,
    TaskDetails,
    TaskStatus,
    message_id_of,
    task_id_of,
)

_encode = msgspec.json.Encoder().encode


class DocumentBody(msgspec.Struct, omit_defaults=True):
    message: Annotated[msgspec.Raw, shown(**NOT_NULL)]
    ttl: int
    message_id: str | None = None
    name: str | None = None
    encoding: str | None = None
    payload_format: str | None = None
    topic: str | None = None
    topic_full_name: str | None = None
    properties: ShownProperties | None = None


class PolicyBody(msgspec.Struct, omit_defaults=True):
    schedule_time: CompactTime | None = None
    retry_count: int | None = None
    retry_interval: int | None = None


class Progress(msgspec.Struct):
    total: int
    processing: int
    success: int
    fail: int
    waitting: int
    fail_wait_retry: int
    stopped: int
    removed: int = 0


class TaskBody(msgspec.Struct, omit_defaults=True):
    task_id: str
    task_name: str
    task_type: Annotated[str, shown(None, enum=[CREATE_MESSAGES])]
    document: DocumentBody
    status: TaskStatus
    task_progress: Progress
    create_time: CompactTime
    app_id: str | None = None
    targets: Annotated[Sequence[str], shown(None, "Only of a task that has few.")] | None = None
    task_policy: PolicyBody | None = None


class TaskDetail(msgspec.Struct, omit_defaults=True):
    target: str
    status: TargetStatus
    output: Annotated[str, shown(None, "The id of the message it was sent last.")] | None = None
    error: ErrorInfo | None = None


class TaskList(msgspec.Struct):
    batchtasks: list[TaskBody]
    page: Page


class Details(msgspec.Struct):
    batchtask: TaskBody
    task_details: list[TaskDetail]
    page: Page


class ResultBody(msgspec.Struct, omit_defaults=True):
    target: str
    status: Literal["success", "failure"]
    error_code: str | None = None
    error_msg: str | None = None


class Results(msgspec.Struct):
    targets: list[ResultBody]


def render_task(task: Task) -> bytes:
    """The answer to CreateBatchTask."""
    return _encode(_task(task))


def render_tasks(found: FoundTasks) -> bytes:
    """The answer to ListBatchTasks. `marker` is the id of the last one."""
    marker = task_id_of(found.tasks[-1].key) if found.tasks else None
    return _encode(TaskList([_task(task) for task in found.tasks], Page(found.count, marker)))


def render_details(details: TaskDetails) -> bytes:
    """The answer to ShowBatchTask. Ours: `output` is the id of the message that the target was sent last."""
    marker = task_id_of(details.targets[-1].number) if details.targets else None
    targets = [_detail(details.task, target) for target in details.targets]
    return _encode(Details(_task(details.task), targets, Page(details.count, marker)))


def render_results(results: Sequence[TargetResult]) -> bytes:
    """The answer to StopBatchTask and RetryBatchTask."""
    return _encode(Results([_result(result) for result in results]))


def _task(task: Task) -> TaskBody:
    """A task with many targets is shown without them: they are read in pages of details."""
    counts = task.progress
    progress = Progress(
        total=sum(counts.values()),
        processing=counts.get(TargetStatus.PROCESSING, 0),
        success=counts.get(TargetStatus.SUCCESS, 0),
        fail=counts.get(TargetStatus.FAIL, 0),
        waitting=counts.get(TargetStatus.WAITING, 0),
        fail_wait_retry=counts.get(TargetStatus.FAIL_WAIT_RETRY, 0),
        stopped=counts.get(TargetStatus.STOPPED, 0),
    )
    return TaskBody(
        task_id=task_id_of(task.key),
        task_name=task.name,
        task_type=CREATE_MESSAGES,
        document=_document(task.document),
        status=task.status,
        task_progress=progress,
        create_time=compact(task.created_at),
        app_id=task.app_id,
        targets=task.targets,
        task_policy=_policy(task),
    )


def _document(document: Document) -> DocumentBody:
    draft = document.draft
    return DocumentBody(
        message=msgspec.Raw(draft.content.encode()),
        ttl=draft.ttl,
        message_id=draft.message_id or None,
        name=draft.name,
        encoding=draft.encoding,
        payload_format=draft.payload_format,
        topic=document.suffix,
        topic_full_name=draft.topic,
        properties=properties_of(draft),
    )


def _policy(task: Task) -> PolicyBody | None:
    policy = task.policy
    if policy.starts_at is None and not policy.retry_count:
        return None
    body = PolicyBody(None if policy.starts_at is None else compact(policy.starts_at))
    if policy.retry_count:
        body.retry_count, body.retry_interval = policy.retry_count, policy.retry_interval
    return body


def _detail(task: Task, target: Target) -> TaskDetail:
    output = None
    if target.attempts:
        output = task.document.draft.message_id or message_id_of(task.key, target.number, target.attempts)
    return TaskDetail(target.device_id, target.status, output, _error(target))


def _error(target: Target) -> ErrorInfo | None:
    reason = target.reason
    if reason is None:
        return None
    if isinstance(reason, Obstacle):
        return ErrorInfo(*OBSTACLES[reason])
    return ErrorInfo(FAILURES[reason], target.detail or reason.value)


def _result(result: TargetResult) -> ResultBody:
    if result.error is None:
        return ResultBody(result.device_id, "success")
    return ResultBody(result.device_id, "failure", "IOTDA.014201", result.error)
