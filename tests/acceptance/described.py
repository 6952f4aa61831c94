"""The description of the API as the daemon gives it, for tests that are derived from it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

from tests.acceptance.daemon import Daemon

Schema: TypeAlias = dict[str, Any]
Where: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Field:
    """Of the body of a request."""

    where: Where
    schema: Schema
    """Without references."""
    required: bool

    @property
    def name(self) -> str:
        """As errors name it; msgspec does not number the items of a list, and neither does this."""
        return ".".join(part for part in self.where if isinstance(part, str))


@dataclass(frozen=True)
class Described:
    method: str
    path: str
    content: Any
    """The operation in the document."""
    schemas: dict[str, Schema]

    @property
    def id(self) -> str:
        return str(self.content["operationId"])

    @property
    def scopes(self) -> set[str]:
        return {scope for scheme in self.content["security"] for scopes in scheme.values() for scope in scopes}

    @property
    def body(self) -> Any:
        """Schema and example; None if it takes none."""
        return self.content.get("requestBody", {}).get("content", {}).get("application/json")

    @property
    def max_body(self) -> int | None:
        """Bytes, if it says so itself."""
        found = re.fullmatch(r"At most (\d+) bytes\.", self.content["requestBody"].get("description", ""))
        return int(found[1]) if found else None

    def parameters(self, where: str) -> list[Any]:
        return [each for each in self.content["parameters"] if each.get("in") == where]

    def codes(self, status: int) -> set[str]:
        """The error codes that are described for a status."""
        schema = self.content["responses"].get(str(status), {}).get("content", {}).get("application/json", {})
        branches = schema.get("schema", {}).get("allOf", ())
        return {code for each in branches for field in each.get("properties", {}).values() for code in field["enum"]}

    def target(self, names: Mapping[str, str]) -> str:
        """Its path with these names in place of the parameters."""
        return self.path.format_map(names)

    def fields(self) -> Iterator[Field]:
        """Every field of the body, also those in objects and lists."""
        yield from self._fields(self.body["schema"], ())

    def _fields(self, schema: Schema, where: Where) -> Iterator[Field]:
        schema = self.resolved(schema)
        for kind in map(self.resolved, schema.get("anyOf", [schema])):
            for name, inner in kind.get("properties", {}).items():
                yield Field((*where, name), self.resolved(inner), name in kind.get("required", ()))
                yield from self._fields(inner, (*where, name))
            if "items" in kind:
                yield from self._fields(kind["items"], (*where, 0))

    def resolved(self, schema: Schema) -> Schema:
        return self.schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema

    def kinds(self, schema: Schema) -> list[Schema]:
        """What a value may be, each with its limits."""
        return [self.resolved(kind) for kind in self.resolved(schema).get("anyOf", [schema])]


def undescribed(described: list[Described], seen: set[tuple[str, str, int]]) -> list[str]:
    """Of answers (method, target, status), those whose status the description of their operation does not have. What is
    asked of no operation is left out."""
    found = []
    for method, target, status in seen:
        path = unquote(target.partition("?")[0])
        for operation in described:
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation.path))
            asked = operation.method == ("GET" if method == "HEAD" else method) and re.fullmatch(pattern, path)
            if asked and str(status) not in operation.content["responses"]:
                found.append(f"{operation.id}: {target[:200]}: {status}")
    return found


def operations(daemon: Daemon) -> list[Described]:
    with daemon.api() as api:
        document = api.call("GET", "/openapi.json").body
    return [
        Described(method.upper(), path, content, document["components"]["schemas"])
        for path, methods in document["paths"].items()
        for method, content in methods.items()
    ]
