"""JSON of an application → what the core speaks. Pure; the only exception that leaves is `Refusal`.

Of a repeated key the last one counts. Unknown keys are ignored, as the vendor does. null is the same as absent: its SDK
sends nulls. The message itself is never decoded and encoded again: its text is kept as it came.
"""

import binascii
import re
from typing import Annotated

import msgspec

from bridge.api.fields import text_of
from bridge.api.iotda.errors import BAD_TIME, BAD_TOPIC, bad_parameter
from bridge.api.iotda.json_text import MAX_DEPTH, check_depth, decode
from bridge.api.iotda.times import FORMS, WRITTEN, parse_time
from bridge.api.iotda.uuid7 import uuid7
from bridge.api.schema import NOT_NULL, shown
from bridge.model.clock import Clock, system_clock
from bridge.model.message import Draft

MAX_PAYLOAD = 262_144
DEFAULT_TTL = 1440
"""Minutes; less when the configuration allows less."""
TTL_STEP = 5
MAX_AHEAD = 7 * 86_400_000
"""Milliseconds from now to `send_at`."""
MAX_USER_PROPERTIES = 20
ENCODINGS = ("none", "base64")
PAYLOAD_FORMATS = ("standard", "raw")
MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")

CHINESE = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
MARKS = r"_?'#().,&%@!-"
_NAME = re.compile(f"[A-Za-z0-9{CHINESE}{MARKS}]{{0,128}}")
_PROPERTY_KEY = re.compile(r"[A-Za-z0-9_-]{0,128}")
_PROPERTY_VALUE = re.compile(f"[A-Za-z0-9 {CHINESE}{MARKS}]{{0,128}}")
_CORRELATION_DATA = re.compile(r"[A-Za-z0-9_-]{0,128}")
_RESPONSE_TOPIC = re.compile(r"[A-Za-z0-9_?=$#+/-]{0,128}")
TOPIC = re.compile("[^+#\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]{1,128}")
"""Without wildcards [MQTT-3.3.2-2] and NUL [MQTT-1.5.4-2], and without the characters that a receiver may take for a
malformed packet (MQTT 5, section 1.5.4): one message must not cost a device its connection."""


_MESSAGE = f"The payload has at most {MAX_PAYLOAD} bytes; objects and arrays nest at most {MAX_DEPTH} levels."
_FORMAT = "standard: the payload is an object of name, id and content; raw: the message alone. Without base64 only."
_SEND_AT = "Not sent before this time, UTC, which is at most 7 days ahead; ttl, not 0, counts from there."
_SUFFIX = "Suffix below $oc/devices/{id}/user/ of the device, or of the gateway that it is behind."
_TTL = "Minutes that the message waits for its device; 0: deliver now or not at all."


class UserProperty(msgspec.Struct):
    """As it is given; what is absent is empty."""

    prop_key: Annotated[str, shown(_PROPERTY_KEY)] | None = None
    prop_value: Annotated[str, shown(_PROPERTY_VALUE)] | None = None


class Properties(msgspec.Struct):
    correlation_data: Annotated[str, shown(_CORRELATION_DATA)] | None = None
    response_topic: Annotated[str, shown(_RESPONSE_TOPIC)] | None = None
    user_properties: (
        Annotated[list[UserProperty], shown(None, "In order, repeats kept.", maxItems=MAX_USER_PROPERTIES)] | None
    ) = None


class MessageBody(msgspec.Struct):
    """The body of CreateMessage; types only, the rules are in `draft_of`."""

    message_id: Annotated[str, shown(MESSAGE_ID, "Unique for the device; generated when absent.")] | None = None
    name: Annotated[str, shown(_NAME)] | None = None
    message: Annotated[
        msgspec.Raw,
        shown(None, _MESSAGE, required=True, maxLength=4 * -(-MAX_PAYLOAD // 3), **NOT_NULL),
    ] = msgspec.field(default_factory=msgspec.Raw)
    properties: Properties | None = None
    encoding: Annotated[str, shown(None, "base64: the decoded bytes are the payload.", enum=ENCODINGS)] | None = None
    payload_format: Annotated[str, shown(None, _FORMAT, enum=PAYLOAD_FORMATS)] | None = None
    topic: Annotated[str, shown(TOPIC, _SUFFIX)] | None = None
    topic_full_name: Annotated[str, shown(TOPIC, "Any other topic; not together with topic.")] | None = None
    ttl: Annotated[int, shown(None, _TTL, minimum=0, multipleOf=TTL_STEP)] | None = None
    send_at: Annotated[str, shown(WRITTEN, _SEND_AT)] | None = None


EXAMPLE = {
    "message_id": "m-1",
    "name": "brightness",
    "message": {"brightness": 7},
    "properties": {
        "correlation_data": "c-1",
        "response_topic": "answers",
        "user_properties": [{"prop_key": "color", "prop_value": "red"}],
    },
    "encoding": "none",
    "payload_format": "raw",
    "topic": "light",
    "ttl": 60,
}


def ttl_limits(max_ttl: int) -> dict[str, int]:
    """What the configuration says about `ttl`, in JSON Schema."""
    return {"maximum": max_ttl, "default": min(DEFAULT_TTL, max_ttl)}


_BODY = msgspec.json.Decoder(MessageBody)
_STRING = msgspec.json.Decoder(str)


def parse_message(body: bytes, max_ttl: int, clock: Clock = system_clock) -> Draft:
    """The draft that the body of CreateMessage asks for. A message without an id gets a time-ordered one."""
    return draft_of(decode(body, _BODY), max_ttl, clock)


def draft_of(fields: MessageBody, max_ttl: int, clock: Clock = system_clock) -> Draft:
    """The rules for every field. Refusals: 000006 naming the field, 000009 for a time that is none, 014150 for a choice
    of topic that cannot be. `clock` is asked when there is a time."""
    encoding, payload_format = _form(fields)
    draft = Draft(
        message_id=uuid7() if fields.message_id is None else _message_id(fields.message_id),
        content=_content(text_of(fields.message), base64=encoding == "base64"),
        ttl=min(DEFAULT_TTL, max_ttl) if fields.ttl is None else check_ttl(fields.ttl, max_ttl),
        name=fields.name,
        encoding=encoding,
        payload_format=payload_format,
        topic=fields.topic_full_name,
        suffix=fields.topic,
    )
    _check_topics(draft)
    if fields.name and not _NAME.fullmatch(fields.name):
        raise bad_parameter("name", f"at most 128 letters, digits, Chinese characters and {MARKS}")
    if fields.properties is not None:
        _add_properties(draft, fields.properties)
    if fields.send_at is not None:
        draft.send_at = _send_at(fields.send_at, draft.ttl, clock())
    return draft


def _message_id(value: str) -> str:
    if not MESSAGE_ID.fullmatch(value):
        raise bad_parameter("message_id", "1 to 128 letters, digits, _ and -")
    return value


def _form(fields: MessageBody) -> tuple[str | None, str | None]:
    """encoding and payload_format; the latter says nothing about base64, so it is dropped there."""
    if fields.encoding is not None and fields.encoding not in ENCODINGS:
        raise bad_parameter("encoding", " or ".join(ENCODINGS))
    if fields.encoding == "base64":
        return "base64", None
    if fields.payload_format is not None and fields.payload_format not in PAYLOAD_FORMATS:
        raise bad_parameter("payload_format", " or ".join(PAYLOAD_FORMATS))
    return fields.encoding, fields.payload_format


def _content(text: bytes | None, *, base64: bool) -> str:
    """The JSON text of the message, checked for kind, size and depth."""
    if text is None:
        raise bad_parameter("message", "required, any JSON but null")
    if base64:
        _check_base64(text)
    elif len(text) > MAX_PAYLOAD:  # escapes only make the text longer than what it stands for
        _check_size(len(_STRING.decode(text).encode()) if text[:1] == b'"' else len(text))
    if text[:1] in {b"{", b"["}:
        check_depth(text)
    return text.decode()


def _check_base64(text: bytes) -> None:
    """RFC 4648, section 4: its alphabet, its padding, nothing else."""
    if text[:1] != b'"':
        raise bad_parameter("message", "a string of Base64 when encoding is base64")
    try:
        payload = binascii.a2b_base64(_STRING.decode(text), strict_mode=True)
    except ValueError:
        raise bad_parameter("message", "valid Base64 when encoding is base64") from None
    _check_size(len(payload))


def _check_size(payload: int) -> None:
    if payload > MAX_PAYLOAD:
        raise bad_parameter("message", f"at most {MAX_PAYLOAD} bytes")


def check_ttl(value: int, max_ttl: int) -> int:
    if not 0 <= value <= max_ttl or value % TTL_STEP:
        raise bad_parameter("ttl", f"minutes, 0 to {max_ttl}, a multiple of {TTL_STEP}")
    return value


def _send_at(text: str, ttl: int, now: int) -> int:
    try:
        moment = parse_time(text)
    except ValueError:
        raise bad_parameter("send_at", FORMS, BAD_TIME) from None
    if not ttl:
        raise bad_parameter("send_at", "not together with ttl 0, which does not wait")
    if moment.last < now or moment.first > now + MAX_AHEAD:
        raise bad_parameter("send_at", "not in the past, and at most 7 days ahead")
    return moment.first


def _check_topics(draft: Draft) -> None:
    """Whether the full topic is the device's to have, only the core knows: that depends on what it is behind."""
    if draft.suffix is not None:
        if draft.topic is not None:
            raise bad_parameter("topic", "not together with topic_full_name", BAD_TOPIC)
        check_topic("topic", draft.suffix)
    if draft.topic is not None:
        check_topic("topic_full_name", draft.topic)
        if draft.topic.startswith("$share/"):
            raise bad_parameter("topic_full_name", "a topic, and $share/ begins a shared subscription", BAD_TOPIC)


def check_topic(field: str, topic: str) -> None:
    if not TOPIC.fullmatch(topic):
        raise bad_parameter(field, "1 to 128 characters, no wildcards (+ and #), no control characters")


def _add_properties(draft: Draft, given: Properties) -> None:
    if given.correlation_data and not _CORRELATION_DATA.fullmatch(given.correlation_data):
        raise bad_parameter("properties.correlation_data", "at most 128 letters, digits, _ and -")
    if given.response_topic and not _RESPONSE_TOPIC.fullmatch(given.response_topic):
        raise bad_parameter("properties.response_topic", "at most 128 letters, digits and _?=$#+/-")
    draft.correlation_data = given.correlation_data
    draft.response_topic = given.response_topic
    if given.user_properties:
        draft.user_properties = _user_properties(given.user_properties)


def _user_properties(given: list[UserProperty]) -> tuple[tuple[str, str], ...]:
    if len(given) > MAX_USER_PROPERTIES:
        raise bad_parameter("properties.user_properties", f"at most {MAX_USER_PROPERTIES}")
    pairs = tuple((each.prop_key or "", each.prop_value or "") for each in given)
    for number, (key, value) in enumerate(pairs):
        where = f"properties.user_properties[{number}]"
        if not _PROPERTY_KEY.fullmatch(key):
            raise bad_parameter(f"{where}.prop_key", "at most 128 letters, digits, _ and -")
        if not _PROPERTY_VALUE.fullmatch(value):
            raise bad_parameter(
                f"{where}.prop_value", f"at most 128 letters, digits, Chinese characters, spaces and {MARKS}"
            )
    return pairs
