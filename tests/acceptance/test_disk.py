"""A disk that refuses, and another process that holds the database."""

import contextlib
import json
import resource
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from tests.acceptance.account import Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.http_api import Answer
from tests.acceptance.polling_api import Subscriber
from tests.acceptance.target import Target
from tests.acceptance.test_webhooks import ALLOWED, heard, push_to, status
from tests.acceptance.waiting import eventually

REFUSES = "the store refuses writes"
NOT_AVAILABLE = "IOTDA.000503"
LARGE = "\N{ELECTRIC LIGHT BULB}" * 60_000
"""Larger than what a full disk has left."""


@contextmanager
def full_disk(daemon: Daemon) -> Iterator[None]:
    """No file of the daemon can grow beyond the size the database's log has now."""
    size = (daemon.data_dir / "bridge.db-wal").stat().st_size
    limits = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, limits)


@contextmanager
def _read_by_another(daemon: Daemon) -> Iterator[None]:
    """Another process reads the database as it is now, so that its log can only grow."""
    database = sqlite3.connect(daemon.data_dir / "bridge.db", isolation_level=None)
    database.execute("BEGIN")
    database.execute("SELECT count(*) FROM device").fetchone()
    try:
        yield
    finally:
        database.close()


@contextmanager
def writing(daemon: Daemon) -> Iterator[None]:
    """Another process in the middle of a transaction."""
    database = sqlite3.connect(daemon.data_dir / "bridge.db", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        database.close()


def _written(daemon: Daemon, message_id: str) -> str:
    """The state of a message on disk."""
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "bridge.db")) as database:
        found = database.execute("SELECT status FROM message WHERE message_id = ?", (message_id,)).fetchone()
    return str(found[0])


def test_a_full_disk_refuses_new_messages_and_loses_no_old_ones(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(expected=(REFUSES,))
    pump = Account(daemon, closing)
    pump.send("old", message_id="old", payload_format="raw")
    with full_disk(daemon):
        answer = pump.post("x" * 200_000, message_id="refused")
        assert (answer.status, answer.error) == (503, NOT_AVAILABLE)
        assert pump.api.show(pump.id, "refused").status == 404
        device = pump.connect()
        assert device.next().payload == b"old"
    pump.send("new", message_id="refused", payload_format="raw")
    assert device.next().payload == b"new"
    assert pump.final("old")["status"] == "DELIVERED"
    eventually(lambda: _written(daemon, "old") == "DELIVERED")  # it is tried again after a second
    daemon.restart()
    pump.daemon_restarted()
    assert {pump.final(message_id)["status"] for message_id in ("old", "refused")} == {"DELIVERED"}
    assert pump.connect_raw().before_pong() == []


def test_a_full_disk_is_told_in_each_dialect_and_costs_nothing_accepted(
    new_daemon: NewDaemon, closing: ExitStack
) -> None:
    daemon = new_daemon(expected=(REFUSES,))
    app = closing.enter_context(Subscriber(daemon, "news"))
    app.subscribe()
    assert app.publish("old", b'"old"').status == 200
    api = closing.enter_context(daemon.api())
    inbox = "/api/v1/messages"
    old = {"id": "lamp", "importance": "important", "text": "old"}
    new = {**old, "text": LARGE}
    tasks = "/v5/iot/default/batchtasks"
    task = {"task_name": "t", "task_type": "createMessages", "targets": ["lamp"], "document": {"message": LARGE}}
    assert api.call("POST", inbox, json.dumps(old).encode()).status == 200
    with full_disk(daemon):
        refused = app.publish("new", json.dumps(LARGE).encode())
        assert (refused.status, refused.body.keys()) == (503, {"error"})
        answer = api.call("POST", inbox, json.dumps(new).encode())
        assert (answer.status, answer.body["success"], answer.body["code"]) == (503, False, "503")
        answer = api.call("POST", tasks, json.dumps(task).encode())
        assert (answer.status, answer.error) == (503, NOT_AVAILABLE)
        assert app.poll().ids == ["old"]
        assert [note["text"] for note in _bodies(api.call("GET", inbox))] == ["old"]
    assert app.publish("new", json.dumps(LARGE).encode()).status == 200
    assert api.call("POST", inbox, json.dumps(new).encode()).status == 200
    daemon.restart()
    app.daemon_restarted()
    assert app.poll().ids == ["old", "new"]
    with daemon.api() as again:
        assert [note["text"] for note in _bodies(again.call("GET", inbox))] == [LARGE, "old"]
        assert again.call("GET", tasks).body["batchtasks"] == []


CONFIRM = "/v1/default/service/messages"


def test_a_full_disk_refuses_a_confirmation_and_changes_nothing(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(expected=(REFUSES,))
    api = closing.enter_context(daemon.api())
    inbox = "/api/v1/messages"
    note = {"id": "lamp", "importance": "important", "text": "old"}
    made = api.call("POST", inbox, json.dumps(note).encode()).body
    confirmation = json.dumps({"message_id": made["_id"], "action": 0}).encode()
    with _read_by_another(daemon), full_disk(daemon):
        refused = api.call("POST", CONFIRM, confirmation, workspace="w")
        assert (refused.status, refused.error) == (503, "DLS.1503")
        assert [entry["read"] for entry in api.call("GET", inbox).body] == [False]
    assert api.call("POST", CONFIRM, confirmation, workspace="w").status == 204
    daemon.restart()
    with daemon.api() as again:
        assert [entry["read"] for entry in again.call("GET", inbox).body] == [True]


def test_a_full_disk_delays_pushes_and_loses_none(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(ALLOWED, expected=(REFUSES,))
    pump = Account(daemon, closing)
    target = closing.enter_context(Target())
    action_id, _ = push_to(daemon, target.url)
    target.stop()
    pump.send("old", message_id="old")
    eventually(lambda: status(daemon, action_id)["outstanding"] == 1)
    with _read_by_another(daemon), full_disk(daemon):
        assert pump.post("x" * 200_000, message_id="refused").status == 503
        target.start()
    eventually(partial(heard_of, target, "old"))
    pump.send("new", message_id="new")
    eventually(partial(heard_of, target, "old", "new"))
    daemon.restart()
    pump.daemon_restarted()
    pump.send("last", message_id="last")
    eventually(partial(heard_of, target, "old", "new", "last"))


def heard_of(target: Target, *message_ids: str) -> bool:
    """Of these messages, in this order."""
    return [message_id for of_device in heard(target).values() for message_id, _ in of_device] == list(message_ids)


def _bodies(answer: Answer) -> list[dict[str, Any]]:
    return [note["body"] for note in answer.body]


def test_a_process_that_writes_for_a_while_delays_and_nothing_else(daemon: Daemon, pump: Account) -> None:
    pump.send("old", payload_format="raw")
    with ThreadPoolExecutor() as pool, daemon.api() as api:
        with writing(daemon):
            answer = pool.submit(pump.post, "new", payload_format="raw")
            assert api.call("GET", "/healthz").status == 200
            device = pump.connect()
            assert device.next().payload == b"old"
            assert not answer.done()
        assert answer.result().status == 201
    assert device.next().payload == b"new"
