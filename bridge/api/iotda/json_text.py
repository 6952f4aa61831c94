"""Bytes of a body → a checked structure. Pure; the only exception that leaves is `Refusal`."""

import re
from typing import TypeVar

import msgspec

from bridge.api.iotda.errors import Refusal, bad_parameter
from bridge.api.json_depth import nests_deeper

MAX_DEPTH = 64
"""Levels of objects and arrays in a message, the outermost included: those who receive it have their limits too."""

T = TypeVar("T")

_WHERE = re.compile(r" - at `\$\.?(.*)`", re.DOTALL)


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The structure. Refusals: 000008 when it is no JSON object in UTF-8, 000006 for a field of another type."""
    if not body.isascii():
        _check_utf8(body)  # msgspec does not look inside what it skips
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _wrong_type(str(error)) from None
    except msgspec.DecodeError as error:
        raise _malformed(str(error).removeprefix("JSON is malformed: ")) from None
    except RecursionError:  # where exactly depends on the Python
        raise _malformed("nested too deep") from None


def check_depth(text: bytes) -> None:
    """Refuses well-formed JSON that nests deeper than MAX_DEPTH."""
    if nests_deeper(text, MAX_DEPTH):
        raise _malformed(f"nested deeper than {MAX_DEPTH} levels")


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise _malformed(f"not UTF-8 at byte {error.start}") from None


def _malformed(why: str) -> Refusal:
    return Refusal(400, "IOTDA.000008", f"Invalid JSON: {why}.")


def _wrong_type(text: str) -> Refusal:
    """msgspec says "Expected `int | null`, got `str` - at `$.properties.user_properties[...].prop_key`"."""
    what, _, _ = text.partition(" - at ")
    what = what.replace("`", "").replace(" | ", " or ")
    where = _WHERE.search(text)
    if where is None:
        return _malformed(what)
    return bad_parameter(where[1], what[:1].lower() + what[1:])
