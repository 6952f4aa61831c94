"""Ids, query parameters and contents. Pure; the only exception that leaves is `Refusal`."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

from bridge.api.dsps.duration import parse_duration
from bridge.api.dsps.errors import Refusal, invalid, missing, not_json
from bridge.api.json_depth import nests_deeper

DEFAULT_MAX = 64
MOST = 10_000
"""Messages of one answer."""
MAX_DEPTH = 64
"""Levels of objects and arrays in a content, the outermost included: those who receive it have their limits too."""
MAX_LINES = 1000
"""Messages of one batch."""
MAX_JTI = 512
"""Characters."""
LAST_SECOND = 253_402_300_799
"""The end of the year 9999."""

ID = re.compile(r"[0-9a-z][0-9a-z_-]{0,62}")
_MAX_DIGITS = 19
MAX_WANTED = 10**_MAX_DIGITS - 1
"""What `max` may say."""
_MAX = re.compile(f"[+-]?[0-9]{{1,{_MAX_DIGITS}}}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_check_json = msgspec.json.Decoder(msgspec.Raw).decode


def check_id(parameter: str, text: str) -> str:
    if not ID.fullmatch(text):
        raise invalid(parameter)
    return text


def parameters(query: bytes) -> dict[str, str]:
    """Of a repeated one the first counts. What is not UTF-8 is replaced, and so fits none of the grammars."""
    return dict(reversed(parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="replace")))


def parse_timeout(given: dict[str, str], longest: float) -> float:
    """Seconds, silently no more than `longest`; a negative time has passed."""
    try:
        seconds = parse_duration(given.get("timeout", "0"))
    except ValueError:
        raise invalid("timeout") from None
    return min(max(seconds, 0.0), longest)


def parse_max(given: dict[str, str]) -> int:
    """How many messages are wanted, 0 to MOST; more is silently MOST."""
    text = given.get("max")
    if text is None:
        return DEFAULT_MAX
    if not _MAX.fullmatch(text) or int(text) < 0:
        raise invalid("max")
    return min(int(text), MOST)


def parse_ack_handle(given: dict[str, str]) -> str:
    """The handle, not looked at."""
    handle = given.get("ackHandle")
    if not handle:
        raise missing("ackHandle")
    return handle


def parse_content(body: bytes) -> str:
    """The JSON text of a message as it was sent, without the white space around it."""
    try:
        return _json_text(body)
    except ValueError:
        raise not_json() from None


def _json_text(body: bytes) -> str:
    """Error: ValueError."""
    try:
        text = bytes(_check_json(body))
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("no JSON") from None
    if nests_deeper(text, MAX_DEPTH):
        raise ValueError("nested too deep")
    return text.decode()  # msgspec has not looked inside the strings


class Post(NamedTuple):
    """A message to be published."""

    message_id: str
    content: str
    """JSON text."""


class _Line(msgspec.Struct):
    messageID: str
    content: msgspec.Raw


_decode_line = msgspec.json.Decoder(_Line).decode


BATCH_EXAMPLE = '{"messageID": "m-1", "content": {"hello": "world"}}\n{"messageID": "m-2", "content": 2}\n'


def too_many_lines() -> Refusal:
    return Refusal(400, f"More than {MAX_LINES} messages in one request")


def parse_batch(body: bytes) -> list[Post]:
    """One {"messageID", "content"} a line, at most MAX_LINES. A refusal names the line."""
    posts: list[Post] = []
    for number, line in _lines(body):
        if len(posts) == MAX_LINES:
            raise too_many_lines()
        try:
            posts.append(_post(line))
        except Refusal as refusal:
            raise Refusal(400, f"Line {number}: {refusal.text}") from None
    return posts


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Those with something on them, and their numbers; without a copy of the whole."""
    start = number = 0
    while start < len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        number += 1
        line = body[start:end].strip()
        if line:
            yield number, line
        start = end + 1


def _post(line: bytes) -> Post:
    try:
        decoded = _decode_line(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refusal(400, 'Not a JSON object with "messageID" and "content"') from None
    message_id = check_id("messageID", decoded.messageID)
    try:
        return Post(message_id, _json_text(bytes(decoded.content)))
    except ValueError:
        raise Refusal(400, "The content is not JSON") from None


class Revocation(NamedTuple):
    jti: str
    exp: int
    """Seconds since the epoch."""


def parse_revocation(given: dict[str, str]) -> Revocation:
    jti, exp = given.get("jti"), given.get("exp", "")
    if not jti:
        raise missing("jti")
    if len(jti) > MAX_JTI or "\ufffd" in jti:
        raise invalid("jti")
    if not _SECONDS.fullmatch(exp) or int(exp) > LAST_SECOND:
        raise invalid("exp")
    return Revocation(jti, int(exp))
