"""Members of requests that the vendor has and this daemon has not. Ignoring one would do something else than its sender
asked for, so each is refused by name. tests/api/test_sdk_members.py finds those that a new SDK brings."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec

from bridge.api.fields import text_of
from bridge.api.iotda.errors import bad_parameter
from bridge.api.schema import shown

_EMPTY: dict[str, Any] = {
    "type": ["null", "string", "array", "object"],
    "maxLength": 0,
    "maxItems": 0,
    "maxProperties": 0,
    "items": {},
}
Unsupported: TypeAlias = Annotated[msgspec.Raw, shown(None, "Not supported; refused unless empty.", **_EMPTY)]
"""With the default `nothing()`."""


def nothing() -> msgspec.Raw:
    """The default of a member that is `Unsupported`."""
    field: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    return field


def refuse_unsupported(fields: msgspec.Struct, reasons: Mapping[str, str], place: str = "") -> None:
    """Refusal for the first of these members that asks for something: that is not null and not empty.

    `reasons`: name → why, half a sentence. `place`: the path of `fields` in the body, with a dot at its end.
    """
    for name, reason in reasons.items():
        if not _is_empty(text_of(getattr(fields, name))):
            raise bad_parameter(f"{place}{name}", f"not supported; {reason}")


def _is_empty(text: bytes | None) -> bool:
    if text is None or text == b'""':
        return True
    return text[:1] in {b"[", b"{"} and not text[1:-1].strip()
