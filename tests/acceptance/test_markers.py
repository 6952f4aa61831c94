"""A marker is a position, not a row: what it names may be deleted before the next page is asked for."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acceptance.daemon import Daemon
from tests.acceptance.http_api import Api
from tests.acceptance.stock import DETAIL, FAILS, SUBJECT, made, task_status
from tests.acceptance.waiting import eventually

V5 = "/v5/iot/default"
LAMP = "devices/lamp/messages"
_number = itertools.count()


@dataclass(frozen=True)
class List:
    path: str
    add: Callable[[Api], str]
    """Makes a row, and returns its id."""
    rows: str
    id: str
    row: str
    """The path of one row, without its id."""
    parameter: str = "marker"

    def page(self, api: Api, marker: str | None) -> tuple[list[str], str]:
        """The ids of the next two rows, and the marker."""
        query = "limit=2" if marker is None else f"limit=2&{self.parameter}={marker}"
        answer = api.call("GET", f"{V5}/{self.path}{'&' if '?' in self.path else '?'}{query}")
        assert answer.status == 200, answer.body
        where = answer.body.get("page", answer.body)
        return [row[self.id] for row in answer.body[self.rows]], where[self.parameter]


def add_message(api: Api) -> str:
    return str(made(api, LAMP, message="hello")["message_id"])


def add_device(api: Api) -> str:
    name = f"device-{next(_number)}"
    return str(made(api, "devices", device_id=name, node_id=name)["device_id"])


def add_task(api: Api) -> str:
    """One that ends at once: others are not removed."""
    task_id = str(made(api, "batchtasks", **FAILS)["task_id"])
    eventually(lambda: task_status(api, task_id) == "Fail")
    return task_id


def add_rule(api: Api) -> str:
    return str(made(api, "routing-rule/rules", subject=SUBJECT)["rule_id"])


def add_action(api: Api) -> str:
    fields = {"rule_id": add_rule(api), "channel": "HTTP_FORWARDING", "channel_detail": DETAIL}
    return str(made(api, "routing-rule/actions", **fields)["action_id"])


PERIOD = "start_time=2026-01-02T03:04:05Z"
LISTS = {
    "messages": List(LAMP, add_message, "messages", "message_id", LAMP),
    "messages of a period": List(f"{LAMP}?{PERIOD}", add_message, "messages", "message_id", LAMP),
    "messages in a state": List(f"{LAMP}?status=PENDING", add_message, "messages", "message_id", LAMP),
    "messages of all devices": List("messages", add_message, "messages", "message_id", LAMP, "cursor"),
    "devices": List("devices", add_device, "devices", "device_id", "devices"),
    "batch tasks": List("batchtasks", add_task, "batchtasks", "task_id", "batchtasks"),
    "rules": List("routing-rule/rules", add_rule, "rules", "rule_id", "routing-rule/rules"),
    "actions": List("routing-rule/actions", add_action, "actions", "action_id", "routing-rule/actions"),
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    daemon = Daemon(tmp_path_factory.mktemp("markers"))
    try:
        daemon.start()
        with daemon.api() as api:
            made(api, "devices", device_id="lamp", node_id="lamp")
            yield api
    finally:
        daemon.close()


@pytest.mark.parametrize("name", LISTS)
def test_the_row_of_a_marker_is_deleted(api: Api, name: str) -> None:
    listed = LISTS[name]
    ids = [listed.add(api) for _ in range(5)][::-1]
    first, marker = listed.page(api, None)
    assert first == ids[:2]
    for gone in (ids[1], ids[0], ids[2]):
        assert api.call("DELETE", f"{V5}/{listed.row}/{gone}").status == 204
    assert listed.page(api, marker)[0] == ids[3:]


@pytest.mark.parametrize("path", [LAMP, f"{LAMP}?{PERIOD}"])
def test_the_message_whose_id_is_the_marker_is_deleted(api: Api, path: str) -> None:
    listed = List(path, add_message, "messages", "message_id", LAMP)
    ids = [add_message(api) for _ in range(4)][::-1]
    assert api.call("DELETE", f"{V5}/{LAMP}/{ids[1]}").status == 204
    assert listed.page(api, ids[1])[0] == ids[2:]


def test_a_target_that_is_not_shown_any_more(api: Api) -> None:
    """Targets are not deleted; they leave a list that is of one state."""
    order: dict[str, Any] = {**FAILS, "targets": [f"nobody-{number}" for number in range(4)]}
    task_id = made(api, "batchtasks", **order)["task_id"]
    eventually(lambda: task_status(api, task_id) == "Fail")
    listed = List(f"batchtasks/{task_id}?task_detail_status=Fail", add_task, "task_details", "target", "")
    first, marker = listed.page(api, None)
    made_now = [made(api, "devices", device_id=name, node_id=name)["device_id"] for name in first]
    body = json.dumps({"targets": made_now}).encode()
    assert api.call("POST", f"{V5}/batchtasks/{task_id}/retry", body).status == 200
    assert listed.page(api, marker)[0] == ["nobody-1", "nobody-0"]


def test_a_marker_of_nothing(api: Api) -> None:
    assert api.call("GET", f"{V5}/{LAMP}?marker=nobody").error == "IOTDA.000018"
