"""The types of requests and answers as schemas."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from bridge.api.operation import ErrorCode, Keywords, Operation
from bridge.api.schema import REQUIRED

Json: TypeAlias = dict[str, Any]

_CODES = ("error_code", "code")
_TEMPLATE = "#/components/schemas/{name}"


class Components:
    """Every type that some operations take or answer with; `schemas` is by name."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        used = list(dict.fromkeys(kind for operation in operations for kind in _types(operation)))
        references, self.schemas = msgspec.json.schema_components(used, ref_template=_TEMPLATE)
        self._references: dict[type, Json] = dict(zip(used, references, strict=True))
        leaving_out = {kind.__name__ for kind in _structs(used) if kind.__struct_config__.omit_defaults}
        for name, schema in self.schemas.items():
            _finish(schema, never_null=name in leaving_out)
        for operation in operations:
            if operation.body is not None:
                self._narrow(operation.body, operation.limits)

    def reference(self, kind: type) -> Json:
        return self._references[kind]

    def error(self, body: type, errors: Sequence[ErrorCode]) -> Json:
        """One of these errors."""
        codes = list(dict.fromkeys(error.code for error in errors if error.code is not None))
        if not codes:
            return self.reference(body)
        code = next(field.name for field in msgspec.structs.fields(body) if field.name in _CODES)
        return {"allOf": [self.reference(body), {"properties": {code: {"enum": codes}}}]}

    def _narrow(self, body: type, limits: Mapping[str, Keywords]) -> None:
        for name, keywords in limits.items():
            field = self.schemas[body.__name__]["properties"][name]
            _kinds(field)[0].update(keywords)


def _types(operation: Operation) -> Iterable[type]:
    answers = (kind for kind in operation.answers.values() if kind is not None)
    return [
        *answers,
        *operation.also.values(),
        operation.error_body,
        *([operation.body] if operation.body is not None else ()),
    ]


def _finish(schema: Json, *, never_null: bool) -> None:
    """Docstrings are for whoever reads the code. `never_null`: fields that are None are left out."""
    schema.pop("description", None)
    for name, field in schema.get("properties", {}).items():
        required = _take_mark_away(field)
        if required:
            schema["required"].append(name)
        if required or never_null:
            _take_null_away(field)


def _take_mark_away(field: Json) -> bool:
    marks = [kind.pop(REQUIRED, False) for kind in (field, *_kinds(field))]
    return any(marks)


def _take_null_away(field: Json) -> None:
    if field.get("default", ...) is None:
        del field["default"]
    kinds = _kinds(field)
    if field.pop("anyOf", None):
        field.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _kinds(field: Json) -> list[Json]:
    """What it may be, besides null."""
    return [kind for kind in field.get("anyOf", [field]) if kind != {"type": "null"}]


def _structs(types: Iterable[type]) -> set[type[msgspec.Struct]]:
    """Those, and those of their fields."""
    found: set[type[msgspec.Struct]] = set()
    waiting: list[Any] = list(msgspec.inspect.multi_type_info(types))
    while waiting:
        match waiting.pop():
            case msgspec.inspect.StructType(cls=cls, fields=fields) if cls not in found:
                found.add(cls)
                waiting += [field.type for field in fields]
            case msgspec.inspect.ListType(item_type=inner) | msgspec.inspect.Metadata(type=inner):
                waiting.append(inner)
            case msgspec.inspect.DictType(value_type=inner):
                waiting.append(inner)
            case msgspec.inspect.UnionType(types=inners):
                waiting += inners
    return found
