"""CreateMessage that waits for the reply of the device (ours). Pure; the only exception that leaves is `Refusal`."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from bridge.api.iotda.errors import NO_REPLY, bad_parameter
from bridge.api.iotda.query import parameters
from bridge.api.iotda.render import ErrorInfo, Result, ShownUserProperty, error_info_of, result_of
from bridge.api.operation import Parameter
from bridge.api.schema import integer, shown
from bridge.model.message import Draft, Message, Status
from bridge.model.reply import Reply

DEFAULT_TIMEOUT = 10
"""Seconds; less when the configuration allows less."""
_SECONDS = re.compile(r"[0-9]{1,9}")

_PREFERENCE = "wait=10: as wait=reply and timeout=10; the answer has Preference-Applied. Others are ignored (RFC 7240)."

_encode = msgspec.json.Encoder().encode


def wait_parameters(longest: int) -> tuple[Parameter, ...]:
    """What `parse_wait` takes."""
    seconds = integer(1, longest)  # no default: generated clients send that, also without wait
    about = (
        f"Seconds to wait for the reply, {min(DEFAULT_TIMEOUT, longest)} unless given; only with wait=reply or Prefer."
    )
    return (
        Parameter("wait", {"type": "string", "enum": ["reply"]}, "Answer when the device has replied."),
        Parameter("timeout", seconds, about),
        Parameter("Prefer", {"type": "string", "pattern": "^[ -~]*$", "examples": ["wait=10"]}, _PREFERENCE, "header"),
    )


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: int
    preferred: bool = False
    """Asked for by header field: the answer says that it was heard."""


def parse_wait(query: bytes, preferences: Mapping[str, str], longest: int) -> Wait | None:
    """What `?wait=reply&timeout=` or `Prefer: wait=` asks for; None: not to wait. The parameters count first, and are
    refused when they make no sense; a preference is heeded as far as it can be."""
    given = parameters(query) if query else {}
    preferred = preferences.get("wait", "")
    seconds = min(int(preferred), longest) if _SECONDS.fullmatch(preferred) else 0
    if given.get("wait", "reply") != "reply":
        raise bad_parameter("wait", "reply")
    if "timeout" in given:
        if "wait" not in given and not seconds:
            raise bad_parameter("timeout", "only with wait=reply")
        return Wait(_timeout(given["timeout"], longest))
    if seconds:
        return Wait(seconds, preferred=True)
    return Wait(min(DEFAULT_TIMEOUT, longest)) if "wait" in given else None


def _timeout(text: str, longest: int) -> int:
    if not _SECONDS.fullmatch(text) or not 1 <= int(text) <= longest:
        raise bad_parameter("timeout", f"seconds, 1 to {longest}")
    return int(text)


def check_response_topic(draft: Draft) -> None:
    """Nobody can reply on a topic with wildcards, which the vendor's rule allows [MQTT-3.3.2-14]."""
    if {"+", "#"} & set(draft.response_topic or ""):
        raise bad_parameter("properties.response_topic", "no wildcards (+ and #) when the call waits for the reply")


class ReplyBody(msgspec.Struct, omit_defaults=True):
    topic: str
    payload: str
    encoding: Annotated[Literal["none", "base64"], shown(None, "Of the payload; none: it is text.")]
    latency_ms: int
    content_type: str | None = None
    user_properties: list[ShownUserProperty] | None = None


class Replied(msgspec.Struct):
    message_id: str
    result: Result
    reply: ReplyBody


class NoReply(msgspec.Struct, omit_defaults=True):
    error_code: Annotated[str, shown(None, "The device did not reply in time.", enum=[NO_REPLY])]
    error_msg: str
    message_id: str
    result: Result
    error_info: ErrorInfo | None = None


def render_reply(message: Message, reply: Reply) -> bytes:
    """The answer to CreateMessage, and what the device said."""
    payload, encoding = _text(reply.payload)
    pairs = [ShownUserProperty(key, value) for key, value in reply.user_properties] or None
    body = ReplyBody(reply.topic, payload, encoding, reply.latency, reply.content_type, pairs)
    return _encode(Replied(message.draft.message_id, result_of(message), body))


def _text(payload: bytes) -> tuple[str, Literal["none", "base64"]]:
    try:
        return payload.decode(), "none"
    except UnicodeDecodeError:
        return base64.b64encode(payload).decode(), "base64"


_WHY = {
    Status.PENDING: "The message still waits for it",
    Status.DELIVERED: "It has taken the message",
    Status.FAILED: "The message has failed",
    Status.TIMEOUT: "The message has expired",
}


def render_no_reply(message: Message) -> bytes:
    """The error, with the state of the message."""
    info = error_info_of(message.outcome) if message.outcome is not None else None
    text = f"The device did not reply. {_WHY[message.status]}{f': {info.error_msg}' if info else ''}."
    return _encode(NoReply(NO_REPLY, text, message.draft.message_id, result_of(message), info))
