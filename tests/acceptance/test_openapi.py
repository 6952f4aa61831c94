"""What the description allows, and much that it forbids, is sent; every answer is one that is described."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import pytest

from bridge.api.dataarts.parse import EXAMPLE
from bridge.api.iotda.parse import CHINESE
from bridge.model.principal import APPLICATION_SCOPES
from tests.acceptance.daemon import Daemon
from tests.acceptance.described import Described, operations
from tests.acceptance.stock import stock

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
EXAMPLES = 10
"""For each operation, besides the corner cases that the description itself has."""
MANY_CHARACTERS = re.compile(rf"{CHINESE}|(?<=\[)\^[^\]]+")
FEW_CHARACTERS = " -~\u4e00-\u4e09"
"""To make a strategy of a class of most characters there are takes Hypothesis a second, each time."""
THERE = """
hooks = "lines.py"

[parameters]
"path.project_id" = "default"
"path.device_id" = "lamp"
"path.message_id" = "m-0"
"path.rule_id" = "$rule_id"
"path.action_id" = "$action_id"
"path.channel" = "news"
"path.subscriber" = "reader"
"query.ackHandle" = "$handle"
"query.category" = "*"
"query.level" = "info"
"path.task_id" = "$task_id"

[[operations]]
include-operation-id = "CreateMessage"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", 504]

[[operations]]
include-operation-id = "DeleteDeviceMessage"
parameters = { "path.message_id" = "m-9" }

[[operations]]
include-operation-id = "DeleteDevice"
parameters = { "path.device_id" = "spare" }

[[operations]]
include-operation-id = "ResetFingerprint"
parameters = { "path.device_id" = "badge" }

[[operations]]
include-operation-id = ["FreezeDevice", "UnfreezeDevice"]
parameters = { "path.device_id" = "parked" }

[[operations]]
include-operation-id = "DeleteRoutingRule"
parameters = { "path.rule_id" = "$spare_rule" }

[[operations]]
include-operation-id = "DeleteRuleAction"
parameters = { "path.action_id" = "$spare_action" }

[[operations]]
include-operation-id = ["ReadInboxMessage", "ShowMessageDetail"]
parameters = { "path.message_id" = "$notification_id" }

[[operations]]
include-operation-id = "Poll"
parameters = { "query.timeout" = "0" }

[[operations]]
include-operation-id = "Unsubscribe"
parameters = { "path.subscriber" = "spare" }

[[operations]]
include-operation-id = "StopBatchTask"
parameters = { "path.task_id" = "$to_stop" }

[[operations]]
include-operation-id = "RetryBatchTask"
parameters = { "path.task_id" = "$failed_task" }

[[operations]]
include-operation-id = "DeleteBatchTask"
parameters = { "path.task_id" = "$spare_task" }
"""
"""What each operation finds in the store; `stock` puts it there."""
REFUSED = (401, 403)
"""The latter is what channels answer for no credentials, too."""
SIGNED = "SDK-HMAC-SHA256 Access=AKAKAKAKAKAKAKAKAKAK, SignedHeaders=host;x-sdk-date, Signature=" + "a" * 64
LINES = """
import schemathesis

schemathesis.serializer.alias("application/x-ndjson", "text/plain")
"""
"""Schemathesis does not know by itself how to send a batch of messages."""
HASTY = {"delivery.max_reply_wait": 1, "http.max_failed_logins": 1000}
"""Settings that leave less to wait for."""
SOME_RULE = "rule-1"
"""In examples; the ids of rules are made here."""
SOME_NOTIFICATION = str(EXAMPLE["message_id"])
ENDLESS = "StreamEvents"
"""Is not sent: its answer has no end. tests/api/dsps/test_stream.py has it."""
CARRIED_OUT = (*range(200, 300), 504)
"""The last one is what CreateMessage answers when it was, and nobody replied."""
NOWHERE = defaultdict(lambda: "nowhere", project_id="default")
"""Names in paths: of things that are not there."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("described"), HASTY)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


def test_every_answer_is_described(filled: Daemon, tmp_path: Path) -> None:
    names = stock(filled)
    (tmp_path / "lines.py").write_text(LINES, encoding="utf-8")
    (tmp_path / "there.toml").write_text(Template(THERE).substitute(names), encoding="utf-8")
    with filled.api() as api:
        document = json.dumps(api.call("GET", "/openapi.json").body, ensure_ascii=False)
    document = document.replace(SOME_RULE, names["rule_id"]).replace(SOME_NOTIFICATION, names["notification_id"])
    (tmp_path / "openapi.json").write_text(MANY_CHARACTERS.sub(FEW_CHARACTERS, document), encoding="utf-8")
    report = tmp_path / "report.ndjson"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", "there.toml"),
        *("run", "openapi.json", "--url", "http://{}:{}".format(*filled.http), "-H", f"X-Auth-Token: {filled.token}"),
        *("--exclude-operation-id", ENDLESS),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"),
        *("--generation-deterministic", "--max-examples", str(EXAMPLES), "--workers", "1", "--warnings", "off"),
        *("--no-color", "--report", "ndjson", "--report-ndjson-path", str(report)),
    ]
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(command, cwd=tmp_path, env=untraced, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    statuses = statuses_of(report)
    for operation in operations(filled):
        if operation.id == ENDLESS:
            continue
        assert statuses[f"{operation.method} {operation.path}"] & {*CARRIED_OUT}, (
            f"{operation.id} was never carried out: put into the store what it needs, and its name into THERE"
        )


def statuses_of(report: Path) -> defaultdict[str, set[int]]:
    """What was answered, by operation."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for line in report.read_text(encoding="utf-8").splitlines():
        scenario = json.loads(line).get("ScenarioFinished")
        for interaction in ((scenario or {}).get("recorder") or {}).get("interactions", {}).values():
            if interaction["response"] is not None:
                found[scenario["recorder"]["label"]].add(interaction["response"]["status_code"])
    return found


def test_what_names_nothing_is_answered_as_described(filled: Daemon) -> None:
    """In paths, and besides in each parameter and each member of a body that may be any name."""
    with filled.api() as api:
        for operation in operations(filled):
            for target, body in naming_nothing(operation):
                answer = api.call(operation.method, target, body, workspace="w-1")
                what = f"{operation.id}: {target} {body!r}: {answer.body}"
                assert str(answer.status) in operation.content["responses"], what
                if answer.status >= 400 and (codes := operation.codes(answer.status)):
                    code = answer.body.get("error_code", answer.body.get("code"))
                    assert code in codes | {None}, what


def naming_nothing(operation: Described) -> Iterator[tuple[str, bytes | None]]:
    """Targets, and bodies for them."""
    target = operation.target(NOWHERE)
    if operation.body is not None and "example" in operation.body:
        yield from ((target, json.dumps(body).encode()) for body in bodies_naming_nobody(operation))
        return
    yield target, None
    yield from ((f"{target}?{each['name']}=nobody", None) for each in operation.parameters("query") if any_name(each))


def any_name(parameter: Any) -> bool:
    schema = parameter["schema"]
    return bool("enum" not in schema and re.fullmatch(schema.get("pattern", "(?!)"), "nobody"))


def bodies_naming_nobody(operation: Described) -> Iterator[Any]:
    example = operation.body["example"]
    yield example
    for field in operation.fields():
        if len(field.where) == 1 and any(any_name({"schema": kind}) for kind in operation.kinds(field.schema)):
            yield {**example, field.name: "nobody"}


@pytest.mark.parametrize("scope", APPLICATION_SCOPES)
def test_an_operation_needs_the_scope_that_is_described(filled: Daemon, scope: str) -> None:
    """Everything but this one is not enough for what needs it, and is enough for what does not."""
    with filled.admin() as admin:
        token = admin.add_token(f"no-{scope.replace(':', '-')}", "default", frozenset(APPLICATION_SCOPES) - {scope})
    with filled.api(token) as api:
        for operation in operations(filled):
            answer = api.call(operation.method, operation.target(NOWHERE), b"{}" if operation.body else None)
            lacks = answer.status == 403 and scope in json.dumps(answer.body)
            assert lacks == (scope in operation.scopes), f"{operation.id}: {answer.body}"


@pytest.mark.parametrize("authorization", ["", "Bearer no-token", SIGNED, "Basic bm86dG9rZW4="])
def test_an_operation_without_a_scope_needs_no_credentials_and_others_do(filled: Daemon, authorization: str) -> None:
    with filled.api("" if authorization else "no-token") as api:
        for operation in operations(filled):
            body = b"{}" if operation.body else None
            answer = api.call(operation.method, operation.target(NOWHERE), body, Authorization=authorization)
            assert (answer.status in REFUSED) == bool(operation.scopes), f"{operation.id}: {answer.status}"
            challenge = answer.headers["WWW-Authenticate"]  # RFC 9110, section 15.5.2
            assert challenge == ("Bearer" if answer.status == 401 else None), f"{operation.id}: {challenge}"
