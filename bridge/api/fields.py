"""Bodies and query strings as every dialect may read them. Pure; NotJson and BadField are all that leaves."""

import re
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from bridge.api.faults import BadField, NotJson

MOST_PARAMETERS = 100
T = TypeVar("T")
_WHERE = re.compile(r" - at `\$\.?(.*)`", re.DOTALL)
MOST_DIGITS = 15
MOST_NUMBER = 10**MOST_DIGITS - 1
_NUMBER = re.compile(f"[0-9]{{1,{MOST_DIGITS}}}")


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The structure. NotJson: no JSON object in UTF-8; BadField: a field of another type."""
    try:
        body.decode()  # msgspec does not look inside what it skips
        return decoder.decode(body)
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8 at byte {error.start}") from None
    except msgspec.ValidationError as error:
        raise _wrong_type(str(error)) from None
    except msgspec.DecodeError as error:
        raise NotJson(f"malformed JSON: {str(error).removeprefix('JSON is malformed: ')}") from None
    except RecursionError:  # where exactly depends on the Python
        raise NotJson("nested too deep") from None


def text_of(raw: msgspec.Raw) -> bytes | None:
    """The JSON text of an optional member of any type; None: it is absent, or null, which is the same everywhere."""
    text = bytes(raw)
    return text if text not in {b"", b"null"} else None


def query_parameters(query: bytes) -> dict[str, str]:
    """Of a repeated one the last counts."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except UnicodeDecodeError:
        raise BadField("query", "percent-encoded UTF-8") from None
    except ValueError:
        raise BadField("query", f"at most {MOST_PARAMETERS} parameters") from None
    return dict(pairs)


def whole_number(field: str, text: str | None) -> int | None:
    """None when it is not given."""
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise BadField(field, f"a whole number of at most {MOST_DIGITS} digits, not negative")
    return int(text)


def _wrong_type(text: str) -> NotJson | BadField:
    """msgspec says "Expected `int | null`, got `str` - at `$.body.text`"."""
    what, _, _ = text.partition(" - at ")
    what = what.replace("`", "").replace(" | ", " or ")
    what = what[:1].lower() + what[1:]
    where = _WHERE.search(text)
    return NotJson(what) if where is None else BadField(where[1], what)
