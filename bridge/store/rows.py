"""Messages and devices as rows of the database, and back."""

import json
from collections.abc import Iterable
from typing import Any

from bridge.model.device import Device
from bridge.model.message import AcknowledgedBy, Draft, Failure, Message, Outcome, Status

Row = tuple[Any, ...]


def added_row(message: Message) -> Row:
    """In the order of `statements.ADDED`."""
    draft = message.draft
    return (
        message.seq,
        message.device,
        draft.message_id,
        draft.ttl,
        draft.name,
        draft.encoding,
        draft.payload_format,
        draft.topic,
        draft.correlation_data,
        draft.response_topic,
        json.dumps(draft.user_properties, ensure_ascii=False) if draft.user_properties else None,
        message.created_at,
        message.expires_at,
        draft.content,
    )


def outcome_row(outcome: Outcome) -> Row:
    # Plain strings: sqlite3 first looks for an adapter for a subclass of str, which costs as much as storing ten.
    by, failure = outcome.acknowledged_by, outcome.failure
    return (
        outcome.status._value_,
        outcome.finished_at,
        by and by._value_,
        failure and failure._value_,
        outcome.detail,
    )


def read_message(row: Row) -> Message:
    """From the columns of `statements.WHOLE`."""
    seq, device, message_id, content, ttl, name, encoding, payload_format, topic, *rest = row
    correlation_data, response_topic, user_properties, created_at, expires_at, *outcome = rest
    draft = Draft(
        message_id,
        content,
        ttl,
        name,
        encoding,
        payload_format,
        topic,
        correlation_data,
        response_topic,
        tuple((name, value) for name, value in json.loads(user_properties)) if user_properties else (),
    )
    return Message(device, draft, created_at, expires_at, seq, read_outcome(*outcome))


def read_some(rows: Iterable[Row], most: int) -> list[Message]:
    """Messages until their content has `most` characters; at least one if there is one."""
    found: list[Message] = []
    size = 0
    for row in rows:
        found.append(read_message(row))
        size += len(found[-1].draft.content)
        if size >= most:
            break
    return found


def read_outcome(
    status: str, finished_at: int, acknowledged_by: str | None, failure: str | None, detail: str | None
) -> Outcome | None:
    if status == Status.PENDING:
        return None
    return Outcome(
        Status(status),
        finished_at,
        AcknowledgedBy(acknowledged_by) if acknowledged_by else None,
        Failure(failure) if failure else None,
        detail,
    )


def read_device(row: Row) -> Device:
    """From `statements.DEVICE_COLUMNS`."""
    key, project, device_id, secret, frozen, created_at = row
    return Device(key, project, device_id, secret, bool(frozen), created_at)
