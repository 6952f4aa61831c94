"""What the vendor's SDKs can send is understood, refused by name, or known to be harmless: also what a new one can."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from huaweicloudsdkdataartsstudio import v1 as dataarts
from huaweicloudsdkiotda import v5 as iotda

from bridge.api.app import Api
from bridge.api.operation import Operation
from tests.api.no_pushes import NoPushes

HARMLESS = {
    "Instance-Id": "names an instance at the vendor; there is one here",
}
"""Not looked at. README.md, "Coming from IoTDA", says so."""
SERVED = 33
"""Operations that the SDKs have, too."""


@pytest.fixture
def pushes() -> NoPushes:
    return NoPushes()


def test_every_member_is_known(app: Api) -> None:
    missing, served = [], 0
    for operation in (each for group in app.groups for each in group.operations()):
        sdk = dataarts if operation.path.startswith("/v1/") else iotda
        request = getattr(sdk, f"{operation.operation_id}Request", None)
        if request is None:
            continue
        served += 1
        known = {parameter.name for parameter in operation.parameters} | set(HARMLESS)
        missing += [
            f"{operation.operation_id}: {name}" for name in members(request) if name != "body" and name not in known
        ]
        missing += [f"{operation.operation_id}: {where}" for where in unknown_in_body(operation, sdk, request)]
    assert missing == [], (
        "the SDK can send these. Support them, refuse them (bridge/api/iotda/unsupported.py), or add them to HARMLESS"
        " and to the chapter"
    )
    assert served == SERVED


def members(model: Any) -> dict[str, str]:
    """Name in JSON, in the query or of a header field → the type, as the SDK spells it."""
    return {model.attribute_map[name]: kind for name, kind in model.openapi_types.items()}


def unknown_in_body(operation: Operation, sdk: Any, request: Any) -> Iterator[str]:
    kind = members(request).get("body")
    if kind is not None:
        assert operation.body is not None, operation.operation_id
        yield from unknown_members(msgspec.inspect.type_info(operation.body), sdk, kind, "")


def unknown_members(ours: Any, sdk: Any, theirs: str, place: str) -> Iterator[str]:
    """What their type has and ours has not. A member that is refused is one that ours has."""
    model = getattr(sdk, theirs.removeprefix("list[").removesuffix("]"), None)
    struct = struct_of(ours)
    if model is None or struct is None:
        return
    known = {field.encode_name: field.type for field in struct.fields}
    for name, kind in members(model).items():
        if name not in known:
            yield f"{place}{name}"
        else:
            yield from unknown_members(known[name], sdk, kind, f"{place}{name}.")


def struct_of(kind: Any) -> msgspec.inspect.StructType | None:
    match kind:
        case msgspec.inspect.StructType():
            return kind
        case msgspec.inspect.Metadata(type=inner) | msgspec.inspect.ListType(item_type=inner):
            return struct_of(inner)
        case msgspec.inspect.UnionType(types=inners):
            return next((found for inner in inners if (found := struct_of(inner))), None)
    return None
