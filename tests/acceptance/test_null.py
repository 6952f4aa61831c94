"""null is the same as absent, as /openapi.json says: for every optional member of every request, in every dialect.

Two daemons begin with the same data, and do the same; one is sent null where the other is sent nothing.
"""

import copy
import itertools
import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.daemon import Daemon
from tests.acceptance.described import Described, Field, operations
from tests.acceptance.stock import put, stock
from tests.acceptance.test_hostile_fields import query_of

MADE = {
    *("message_id", "device_id", "task_id", "rule_id", "action_id", "_id", "marker"),
    *("secret", "signing_secret"),
    *("created_time", "create_time", "finished_time", "time", "targets"),
}
"""What each daemon makes for itself."""
UNIQUE = ("message_id", "device_id", "node_id")
"""Members of the example that a second request must not repeat."""
INSTEAD = {
    ("CreateInboxMessage", "text"): {"body": {"text": "hot"}},
    ("AddDevice", "device_id"): {"node_id": "no-colon"},
    ("CreateRoutingRule", "app_type"): {"app_id": None},
    ("CreateBatchTask", "task_policy.retry_count"): {"task_policy": {}},
    ("CreateBatchTask", "task_policy.retry_interval"): {"task_policy": {}},
}
"""(operation, member) → what else changes for a request without the member to be accepted."""
THERE = {"ResetFingerprint": {"device_id": "badge"}, "RetryBatchTask": {"task_id": "failed_task"}}


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, Daemon, dict[str, str]]]:
    """Two daemons, and the names of what there is in both."""
    folders = [tmp_path_factory.mktemp(name) for name in ("null", "absent")]
    one, other = (Daemon(folder) for folder in folders)
    try:
        one.start()
        names = stock(one)
        with one.api() as api:
            names["to_process"] = put(api, "POST", "/api/v1/messages", id="fan", importance="important", text="hot")[
                "_id"
            ]
        one.stop()
        shutil.copytree(one.data_dir, other.data_dir)
        one.start()
        other.start()
        yield one, other, names
    finally:
        one.close()
        other.close()


def test_null_is_the_same_as_absent(twins: tuple[Daemon, Daemon, dict[str, str]]) -> None:
    one, other, names = twins
    with one.api() as with_null, other.api() as without:
        for number, (operation, field) in enumerate(optional_members(one)):
            target = operation.target(names | named(operation, names)) + query_of(operation)
            absent = body_without(operation, field, names, number)
            wanted = without.call(operation.method, target, json.dumps(absent).encode(), workspace="w-1")
            null = json.dumps(with_member_null(absent, field)).encode()
            answer = with_null.call(operation.method, target, null, workspace="w-1")
            what = f"{operation.id}: {field.name}: {wanted.status} {wanted.body}, but with null {answer.status}"
            assert (answer.status, shown(answer.body)) == (wanted.status, shown(wanted.body)), f"{what} {answer.body}"
            assert 200 <= wanted.status < 300, f"{what}: put what it needs into INSTEAD"
            if operation.id == "CreateRuleAction":  # a rule has few
                for api, made in ((with_null, answer), (without, wanted)):
                    assert api.call("DELETE", f"{target}/{made.body['action_id']}").status == 204


def test_the_description_says_so(twins: tuple[Daemon, Daemon, dict[str, str]]) -> None:
    for operation, field in optional_members(twins[0]):
        kinds = operation.kinds(field.schema)
        types = {name for kind in kinds for name in listed(kind.get("type", "null"))}
        assert "null" in types, f"{operation.id}: {field.name} is optional, and may not be null"


def optional_members(daemon: Daemon) -> Iterator[tuple[Described, Field]]:
    """Those in the items of lists, too."""
    described = [each for each in operations(daemon) if each.body is not None and "schema" in each.body]
    assert {each.path.split("/")[1] for each in described} >= {"v1", "v5", "api"}, "a dialect is missing"
    for operation in described:
        yield from ((operation, field) for field in operation.fields() if not field.required)


def named(operation: Described, names: dict[str, str]) -> dict[str, str]:
    there = {name: names.get(value, value) for name, value in THERE.get(operation.id, {}).items()}
    return {"message_id": names["notification_id"], **there} if operation.path.startswith("/api/") else there


def body_without(operation: Described, field: Field, names: dict[str, str], number: int) -> Any:
    """The example, with what is around the member, and without it."""
    body = copy.deepcopy(operation.body["example"]) | copy.deepcopy(INSTEAD.get((operation.id, field.name), {}))
    for name in UNIQUE:
        if name in body:
            body[name] = f"{name}-{number}"
    if "rule_id" in body:
        body["rule_id"] = names["rule_id"]
    if operation.path.startswith("/v1/"):  # without an action it is processed, which is done once
        body["message_id"] = names["to_process" if field.name == "action" else "notification_id"]
    place(body, field).pop(field.where[-1], None)
    return body


def with_member_null(body: Any, field: Field) -> Any:
    body = copy.deepcopy(body)
    place(body, field)[field.where[-1]] = None
    return body


def place(body: Any, field: Field) -> Any:
    """The object that the member stands in, which is made if it is not there."""
    for part, following in itertools.pairwise(field.where):
        if isinstance(part, int):
            body = body[part]
        elif isinstance(following, int):
            body = body.setdefault(part, [{}])
        else:
            body = body.setdefault(part, {})
    return body


def shown(body: Any) -> Any:
    """Without what each daemon makes for itself."""
    if isinstance(body, dict):
        return {name: "made" if name in MADE else shown(value) for name, value in body.items()}
    return [shown(each) for each in body] if isinstance(body, list) else body


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
