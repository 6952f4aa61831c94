"""The inbox of a real daemon: what enters by itself, and what is confirmed. The daemon's clock is moved."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.account import Account
from tests.acceptance.clock import SharedClock
from tests.acceptance.conftest import clocked_daemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.http_api import Answer
from tests.acceptance.waiting import eventually

INBOX = "/api/v1/messages"
CONFIRM = "/v1/default/service/messages"


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory, clock: SharedClock) -> Iterator[Daemon]:
    daemon = clocked_daemon(tmp_path_factory.mktemp("clocked"), clock)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


@pytest.fixture
def own(clocked: Daemon, closing: ExitStack) -> Account:
    return Account(clocked, closing)


def inbox(own: Account, query: str = "") -> list[dict[str, Any]]:
    """What is in it about the device, oldest first."""
    answer = own.api.call("GET", f"{INBOX}?id={own.id}{query}")
    assert answer.status == 200, answer.body
    return list(reversed(answer.body))


def texts(own: Account) -> list[str]:
    return [entity["body"]["text"] for entity in inbox(own)]


def confirm(own: Account, message_id: str, **fields: object) -> Answer:
    body = json.dumps({"message_id": message_id, **fields}).encode()
    return own.api.call("POST", CONFIRM, body, workspace="w-1")


def in_time(clock: SharedClock, **delay: int) -> str:
    moment = datetime.fromtimestamp(clock() / 1000, UTC) + timedelta(**delay)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def kill(own: Account) -> None:
    own.daemon.kill()
    own.daemon.start()
    own.daemon_restarted()


def test_what_happens_to_a_device_is_told(own: Account, clock: SharedClock) -> None:
    own.send("x", message_id="late", ttl=5)
    own.send("x", message_id="at-once", ttl=0)
    clock.advance(minutes=5)
    assert own.final("late")["status"] == "TIMEOUT"
    device = own.connect()
    device.publish(f"{own.tree}/sys/messages/up", b'{"t": 21}')
    eventually(lambda: len(texts(own)) == 4)
    device.close()
    eventually(lambda: len(texts(own)) == 5)
    assert texts(own) == [
        f"Message at-once for device {own.id} failed: the device is not online and the message is not to be cached.",
        f"Message late for device {own.id} timed out: its ttl passed before the device took it.",
        f"Device {own.id} is online.",
        f'Device {own.id} reported on sys/messages/up: {{"t": 21}}',
        f"Device {own.id} is offline.",
    ]
    assert [entity["importance"] for entity in inbox(own)] == ["important"] * 2 + ["information"] * 3


def test_a_failure_that_was_told_is_in_the_inbox_whatever_happens(own: Account) -> None:
    """FAILED is answered after its commit, and the notification is in the same one."""
    for number in range(20):
        own.send("x", message_id=f"m-{number}", ttl=0)
    kill(own)
    failed = [number for number in range(20) if own.status(f"m-{number}") == "FAILED"]
    assert len(failed) == 20
    assert len(texts(own)) == 20


def test_a_confirmation_survives_kill_9_and_is_processed_at_its_time(own: Account, clock: SharedClock) -> None:
    message_id = own.send("x", ttl=0)
    [entity] = inbox(own)
    moment = in_time(clock, hours=1)
    assert confirm(own, entity["_id"], action=1, time=moment).status == 204
    kill(own)
    [waiting] = inbox(own)
    assert (waiting["read"], "processed_time" in waiting) == (False, False)
    assert waiting["process_time"] == pytest.approx(clock() + 3_600_000, abs=60_000)
    clock.advance(minutes=59)
    assert inbox(own, "&read=true") == []
    kill(own)
    assert inbox(own, "&read=true") == []
    clock.advance(minutes=1)
    [processed] = eventually(lambda: inbox(own, "&read=true"))
    assert processed["process_time"] == waiting["process_time"]
    assert 0 <= processed["processed_time"] - processed["process_time"] < 60_000
    answer = confirm(own, message_id, action=0)
    assert (answer.status, answer.error) == (400, "DLS.1004")


def test_a_confirmation_that_came_due_while_the_daemon_was_down(own: Account, clock: SharedClock) -> None:
    message_id = own.send("x", ttl=0)
    assert confirm(own, message_id, action=1, time=in_time(clock, minutes=10)).status == 204
    own.daemon.kill()
    clock.advance(minutes=20)
    own.daemon.start()
    own.daemon_restarted()
    [processed] = eventually(lambda: inbox(own, "&read=true"))
    assert processed["processed_time"] - processed["process_time"] >= 9 * 60_000


def test_a_second_confirmation_survives_kill_9_instead_of_the_first(own: Account, clock: SharedClock) -> None:
    message_id = own.send("x", ttl=0)
    for minutes in (10, 30):
        assert confirm(own, message_id, action=1, time=in_time(clock, minutes=minutes)).status == 204
    kill(own)
    clock.advance(minutes=20)
    own.send("x", ttl=0)  # the daemon has looked at its clock since
    assert inbox(own, "&read=true") == []
    clock.advance(minutes=10)
    eventually(lambda: inbox(own, "&read=true"))


def test_clear_survives_kill_9(own: Account) -> None:
    own.send("x", ttl=0)
    assert own.api.call("DELETE", f"{INBOX}/clear").body == {"success": True}
    kill(own)
    assert inbox(own) == []
    answer = own.api.call("GET", f"{INBOX}/history?id={own.id}")
    assert len(answer.body) == 1
    assert own.api.call("GET", f"{INBOX}/history/bounds?id={own.id}").body["count"] == 1
