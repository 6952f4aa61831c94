"""What is said about a field besides its type, as keywords of JSON Schema, made from what its parser checks it with.

    name: Annotated[str, shown(NAME, "What people call it.")] | None = None

These keywords are shown, not enforced: the parser refuses in its own words. tests/acceptance/test_hostile_fields.py
holds the two together: it sends what the document forbids, and has to be refused.
"""

import re
from typing import Any

import msgspec

REQUIRED = "x-required"
"""Marks a field that its type takes as optional, so that the parser can refuse in its own words; openapi.py takes it
away. For a structure it stands around the union with None: msgspec describes a structure apart from its field."""

NOT_NULL: dict[str, Any] = {"type": ["string", "object", "array", "number", "boolean"], "items": {}}
"""Of a member that may have any value but null. Generators of clients want to know of the items of every array."""

_CLASS = re.compile(r"(\[(?:[^\]\\]|\\.)+\])\{(\d+),(\d+)\}", re.DOTALL)


def shown(
    rule: re.Pattern[str] | None = None, description: str | None = None, *, required: bool = False, **keywords: Any
) -> msgspec.Meta:
    """What the document says about a field; `rule` is what the parser matches the whole value with."""
    if rule is not None:
        keywords = {**text(rule), **keywords}
    if required:
        keywords[REQUIRED] = True
    return msgspec.Meta(description=description, extra_json_schema=keywords or None)


def text(rule: re.Pattern[str]) -> dict[str, Any]:
    """A string that `rule` matches as a whole; a single class of characters is shown apart from how many there are."""
    simple = _CLASS.fullmatch(rule.pattern)
    if simple is None:
        return {"type": "string", "pattern": f"^(?:{rule.pattern})$"}
    characters, least, most = simple.groups()
    lengths = {"minLength": int(least), "maxLength": int(most)}
    return {"type": "string", "pattern": f"^{characters}*$", **{key: n for key, n in lengths.items() if n}}


def integer(least: int, most: int, **keywords: Any) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, **keywords}
