"""Bodies and queries of the dialect → what the core speaks. Pure; NotJson and BadField are all that leaves.

Unknown fields and parameters are ignored, and so is what the server owns. null is the same as absent.
"""

import re
from typing import Annotated

import msgspec

from bridge.api.faults import BadField
from bridge.api.fields import MOST_NUMBER, decode, query_parameters, whole_number
from bridge.api.operation import Parameter
from bridge.api.schema import integer, shown, text
from bridge.model.device import DEFAULT_PROJECT, PROJECT
from bridge.model.notification import MOST_TEXT, Importance, Notice, Selection

DEFAULT_LIMIT = 100
MOST_LISTED = 10_000
MOST_ONLY = 64
MOST_SEARCHED = 1000
_OBJECT = re.compile("[^\x00-\x1f\x7f-\x9f]{1,128}")
_OBJECT_RULE = "1 to 128 characters, no control characters"


_TEXT = shown(minLength=1, maxLength=MOST_TEXT)


class TextBody(msgspec.Struct):
    text: Annotated[str, _TEXT] | None = None
    type: Annotated[str, shown(enum=["text"])] | None = None


class PostBody(msgspec.Struct):
    """Types only, the rules are in `parse_notice`."""

    id: Annotated[str, shown(_OBJECT, "What it is about: nearly always a device id.", required=True)] | None = None
    importance: Annotated[str, shown(enum=list(Importance), required=True)] | None = None
    text: Annotated[str, _TEXT] | None = None
    body: Annotated[TextBody, shown(description="In place of text; one of the two is required.")] | None = None


class ReadBody(msgspec.Struct):
    read: Annotated[bool, shown(required=True)] | None = None


_MOMENT = integer(0, MOST_NUMBER)
PROJECT_PARAMETER = Parameter("project", text(PROJECT), "For credentials that open every project.")
ONLY = Parameter(
    "only",
    {"type": "string", "pattern": f"^[^,]*(?:,[^,]*){{0,{MOST_ONLY - 1}}}$"},
    "Fields to keep, separated by commas; a dot goes into a field: id,body.text.",
)
SELECTION = (
    Parameter("begin", _MOMENT, "Entered then or later, in milliseconds since the epoch."),
    Parameter("from", _MOMENT, "The same as begin, which decides where both are given."),
    Parameter("end", _MOMENT, "Entered then or earlier."),
    Parameter("to", _MOMENT, "The same as end, which decides where both are given."),
    Parameter("offset", integer(0, MOST_NUMBER, default=0)),
    Parameter("limit", integer(0, MOST_NUMBER, default=DEFAULT_LIMIT), f"More than {MOST_LISTED} is {MOST_LISTED}."),
    Parameter("id", text(_OBJECT), "What they are about: nearly always a device id."),
    Parameter("importance", {"type": "string", "enum": list(Importance)}),
    Parameter("read", {"type": "boolean"}),
    Parameter(
        "search", {"type": "string", "minLength": 1, "maxLength": MOST_SEARCHED}, "Part of the text, in whatever case."
    ),
)
"""Which notifications."""
POST_EXAMPLE = {"id": "lamp", "importance": "important", "text": "The lamp is hot."}
READ_EXAMPLE = {"read": True}


_POST = msgspec.json.Decoder(PostBody)
_READ = msgspec.json.Decoder(ReadBody)


def parse_notice(body: bytes, project: str) -> Notice:
    fields = decode(body, _POST)
    if fields.id is None:
        raise BadField("id", f"required, {_OBJECT_RULE}")
    if fields.importance is None:
        raise BadField("importance", f"required, {_IMPORTANCES}")
    return Notice(project, _object(fields.id), _importance(fields.importance), _text(fields))


def parse_read(body: bytes) -> bool:
    read = decode(body, _READ).read
    if read is None:
        raise BadField("read", "required, true or false")
    return read


def parse_selection(query: bytes) -> Selection:
    given = query_parameters(query)
    about, importance, search = given.get("id"), given.get("importance"), given.get("search")
    if search is not None and not 1 <= len(search) <= MOST_SEARCHED:
        raise BadField("search", f"1 to {MOST_SEARCHED} characters")
    limit = whole_number("limit", given.get("limit"))
    return Selection(
        begin=_moment(given, "begin", "from") or 0,
        end=_moment(given, "end", "to"),
        offset=whole_number("offset", given.get("offset")) or 0,
        limit=DEFAULT_LIMIT if limit is None else min(limit, MOST_LISTED),
        about=None if about is None else _object(about),
        importance=None if importance is None else _importance(importance),
        read=_flag("read", given.get("read")),
        search=search,
    )


def parse_only(query: bytes) -> tuple[tuple[str, ...], ...]:
    """The paths to keep, `a,b.c` as (("a",), ("b", "c")); empty: everything."""
    only = query_parameters(query).get("only", "")
    paths = [path.strip() for path in only.split(",")]
    if len(paths) > MOST_ONLY:
        raise BadField("only", f"at most {MOST_ONLY} fields")
    return tuple(tuple(path.split(".")) for path in paths if path)


def parse_project(query: bytes, own: str | None) -> str:
    """The project that is asked for: the one the credentials belong to, unless they open every project."""
    asked = query_parameters(query).get("project")
    if asked is None:
        return own or DEFAULT_PROJECT
    if not PROJECT.fullmatch(asked):
        raise BadField("project", "1 to 64 letters, digits, _ and -")
    return asked


def _moment(given: dict[str, str], name: str, alias: str) -> int | None:
    """The name decides where both are given."""
    if name in given:
        return whole_number(name, given[name])
    return whole_number(alias, given.get(alias))


def _object(value: str) -> str:
    if not _OBJECT.fullmatch(value):
        raise BadField("id", _OBJECT_RULE)
    return value


_IMPORTANCES = "one of " + ", ".join(Importance)


def _importance(value: str) -> Importance:
    try:
        return Importance(value)
    except ValueError:
        raise BadField("importance", _IMPORTANCES) from None


def _flag(field: str, value: str | None) -> bool | None:
    if value not in {None, "true", "false"}:
        raise BadField(field, "true or false")
    return None if value is None else value == "true"


def _text(fields: PostBody) -> str:
    """Flat, or in a body as it comes back; in both only if they say the same."""
    body = fields.body or TextBody()
    if body.type not in {None, "text"}:
        raise BadField("body.type", "text")
    if None not in {fields.text, body.text} and fields.text != body.text:
        raise BadField("body.text", "the same as text, or one of the two absent")
    where = "text" if fields.body is None or fields.text is not None else "body.text"
    given = body.text if fields.text is None else fields.text
    if given is None or not 1 <= len(given) <= MOST_TEXT:
        raise BadField(where, f"required, 1 to {MOST_TEXT} characters")
    return given
