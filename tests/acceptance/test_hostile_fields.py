"""Every field of every request, and everything its description forbids: a clear 400, and nothing is stored.

Derived from /openapi.json, so a new request is tested as soon as it is described. A field that excludes another of the
example, or needs one, is listed in BESIDES.
"""

import copy
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.acceptance.daemon import Daemon
from tests.acceptance.described import Described, Field, operations, undescribed
from tests.acceptance.forbidden import forbidden, forbidden_in_query
from tests.acceptance.http_api import Answer, Api
from tests.acceptance.stock import stock

BESIDES: dict[tuple[str, str], dict[str, Any]] = {
    ("CreateMessage", "topic_full_name"): {"topic": None},
    ("CreateBatchTask", "document.topic_full_name"): {"document": {"message": "hello"}},
    ("AddDevice", "auth_info.fingerprint"): {"auth_info": {"auth_type": "CERTIFICATES"}},
}
"""(operation, field) → what else of the example has to change for the field to be looked at."""
BESIDES_IN_QUERY = {("CreateMessage", "timeout"): "wait=reply&"}
"""The same for a parameter."""
MALFORMED = "IOTDA.000008"
BAD_PARAMETER = "IOTDA.000006"
MAX_BODY = 1_048_576
HERE = "here-it-comes"


class Stored:
    """Every row of every table."""

    def __init__(self, daemon: Daemon) -> None:
        self._connection = sqlite3.connect(f"file:{daemon.data_dir / 'bridge.db'}?mode=ro", uri=True)
        listed = self._connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        self._tables = [name for (name,) in listed if not name.startswith("sqlite_")]
        assert self._tables

    def rows(self) -> dict[str, list[Any]]:
        return {name: self._connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in self._tables}  # noqa: S608

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("hostile"))
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


@pytest.fixture(scope="module")
def names(own: Daemon) -> dict[str, str]:
    """Of what there is."""
    return stock(own)


@pytest.fixture
def api(own: Daemon) -> Iterator[Api]:
    with own.api() as api:
        yield api
        assert undescribed(operations(own), api.seen) == []


@pytest.fixture
def stored(own: Daemon, names: dict[str, str]) -> Iterator[Stored]:
    with closing(Stored(own)) as stored:
        yield stored


@pytest.fixture(scope="module")
def with_body(own: Daemon) -> list[Described]:
    return [each for each in of_iotda(own) if each.body is not None]


def of_iotda(daemon: Daemon) -> list[Described]:
    """The other dialects refuse in other forms, and have tests of their own."""
    return [each for each in operations(daemon) if each.path.startswith("/v5/")]


def query_of(operation: Described) -> str:
    """The parameters it cannot do without."""
    given = [
        f"{each['name']}={each['schema']['enum'][0]}" for each in operation.parameters("query") if each.get("required")
    ]
    return "?" + "&".join(given) if given else ""


def refused(answer: Answer, operation: Described, what: str) -> None:
    """With a 400 that is described, and no more than a text."""
    assert answer.status == 400, f"{operation.id}: {what}: {answer.status} {answer.body}"
    assert set(answer.body) == {"error_code", "error_msg"}
    assert answer.error in operation.codes(400), f"{operation.id}: {what}: {answer.body}"
    assert len(answer.body["error_msg"]) < 400, f"{operation.id}: {what} is repeated in the answer"
    assert answer.headers["X-Request-Id"]


def example_with(operation: Described, field: Field, text: bytes) -> bytes:
    """The example, with this text in place of the field."""
    body = copy.deepcopy(operation.body["example"]) | BESIDES.get((operation.id, field.name), {})
    place = body
    for part, following in zip(field.where, field.where[1:], strict=False):
        place = place[part] if isinstance(part, int) else place.setdefault(part, [] if following == 0 else {})
    place[field.where[-1]] = HERE
    return json.dumps(body).encode().replace(json.dumps(HERE).encode(), text)


def test_every_field_refuses_what_the_description_forbids(
    names: dict[str, str], with_body: list[Described], api: Api, stored: Stored
) -> None:
    before = stored.rows()
    for operation in with_body:
        target = operation.target(names) + query_of(operation)
        for field in operation.fields():
            for what, text in forbidden(operation.kinds(field.schema), required=field.required):
                answer = api.call(operation.method, target, example_with(operation, field, text))
                refused(answer, operation, f"{field.name} is {what}")
                if answer.error != MALFORMED:
                    assert field.where[-1] in answer.body["error_msg"], f"{operation.id}: {what}: {answer.body}"
                assert stored.rows() == before, f"{operation.id}: {field.name} is {what}: something was stored"


def test_what_is_required_may_not_be_absent(
    names: dict[str, str], with_body: list[Described], api: Api, stored: Stored
) -> None:
    before = stored.rows()
    for operation in with_body:
        for field in operation.fields():
            if not field.required:
                continue
            body = copy.deepcopy(operation.body["example"])
            place = body
            for part in field.where[:-1]:
                place = place[part]
            del place[field.where[-1]]
            answer = api.call(
                operation.method, operation.target(names) + query_of(operation), json.dumps(body).encode()
            )
            refused(answer, operation, f"{field.name} is absent")
            assert field.where[-1] in answer.body["error_msg"]
    assert stored.rows() == before


def hostile_bodies(example: dict[str, Any], max_body: int) -> Iterator[tuple[str, bytes, str]]:
    """(what it is, the body, the code it is refused with)."""
    good = json.dumps(example).encode()
    field = next(iter(example))
    for other in (b"[]", b"null", b"true", b"5", b'"text"', b"[" + good + b"]"):
        yield f"the body {other[:10]!r}", other, MALFORMED
    for what, broken in (
        ("cut short", good[:-1]),
        ("two of them", good + good),
        ("something behind it", good + b"x"),
        ("a byte order mark", b"\xef\xbb\xbf" + good),
        ("UTF-16", good.decode().encode("utf-16")),
        ("a comment", b"/* */" + good),
        ("a comma too many", good[:-1] + b",}"),
        ("a key without quotes", b"{key: 1," + good[1:]),
        ("no UTF-8 in an unknown field", b'{"unknown": "\xff",' + good[1:]),
        ("no UTF-8 in a key", b'{"\xff": 1,' + good[1:]),
        ("a deep unknown field", b'{"unknown": ' + b"[" * 100_000 + b"]" * 100_000 + b"," + good[1:]),
    ):
        yield what, broken, MALFORMED
    yield "a repeated key, the last one wrong", good[:-1] + f', "{field}": [[]]}}'.encode(), BAD_PARAMETER
    yield "a byte too many", good + b" " * (max_body + 1 - len(good)), BAD_PARAMETER


def test_hostile_bodies(names: dict[str, str], with_body: list[Described], api: Api, stored: Stored) -> None:
    before = stored.rows()
    for operation in with_body:
        target = operation.target(names) + query_of(operation)
        for what, body, code in hostile_bodies(operation.body["example"], operation.max_body or MAX_BODY):
            answer = api.call(operation.method, target, body)
            refused(answer, operation, what)
            assert answer.error == code, f"{operation.id}: {what}: {answer.body}"
        if operation.content["requestBody"]["required"]:
            refused(api.call(operation.method, target, b""), operation, "nothing")
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "*/*"):
            body = json.dumps(operation.body["example"]).encode()
            answer = api.call(operation.method, target, body, media_type=media_type)
            refused(answer, operation, media_type)
            assert answer.error == MALFORMED
    assert stored.rows() == before


def test_hostile_queries(names: dict[str, str], own: Daemon, api: Api, stored: Stored) -> None:
    before = stored.rows()
    for operation in of_iotda(own):
        body = json.dumps(operation.body["example"]).encode() if operation.body else None
        for parameter in operation.parameters("query"):
            for text in forbidden_in_query(parameter["schema"]):
                besides = BESIDES_IN_QUERY.get((operation.id, parameter["name"]), "")
                target = f"{operation.target(names)}?{besides}{parameter['name']}={text}"
                refused(api.call(operation.method, target, body), operation, f"{parameter['name']}={text}"[:80])
    assert stored.rows() == before


def test_hostile_names_in_paths(names: dict[str, str], own: Daemon, api: Api, stored: Stored) -> None:
    before = stored.rows()
    for operation in of_iotda(own):
        body = json.dumps(operation.body["example"]).encode() if operation.body else None
        for parameter in operation.parameters("path"):
            for text in forbidden_in_query(parameter["schema"]):
                hostile = {**names, parameter["name"]: text}
                answer = api.call(operation.method, operation.target(hostile) + query_of(operation), body)
                what = f"{operation.id}: {parameter['name']} {text[:40]}: {answer.status} {answer.body}"
                assert answer.status in {400, 404, 405}, what
                assert answer.error in operation.codes(answer.status) | {"IOTDA.000404", "IOTDA.000405"}, what
    assert stored.rows() == before


def test_the_examples_are_accepted(names: dict[str, str], with_body: list[Described], api: Api) -> None:
    """Last: it stores what they ask for. Without it the other tests could be refused for any reason."""
    for operation in with_body:
        there = {
            "ResetFingerprint": {**names, "device_id": "badge"},
            "RetryBatchTask": {**names, "task_id": names["failed_task"]},
        }.get(operation.id, names)
        body = operation.body["example"]
        if "rule_id" in body:
            body = {**body, "rule_id": names["rule_id"]}
        answer = api.call(operation.method, operation.target(there) + query_of(operation), json.dumps(body).encode())
        assert 200 <= answer.status < 300, f"{operation.id}: {answer.body}"
        assert str(answer.status) in operation.content["responses"]
