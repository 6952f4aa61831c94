"""The description of the API is there, is valid, and describes what there is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from bridge.api.app import Api
from bridge.api.resource import NoResource, Resource
from bridge.model.principal import SCOPES
from tests.api.client import Client
from tests.api.no_pushes import NoPushes

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def pushes() -> NoPushes:
    return NoPushes()


async def document(client: Client) -> Any:
    return (await client.get("/openapi.json", who=None)).json()


def described(document: Any) -> list[tuple[str, str, Any]]:
    """(METHOD, path, operation)."""
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


async def test_it_is_served_without_credentials(client: Client) -> None:
    answer = await client.get("/openapi.json", who=None)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/openapi+json"
    assert "x-request-id" in answer.headers
    assert (await client.get("/openapi.json", who=None)).body == answer.body


@pytest.mark.slow
async def test_it_is_valid(client: Client) -> None:
    found = await document(client)
    assert found["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()] == []


async def test_it_describes_every_route_and_nothing_else(app: Api, client: Client) -> None:
    routes = [
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route) and isinstance(route.endpoint, Resource)
        for method in route.endpoint.methods
    ]
    nothing = [route for route in app.routes if isinstance(route, Route) and isinstance(route.endpoint, NoResource)]
    assert len(app.routes) - len(nothing) == len({path for _, path in routes}), (
        "a route with an endpoint that is not a Resource"
    )
    operations = [(method, path) for method, path, _ in described(await document(client))]
    for method, path in set(routes) - set(operations):
        raise AssertionError(
            f"{method} {path} is a route without a description: add an operation(...) for it to `operations()` of the"
            " class that has the route, and the class to `groups` in bridge/api/app.py; bridge/api/openapi.py says how"
        )
    for method, path in set(operations) - set(routes):
        raise AssertionError(f"{method} {path} is described, but there is no such route: correct or remove it")
    assert len(routes) == len(set(routes))


def test_no_description_hides_another(app: Api) -> None:
    """In a document the later of two would win."""
    operations = [(each.method, each.path, each.operation_id) for group in app.groups for each in group.operations()]
    assert len({(method, path) for method, path, _ in operations}) == len(operations)
    assert len({name for _, _, name in operations}) == len(operations)


async def test_names_are_plain(client: Client) -> None:
    """Of two types with one name both would be called by their modules."""
    for name in (await document(client))["components"]["schemas"]:
        assert re.fullmatch(r"[A-Z][A-Za-z]*", name), f"{name}: two types have one name; rename one of them"


async def test_an_enumeration_has_each_value_once_and_no_truth_values(client: Client) -> None:
    """Generators of clients make a type of it, with a name for each value."""
    for where, values in enumerations(await document(client)):
        assert all(isinstance(value, str | int) and not isinstance(value, bool) for value in values), where
        assert len(values) == len(set(values)), f"{where} has a value twice"


def enumerations(value: Any, where: str = "") -> Iterator[tuple[str, list[Any]]]:
    if isinstance(value, dict):
        if isinstance(value.get("enum"), list):
            yield where, value["enum"]
        for name, inner in value.items():
            yield from enumerations(inner, f"{where}/{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from enumerations(inner, where)


async def test_an_array_says_what_its_items_are(client: Client) -> None:
    """So that generators of clients know them."""
    assert [where for where, schema in arrays(await document(client)) if "items" not in schema] == []


def arrays(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        if value.get("type") == "array" or "array" in value.get("type", ()):
            yield where, value
        for name, inner in value.items():
            yield from arrays(inner, f"{where}/{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from arrays(inner, where)


async def test_what_has_to_be_there_is_required_and_may_not_be_null(client: Client) -> None:
    schemas = (await document(client))["components"]["schemas"]
    for name, fields in {
        "MessageBody": ["message"],
        "AddDevice": ["node_id"],
        "CreateBatchTask": ["task_name", "task_type", "targets", "document"],
        "AddRule": ["subject"],
        "RuleSubject": ["resource", "event"],
        "AddAction": ["rule_id", "channel", "channel_detail"],
        "NewChannelDetail": ["http_forwarding"],
        "NewHttpForwarding": ["url"],
        "ConfirmBody": ["message_id"],
        "PostBody": ["id", "importance"],
    }.items():
        assert schemas[name]["required"] == fields
        assert {"type": "null"} not in [
            kind for field in fields for kind in schemas[name]["properties"][field].get("anyOf", [])
        ]


async def test_every_string_of_a_request_has_a_limit(client: Client) -> None:
    found = await document(client)
    unlimited = []
    for _, _, operation in described(found):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        unlimited += [f"{operation['operationId']}: {where}" for where in without_limit(body.get("schema", {}), found)]
        unlimited += [
            f"{operation['operationId']}: {parameter['name']}"
            for parameter in operation["parameters"]
            if "schema" in parameter and list(without_limit(parameter["schema"], found))
        ]
    assert unlimited == []


def without_limit(schema: Any, document: Any, where: str = "") -> list[str]:
    if "$ref" in schema:
        return without_limit(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, where)
    found = [where] if "string" in schema.get("type", ()) and not {"maxLength", "pattern", "enum"} & set(schema) else []
    for inner in [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())]:
        found += without_limit(inner, document, where)
    for name, inner in schema.get("properties", {}).items():
        found += without_limit(inner, document, f"{where}.{name}")
    return found


async def test_fields_of_answers_that_are_left_out_are_never_null(client: Client) -> None:
    schemas = (await document(client))["components"]["schemas"]
    assert schemas["DeviceMessage"]["properties"]["name"] == {"type": "string"}
    assert "name" not in schemas["DeviceMessage"]["required"]


async def test_the_configuration_shows(client: Client) -> None:
    found = await document(client)
    ttl = found["components"]["schemas"]["MessageBody"]["properties"]["ttl"]["anyOf"][0]
    assert (ttl["minimum"], ttl["maximum"], ttl["default"], ttl["multipleOf"]) == (0, 1440, 1440, 5)
    assert "1048576 bytes" in found["info"]["description"]


async def test_a_body_with_a_limit_of_its_own_says_so(client: Client) -> None:
    described_bodies = {
        operation["operationId"]: operation["requestBody"].get("description")
        for _, _, operation in described(await document(client))
        if "requestBody" in operation
    }
    assert described_bodies.pop("CreateBatchTask") == "At most 5242880 bytes."
    assert set(described_bodies.values()) == {None}


async def test_every_scope_is_one_of_ours(client: Client) -> None:
    for _, _, operation in described(await document(client)):
        for scheme in operation["security"]:
            assert set(*scheme.values()) <= set(SCOPES)


async def test_every_error_code_is_explained_in_the_readme(client: Client) -> None:
    text = README.read_text(encoding="utf-8")
    codes = set(re.findall(r"`([A-Z]+\.\d{6})`", (await client.get("/openapi.json", who=None)).body.decode()))
    assert {code for code in codes if f"`{code}`" not in text} == set()


async def test_refusals_say_what_they_may_come_with(client: Client) -> None:
    responses = (await document(client))["paths"]["/v5/iot/{project_id}/devices"]["post"]["responses"]
    assert set(responses["401"]["headers"]) == {"X-Request-Id", "WWW-Authenticate"}
    assert set(responses["429"]["headers"]) == {"X-Request-Id", "Retry-After"}
    assert set(responses["503"]["headers"]) == {"X-Request-Id", "Retry-After"}
