"""What a schema forbids, as JSON texts and as texts of a query: one list of each kind of limit."""

import json
import re
from collections.abc import Iterator
from typing import TypeAlias

from tests.acceptance.described import Schema

Case: TypeAlias = tuple[str, bytes]
"""(what it is, JSON text or something that is none)."""

OF_TYPE = {
    "boolean": b"true",
    "integer": b"7",
    "string": b'"text"',
    "array": b"[[]]",
    "object": b"{}",
    "null": b"null",
}
NEVER = {
    "nan": b"NaN",
    "infinity": b"-Infinity",
    "leading zero": b"007",
    "single quotes": b"'text'",
    "no value": b"",
    "unfinished literal": b"tru",
    "unfinished string": b'"text',
    "unfinished list": b"[1",
    "raw control character": b'"a\x00b"',
    "raw line feed": b'"a\nb"',
    "unknown escape": b'"\\x41"',
    "lone surrogate": b'"\\ud800"',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "UTF-8 cut short": b'"\xc3"',
    "overlong UTF-8": b'"\xc0\x80"',
    "UTF-8 surrogate": b'"\xed\xa0\x80"',
    "Latin-1": b'"caf\xe9"',
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "5,000 digits": b"9" * 5000,
    "5,000 decimals": b"0." + b"1" * 5000,
    "beyond a double": b"1e400",
}
"""Nothing that any field takes, but for what is a number to JSON."""
NUMBERS = ("5,000 digits", "5,000 decimals", "beyond a double")
CHARACTERS = ["\0", "\n", "\x7f", " ", "/", '"', "\\", "<", "é", "\u202e", "\uffff", "\U0001f600", "\U000e0001"]


def forbidden(kinds: list[Schema], *, required: bool) -> Iterator[Case]:
    """For a field that may be one of these."""
    allowed = {name for kind in kinds for name in types_of(kind)}
    if "number" in allowed:
        allowed.add("integer")
    yield from ((what, text) for what, text in NEVER.items() if "number" not in allowed or what not in NUMBERS)
    for name, text in OF_TYPE.items():
        if name not in allowed and (name != "null" or required):
            yield f"a {name}", text
    if "boolean" not in allowed and "string" not in allowed and "integer" in allowed:
        yield "a fraction", b"1.5"
        yield "a number in a string", b'"5"'
    for kind in kinds:
        if "string" in types_of(kind):
            yield from ((what, json.dumps(text).encode()) for what, text in strings(kind))
        if "integer" in types_of(kind):
            yield from ((f"the number {number}"[:40], str(number).encode()) for number in integers(kind))
        if "maxItems" in kind:
            yield "too many", b"[" + b",".join([b"{}"] * (kind["maxItems"] + 1)) + b"]"


def types_of(kind: Schema) -> list[str]:
    found = kind.get("type", [])
    return [found] if isinstance(found, str) else list(found)


def strings(kind: Schema) -> Iterator[tuple[str, str]]:
    good = "1" * max(1, kind.get("minLength", 0))
    if "enum" in kind:
        candidates = ["", "nonsense", kind["enum"][-1].swapcase(), kind["enum"][-1] + "\n"]
        yield from (("no choice", text) for text in candidates if text not in kind["enum"])
    if "maxLength" in kind:
        yield "too long", "1" * (kind["maxLength"] + 1)
    if kind.get("minLength"):
        yield "too short", "1" * (kind["minLength"] - 1)
    if "pattern" in kind:
        pattern = re.compile(kind["pattern"].removesuffix("$") + r"\Z")
        candidates = [character * len(good) for character in CHARACTERS] + [good + "\n", "\n" + good]
        yield from ((f"the text {text!r}", text) for text in candidates if not pattern.match(text))


def integers(kind: Schema) -> Iterator[int]:
    if "minimum" in kind:
        yield from (kind["minimum"] - 1, -(2**63), -(10**30))
    if "maximum" in kind:
        step = kind.get("multipleOf", 1)
        yield from (kind["maximum"] + step, 2**31 * step, 2**63, 2**64, 10**30)
    if "multipleOf" in kind:
        yield kind["minimum"] + 1


def forbidden_in_query(schema: Schema) -> Iterator[str]:
    """Percent-encoded."""
    yield "%ff"  # not UTF-8
    yield "%ed%a0%80"
    if "string" not in types_of(schema):
        yield from ("", "nonsense", "1.5", "1e1", "0x1", "%20", "%00", "9" * 5000, "%D9%A3", "NaN", "-0", "+1", "[]")
    for number in integers(schema) if "integer" in types_of(schema) else ():
        yield str(number)
    for _, text in strings(schema) if "string" in types_of(schema) else ():
        yield "".join(f"%{byte:02x}" for byte in text.encode())
