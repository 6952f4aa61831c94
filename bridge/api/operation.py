"""What one method of one path takes and answers, said next to its route; openapi.py makes the document of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from starlette.routing import BaseRoute

Keywords: TypeAlias = Mapping[str, Any]
"""Of JSON Schema."""


@dataclass(frozen=True)
class Parameter:
    """Of the query, the path or the header. `schema` holds the limits that its parser enforces, taken from the same
    constants."""

    name: str
    schema: Keywords
    description: str = ""
    where: str = "query"
    """query, path or header."""
    required: bool = False


@dataclass(frozen=True)
class ErrorCode:
    """One way a request can be refused: what the answer says, and which header fields it has for that."""

    status: int
    code: str | None
    """None: the dialect has none for it."""
    text: str
    headers: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Types are those that the parser decodes and the renderer encodes; their fields say their limits, see schema.py.

    A dialect has a function that fills in what all of its operations share, as `bridge.api.iotda.describe` does.
    """

    method: str
    path: str
    """As in the route, with `{names}`."""
    operation_id: str
    """The vendor's name, where it has one."""
    summary: str
    tag: str
    """The heading it stands under."""
    scope: str | None
    """What the token needs; None: no credentials are asked for."""
    parameters: Sequence[Parameter] = ()
    body: type | None = None
    body_required: bool = True
    body_media_type: str = "application/json"
    example: Keywords | str = field(default_factory=dict)
    """A body that is accepted."""
    limits: Mapping[str, Keywords] = field(default_factory=dict)
    """Field of `body` → what the configuration has to say about it."""
    max_body: int | None = None
    """Bytes, where they are not those of every other request."""
    answers: Mapping[int, type | None]
    """Status → the type of the body; None: there is none. Statuses of success, and others that are no errors."""
    media_type: str = "application/json"
    """Of `answers`."""
    also: Mapping[str, type] = field(default_factory=dict)
    """Other media type, by Accept → the type of an answer of success in that form."""
    errors: Sequence[ErrorCode]
    error_body: type
    """A structure, in which `error_code` or `code` is the code."""


class RouteGroup(Protocol):
    """Some routes, and what they are for."""

    def routes(self) -> list[BaseRoute]: ...

    def operations(self) -> list[Operation]:
        """One for each method of each route."""


def in_path(path: str, known: Mapping[str, Parameter]) -> list[Parameter]:
    """Those of `known` that stand between braces in the path of a route."""
    return [known[name] for name in re.findall(r"\{(\w+)\}", path)]
