"""What the core says → JSON of this dialect. Pure."""

import re
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec

from bridge.api.iotda.errors import FAILURES
from bridge.api.iotda.parse import UserProperty
from bridge.api.schema import shown
from bridge.model.message import AcknowledgedBy, Draft, Message, Outcome, Status

_encode = msgspec.json.Encoder().encode


CompactTime: TypeAlias = Annotated[str, shown(re.compile("[0-9]{8}T[0-9]{6}Z"), "UTC", examples=["20260102T030405Z"])]


class Result(msgspec.Struct, omit_defaults=True):
    status: Status
    created_time: CompactTime
    finished_time: CompactTime | None = None


class Created(msgspec.Struct):
    message_id: str
    result: Result


class ErrorInfo(msgspec.Struct):
    error_code: str
    error_msg: str


class ShownProperties(msgspec.Struct, omit_defaults=True):
    correlation_data: str | None = None
    response_topic: str | None = None
    user_properties: list[UserProperty] | None = None


class DeviceMessage(msgspec.Struct, omit_defaults=True):
    message_id: str
    message: Annotated[msgspec.Raw, shown(type=["string", "object"])]
    status: Status
    created_time: CompactTime
    name: str | None = None
    encoding: str | None = None
    payload_format: str | None = None
    topic: str | None = None
    properties: ShownProperties | None = None
    error_info: ErrorInfo | None = None
    finished_time: CompactTime | None = None
    acknowledged_by: AcknowledgedBy | None = None


class DeviceMessages(msgspec.Struct):
    device_id: str
    messages: list[DeviceMessage]


def render_created(message: Message) -> bytes:
    """The answer to CreateMessage."""
    outcome = message.outcome
    result = Result(message.status, compact(message.created_at), compact(outcome.finished_at) if outcome else None)
    return _encode(Created(message.draft.message_id, result))


def render_message(message: Message) -> bytes:
    """The answer to ShowDeviceMessage."""
    return _encode(device_message(message))


def render_messages(device_id: str, messages: Sequence[Message]) -> bytes:
    """The answer to ListDeviceMessages, in the order given."""
    return _encode(DeviceMessages(device_id, [device_message(message) for message in messages]))


def device_message(message: Message) -> DeviceMessage:
    """The record as the vendor shows it; the message's own JSON text goes in unchanged. Ours: acknowledged_by."""
    draft, outcome = message.draft, message.outcome
    rendered = DeviceMessage(
        message_id=draft.message_id,
        message=msgspec.Raw(draft.content.encode()),
        status=message.status,
        created_time=compact(message.created_at),
        name=draft.name,
        encoding=draft.encoding,
        payload_format=draft.payload_format,
        topic=draft.topic,
        properties=_properties(draft),
    )
    if outcome is not None:
        rendered.finished_time = compact(outcome.finished_at)
        rendered.acknowledged_by = outcome.acknowledged_by
        rendered.error_info = _error_info(outcome)
    return rendered


def _properties(draft: Draft) -> ShownProperties | None:
    pairs = [UserProperty(key, value) for key, value in draft.user_properties] or None
    if pairs is None and draft.correlation_data is None and draft.response_topic is None:
        return None
    return ShownProperties(draft.correlation_data, draft.response_topic, pairs)


def _error_info(outcome: Outcome) -> ErrorInfo | None:
    if outcome.failure is None:
        return None
    return ErrorInfo(FAILURES[outcome.failure], outcome.detail or outcome.failure.value)


def compact(milliseconds: int) -> str:
    """`yyyyMMdd'T'HHmmss'Z'`, UTC. Input: milliseconds since the epoch."""
    return _compact(milliseconds // 1000)


@lru_cache(maxsize=1024)
def _compact(seconds: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))
