"""Batch tasks with the real daemon: kill -9 in the middle, a time to begin at, single messages in between."""

import json
import random
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from bridge.model.device import DEFAULT_PROJECT
from tests.acceptance.account import SECRET, Account
from tests.acceptance.clock import SharedClock
from tests.acceptance.conftest import NewDaemon, clocked_daemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Device, Login, Received
from tests.acceptance.waiting import eventually

TASKS = f"/v5/iot/{DEFAULT_PROJECT}/batchtasks"
KILLS = 6
MANY = 400


def create(daemon: Daemon, targets: list[str], **fields: Any) -> str:
    order = {
        "task_name": "news",
        "task_type": "createMessages",
        "targets": targets,
        "document": {"message": "hello", "payload_format": "raw"},
        **fields,
    }
    with daemon.api() as api:
        answer = api.call("POST", TASKS, json.dumps(order).encode())
    assert answer.status == 201, answer.body
    return str(answer.body["task_id"])


def task(daemon: Daemon, task_id: str) -> dict[str, Any]:
    with daemon.api() as api:
        answer = api.call("GET", f"{TASKS}/{task_id}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.body["batchtask"]
    return found


def progress(daemon: Daemon, task_id: str) -> dict[str, int]:
    found: dict[str, int] = task(daemon, task_id)["task_progress"]
    return found


def begun(daemon: Daemon, task_id: str, least: int) -> bool:
    return MANY - progress(daemon, task_id)["waitting"] >= least


def delivered(daemon: Daemon, task_id: str, least: int) -> bool:
    return progress(daemon, task_id)["success"] >= least


def add_devices(daemon: Daemon, count: int) -> list[str]:
    names = [f"many-{number}" for number in range(count)]
    with daemon.admin() as admin:
        for name in names:
            admin.add_device(DEFAULT_PROJECT, name, SECRET)
    return names


def hear(daemon: Daemon, closing: ExitStack, name: str, heard: Counter[str]) -> Device:
    device = Device(daemon.mqtt, Login(name, SECRET, name))
    device.on_received = lambda message: heard.update({name: 1})
    closing.callback(device.close)
    return device.connect()


def messages_of(daemon: Daemon, name: str) -> list[str]:
    with daemon.api() as api:
        return [message["message_id"] for message in api.index(name).body["messages"]]


def test_a_task_survives_kill_9_and_nobody_gets_two(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon({"batch.max_rate": 100})
    names = add_devices(daemon, MANY)
    task_id = create(daemon, names)
    source = random.Random(1)  # noqa: S311 - to be the same every time
    for _ in range(KILLS):
        more = MANY - progress(daemon, task_id)["waitting"] + source.randrange(1, 40)
        eventually(partial(begun, daemon, task_id, more))
        daemon.kill()
        daemon.start()
    state = progress(daemon, task_id)
    assert 0 < state["waitting"] < MANY, "the kills came before the beginning or after the end"
    eventually(lambda: progress(daemon, task_id)["processing"] == MANY, within=60)
    sent = [messages_of(daemon, name) for name in names]
    assert [len(each) for each in sent] == [1] * MANY
    assert len({each[0] for each in sent}) == MANY

    heard: Counter[str] = Counter()
    for name in names[:20]:
        hear(daemon, closing, name, heard)
    eventually(lambda: progress(daemon, task_id)["success"] == 20)
    assert heard == Counter(names[:20])
    with daemon.api() as api:
        assert api.call("POST", f"{TASKS}/{task_id}/stop", b"{}").status == 200
    eventually(lambda: task(daemon, task_id)["status"] == "Stopped")
    assert progress(daemon, task_id)["stopped"] == MANY - 20


def test_connected_devices_get_it_once_while_the_daemon_is_killed(new_daemon: NewDaemon, closing: ExitStack) -> None:
    """A device may see a message again that it acknowledged just before the kill; never a second message."""
    daemon = new_daemon({"batch.max_rate": 50})
    names = add_devices(daemon, 60)
    heard: set[tuple[str, str]] = set()

    def note(name: str, message: Received) -> None:
        heard.add((name, json.loads(message.payload)["id"]))

    def connect_all() -> None:
        for name in names:
            device = Device(daemon.mqtt, Login(name, SECRET, name))
            device.on_received = partial(note, name)
            closing.callback(device.close)
            device.connect()

    connect_all()
    task_id = create(daemon, names, document={"message": "hello"})
    for least in (10, 30):
        eventually(partial(delivered, daemon, task_id, least))
        daemon.kill()
        daemon.start()
        connect_all()
    eventually(lambda: task(daemon, task_id)["status"] == "Success", within=30)
    assert heard == {(name, f"{task_id}-{number}") for number, name in enumerate(names, 1)}
    assert len(heard) == 60


def test_a_scheduled_task_begins_at_its_time(tmp_path: Path, clock: SharedClock, closing: ExitStack) -> None:
    daemon = clocked_daemon(tmp_path, clock)
    closing.callback(daemon.close)
    daemon.start()
    pump = Account(daemon, closing)
    device = pump.connect()
    moment = (clock() // 1000 + 3600) * 1000
    text = _compact(moment)
    task_id = create(daemon, [pump.id], task_policy={"schedule_time": text})
    assert task(daemon, task_id)["task_policy"] == {"schedule_time": text}
    clock.advance(minutes=59)
    pump.send("marker", payload_format="raw")
    assert device.next().payload == b"marker"
    assert task(daemon, task_id)["status"] == "Waitting"
    daemon.kill()
    clock.advance(minutes=2)
    daemon.start()
    assert pump.connect().next().payload == b"hello"
    eventually(lambda: task(daemon, task_id)["status"] == "Success")


def test_single_messages_go_on_while_a_large_task_runs(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon({"delivery.ack_wait": 30})
    pump = Account(daemon, closing)
    pump.connect()
    task_id = create(daemon, [f"nobody-{number}" for number in range(30_000)])
    seen = set()
    while progress(daemon, task_id)["waitting"]:
        answer = pump.post()
        assert answer.body["result"]["status"] == "DELIVERED"
        seen.add(progress(daemon, task_id)["fail"])
    assert len(seen) > 10
    eventually(lambda: task(daemon, task_id)["status"] == "Fail")


def test_a_broadcast_reaches_who_is_there(daemon: Daemon, pump: Account, other: Account) -> None:
    devices = [pump.connect(), other.connect()]
    for device in devices:
        assert device.subscribe("$oc/broadcast/#", 1) == 1
    body = json.dumps({"topic_full_name": "$oc/broadcast/all", "message": "aGVsbG8="}).encode()
    with daemon.api() as api:
        answer = api.call("POST", f"/v5/iot/{DEFAULT_PROJECT}/broadcast-messages", body)
    assert answer.status == 201
    for device in devices:
        received = device.next()
        assert (received.topic, received.payload) == ("$oc/broadcast/all", b"hello")


def _compact(milliseconds: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(milliseconds // 1000))
