"""What the core says → JSON of this dialect. Pure."""

import re
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec

from bridge.api.iotda.errors import FAILURES
from bridge.api.iotda.query import marker_of
from bridge.api.schema import NOT_NULL, shown
from bridge.model import times
from bridge.model.inquiry import Page
from bridge.model.message import AcknowledgedBy, Draft, Message, Outcome, Status

compact = times.compact
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


class ShownUserProperty(msgspec.Struct):
    prop_key: str
    prop_value: str


class ShownProperties(msgspec.Struct, omit_defaults=True):
    correlation_data: str | None = None
    response_topic: str | None = None
    user_properties: list[ShownUserProperty] | None = None


class DeviceMessage(msgspec.Struct, omit_defaults=True):
    message_id: str
    message: Annotated[msgspec.Raw, shown(**NOT_NULL)]
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
    send_at: str | None = None
    device_id: str | None = None


class DeviceMessages(msgspec.Struct, omit_defaults=True):
    device_id: str
    messages: list[DeviceMessage]
    marker: str | None = None


class ProjectMessages(msgspec.Struct, omit_defaults=True):
    messages: list[DeviceMessage]
    cursor: str | None = None


def render_created(message: Message) -> bytes:
    """The answer to CreateMessage."""
    return _encode(Created(message.draft.message_id, result_of(message)))


def result_of(message: Message) -> Result:
    outcome = message.outcome
    return Result(message.status, compact(message.created_at), compact(outcome.finished_at) if outcome else None)


def render_message(message: Message) -> bytes:
    """The answer to ShowDeviceMessage."""
    return _encode(device_message(message))


def render_messages(device_id: str, messages: Sequence[Message]) -> bytes:
    """The answer to ListDeviceMessages, in the order given."""
    marker = marker_of(messages[-1].seq) if messages else None
    return _encode(DeviceMessages(device_id, [device_message(message) for message in messages], marker))


def device_message(message: Message) -> DeviceMessage:
    """The record as the vendor shows it; the message's own JSON text goes in unchanged. Ours: acknowledged_by,
    send_at."""
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
        properties=properties_of(draft),
        send_at=None if draft.send_at is None else times.precise(draft.send_at),
    )
    if outcome is not None:
        rendered.finished_time = compact(outcome.finished_at)
        rendered.acknowledged_by = outcome.acknowledged_by
        rendered.error_info = error_info_of(outcome)
    return rendered


def render_page(page: Page, cursor: str | None) -> bytes:
    """A page of the messages of a project."""
    return _encode(ProjectMessages([_of_device(*each) for each in page.messages], cursor))


def render_lines(page: Page) -> bytes:
    """The same, a line a message."""
    return b"".join([_encode(_of_device(*each)) + b"\n" for each in page.messages])


def _of_device(device_id: str, message: Message) -> DeviceMessage:
    rendered = device_message(message)
    rendered.device_id = device_id
    return rendered


def properties_of(draft: Draft) -> ShownProperties | None:
    pairs = [ShownUserProperty(key, value) for key, value in draft.user_properties] or None
    if pairs is None and draft.correlation_data is None and draft.response_topic is None:
        return None
    return ShownProperties(draft.correlation_data, draft.response_topic, pairs)


def error_info_of(outcome: Outcome) -> ErrorInfo | None:
    if outcome.failure is None:
        return None
    return ErrorInfo(FAILURES[outcome.failure], outcome.detail or outcome.failure.value)
