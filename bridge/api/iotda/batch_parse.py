"""JSON about batch tasks → what the core speaks. Pure; the only exception that leaves is `Refusal`.

Unknown keys are ignored and null is the same as absent, as everywhere in this dialect. What would change what happens
and is not done here is refused.
"""

import re
from collections.abc import Mapping
from typing import Annotated, TypeAlias

import msgspec

from bridge.api.iotda.device_parse import ID, SHORT_ID, Rule, checked
from bridge.api.iotda.device_query import TIME, parse_time
from bridge.api.iotda.errors import BAD_TOPIC, Refusal, bad_parameter
from bridge.api.iotda.json_text import decode
from bridge.api.iotda.parse import CHINESE, EXAMPLE, MessageBody, draft_of
from bridge.api.iotda.unsupported import Unsupported, nothing, refuse_unsupported
from bridge.api.schema import integer, shown
from bridge.model.batch import Document, Policy, TaskOrder

MAX_TARGETS = 30_000
TARGETS_SIZE = 4 * 1024 * 1024
"""Bytes that MAX_TARGETS of the longest ids take as JSON, rounded up."""
MAX_CHOSEN = 100
CREATE_MESSAGES = "createMessages"
LATEST_START = 7 * 86_400_000
MAX_RETRIES = 5
MAX_INTERVAL = 1440
NAME = Rule(re.compile(f"[A-Za-z0-9_{CHINESE}]{{1,128}}"), "1 to 128 letters, digits, Chinese characters and _")
_PLACE = "Invalid input data. "
_DOCUMENT = "The fields of a message, but not send_at; topic_full_name is not below $oc/devices/."
_NAMED = "the devices have to be named in targets"
_NO_UPGRADE = "it is for upgrades of software and firmware"
_UNSUPPORTED = {
    "targets_filter": _NAMED,
    "document_source": _NAMED,
    "task_mode": _NO_UPGRADE,
    "task_ext_info": _NO_UPGRADE,
}

Targets: TypeAlias = Annotated[list[Annotated[str, shown(ID.pattern)]], shown(None, minItems=1, maxItems=MAX_TARGETS)]
Chosen: TypeAlias = Annotated[
    list[Annotated[str, shown(ID.pattern)]], shown(None, "All unless given.", minItems=1, maxItems=MAX_CHOSEN)
]


class TaskPolicy(msgspec.Struct):
    schedule_time: Annotated[str, shown(TIME, "UTC, within 7 days; one that has passed: at once.")] | None = None
    retry_count: Annotated[int, shown(None, "Together with retry_interval.", **integer(0, MAX_RETRIES))] | None = None
    retry_interval: Annotated[int, shown(None, "Minutes.", **integer(0, MAX_INTERVAL))] | None = None


class CreateBatchTask(msgspec.Struct):
    """The body of CreateBatchTask; types only, the rules are in `order_of`."""

    app_id: Annotated[str, shown(SHORT_ID.pattern)] | None = None
    task_name: Annotated[str, shown(NAME.pattern, required=True)] | None = None
    task_type: Annotated[str, shown(None, required=True, enum=[CREATE_MESSAGES])] | None = None
    need_confirm: Annotated[bool, shown(None, "Refused when true.")] | None = None
    targets: Annotated[Targets, shown(required=True)] | None = None
    targets_filter: Unsupported = nothing()
    document: Annotated[MessageBody | None, shown(None, _DOCUMENT, required=True)] = None
    document_source: Unsupported = nothing()
    task_policy: TaskPolicy | None = None
    task_mode: Unsupported = nothing()
    task_ext_info: Unsupported = nothing()


class BatchTargets(msgspec.Struct):
    targets: Chosen | None = None


EXAMPLES: Mapping[type, Mapping[str, object]] = {
    CreateBatchTask: {
        "app_id": "house",
        "task_name": "Good_morning",
        "task_type": CREATE_MESSAGES,
        "need_confirm": False,
        "targets": ["lamp"],
        "document": EXAMPLE,
        "task_policy": {"schedule_time": "20260102T030405Z", "retry_count": 2, "retry_interval": 5},
    },
    BatchTargets: {"targets": ["lamp"]},
}

_CREATE = msgspec.json.Decoder(CreateBatchTask)
_TARGETS = msgspec.json.Decoder(BatchTargets)


def parse_order(body: bytes, now: int, max_ttl: int) -> TaskOrder:
    """The body of CreateBatchTask. Refusals: 000006 naming the field, 000009 for a time that is none."""
    return order_of(decode(body, _CREATE), now, max_ttl)


def order_of(fields: CreateBatchTask, now: int, max_ttl: int) -> TaskOrder:
    """The rules for every field. Whether the devices exist is seen when it is their turn."""
    name = checked("task_name", fields.task_name, NAME)
    if name is None:
        raise bad_parameter("task_name", f"required, {NAME.words}")
    if fields.task_type != CREATE_MESSAGES:
        raise bad_parameter("task_type", f"required, {CREATE_MESSAGES}; no other is supported")
    refuse_unsupported(fields, _UNSUPPORTED)
    if fields.need_confirm:
        raise bad_parameter("need_confirm", "false; a task that waits to be confirmed is not supported")
    return TaskOrder(
        name,
        _checked_targets(fields.targets or [], MAX_TARGETS),
        _document(fields.document, max_ttl),
        _policy(fields.task_policy or TaskPolicy(), now),
        checked("app_id", fields.app_id, SHORT_ID),
    )


def parse_chosen(body: bytes) -> tuple[str, ...] | None:
    """The body of StopBatchTask and RetryBatchTask, which may be empty. None: no targets named, which means all."""
    targets = decode(body or b"{}", _TARGETS).targets
    if targets is None:
        return None
    return _checked_targets(targets, MAX_CHOSEN)


def _checked_targets(targets: list[str], most: int) -> tuple[str, ...]:
    if not 1 <= len(targets) <= most:
        raise bad_parameter("targets", f"1 to {most} device ids")
    for index, target in enumerate(targets):
        if not ID.pattern.fullmatch(target):
            raise bad_parameter(f"targets[{index}]", ID.words)
    return tuple(targets)


def _document(fields: MessageBody | None, max_ttl: int) -> Document:
    """The message, by the rules of CreateMessage."""
    if fields is None:
        raise bad_parameter("document", "required, an object with the fields of a message")
    if fields.send_at is not None:
        raise bad_parameter("document.send_at", "not supported, task_policy.schedule_time says when the task begins")
    if (fields.topic_full_name or "").startswith("$oc/devices/"):
        raise bad_parameter("document.topic_full_name", "not below the topics of one device", BAD_TOPIC)
    try:
        draft = draft_of(fields, max_ttl)
    except Refusal as refusal:
        raise Refusal(refusal.status, refusal.code, refusal.text.replace(_PLACE, f"{_PLACE}document.", 1)) from None
    draft.message_id = fields.message_id or ""
    draft.suffix = None
    return Document(draft, fields.topic)


def _policy(fields: TaskPolicy, now: int) -> Policy:
    if (fields.retry_count is None) != (fields.retry_interval is None):
        raise bad_parameter("task_policy", "retry_count and retry_interval only together")
    return Policy(
        _start(fields.schedule_time, now),
        _bounded("task_policy.retry_count", fields.retry_count or 0, MAX_RETRIES),
        _bounded("task_policy.retry_interval", fields.retry_interval or 0, MAX_INTERVAL),
    )


def _start(text: str | None, now: int) -> int | None:
    """A time that has passed means at once."""
    start = parse_time("task_policy.schedule_time", text)
    if start is not None and start > now + LATEST_START:
        raise bad_parameter("task_policy.schedule_time", "within 7 days")
    return start


def _bounded(field: str, value: int, most: int) -> int:
    if not 0 <= value <= most:
        raise bad_parameter(field, f"0 to {most}")
    return value
