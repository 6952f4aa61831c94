"""What the core says → JSON of this dialect. Pure."""

from collections.abc import Sequence

import msgspec

from bridge.api.iotda.errors import FAILURES
from bridge.model import times
from bridge.model.message import Draft, Message, Outcome

compact = times.compact
_encode = msgspec.json.Encoder().encode


class Result(msgspec.Struct, omit_defaults=True):
    status: str
    created_time: str
    finished_time: str | None = None


class Created(msgspec.Struct):
    message_id: str
    result: Result


class ErrorInfo(msgspec.Struct):
    error_code: str
    error_msg: str


class UserProperty(msgspec.Struct):
    prop_key: str
    prop_value: str


class Properties(msgspec.Struct, omit_defaults=True):
    correlation_data: str | None = None
    response_topic: str | None = None
    user_properties: list[UserProperty] | None = None


class DeviceMessage(msgspec.Struct, omit_defaults=True):
    message_id: str
    message: msgspec.Raw
    status: str
    created_time: str
    name: str | None = None
    encoding: str | None = None
    payload_format: str | None = None
    topic: str | None = None
    properties: Properties | None = None
    error_info: ErrorInfo | None = None
    finished_time: str | None = None
    acknowledged_by: str | None = None


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


def _properties(draft: Draft) -> Properties | None:
    pairs = [UserProperty(key, value) for key, value in draft.user_properties] or None
    if pairs is None and draft.correlation_data is None and draft.response_topic is None:
        return None
    return Properties(draft.correlation_data, draft.response_topic, pairs)


def _error_info(outcome: Outcome) -> ErrorInfo | None:
    if outcome.failure is None:
        return None
    return ErrorInfo(FAILURES[outcome.failure], outcome.detail or outcome.failure.value)
