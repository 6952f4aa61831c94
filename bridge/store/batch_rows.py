"""Batch tasks and their targets as rows of the database, and back."""

import json

from bridge.model.batch import Document, Obstacle, Policy, Reason, Target, TargetStatus, Task, TaskOrder, TaskStatus
from bridge.model.message import Draft, Failure
from bridge.store.rows import Row

TASK_WIDTH = 9
"""Columns in `batch_statements.TASK_COLUMNS`."""


def ordered_row(project: str, order: TaskOrder, now: int) -> Row:
    """The parameters of `batch_statements.ADD_TASK`."""
    policy, draft = order.policy, order.document.draft
    return (
        project,
        order.name,
        order.app_id,
        now,
        policy.starts_at,
        policy.retry_count,
        policy.retry_interval,
        draft.ttl,
        draft.message_id or None,
        draft.name,
        draft.encoding,
        draft.payload_format,
        draft.topic,
        order.document.suffix,
        draft.correlation_data,
        draft.response_topic,
        json.dumps(draft.user_properties, ensure_ascii=False) if draft.user_properties else None,
        draft.content,
    )


def read_document(row: Row) -> Document:
    """From `batch_statements.DOCUMENT_COLUMNS`."""
    ttl, message_id, name, encoding, payload_format, topic, suffix, *rest = row
    correlation_data, response_topic, user_properties, content = rest
    pairs = tuple((key, value) for key, value in json.loads(user_properties)) if user_properties else ()
    draft = Draft(
        message_id or "",
        content,
        ttl,
        name,
        encoding,
        payload_format,
        topic,
        correlation_data,
        response_topic,
        pairs,
    )
    return Document(draft, suffix)


def read_task(row: Row, progress: dict[TargetStatus, int], targets: tuple[str, ...] | None) -> Task:
    """From `batch_statements.TASK_COLUMNS` and the document's."""
    key, project, name, app_id, status, created_at, starts_at, retry_count, retry_interval = row[:TASK_WIDTH]
    policy = Policy(starts_at, retry_count, retry_interval)
    document = read_document(row[TASK_WIDTH:])
    return Task(key, project, name, app_id, document, policy, TaskStatus(status), created_at, progress, targets)


def read_target(row: Row) -> Target:
    number, device_id, status, attempts, reason, detail = row
    return Target(number, device_id, TargetStatus(status), attempts, _reason(reason), detail)


def _reason(text: str | None) -> Reason | None:
    if text is None:
        return None
    return Failure(text) if text in set(Failure) else Obstacle(text)
