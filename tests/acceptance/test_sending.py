"""Requests that are repeated, messages that are sent later, and questions about all of them, with the real daemon."""

import contextlib
import http.client
import itertools
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from tests.acceptance.account import Account
from tests.acceptance.clock import SharedClock
from tests.acceptance.conftest import NewDaemon, clocked_daemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.waiting import eventually

ROUNDS = 6


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


def in_(clock: SharedClock, seconds: float) -> str:
    """A time as the API takes it."""
    moment = datetime.fromtimestamp(clock() / 1000 + seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


# Idempotency-Key


def test_the_same_key_after_a_crash_is_the_same_message(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pump = Account(daemon, closing)
    first = pump.api.post_once(pump.id, "a-key", b'{"message": "once", "payload_format": "raw"}')
    daemon.kill()
    daemon.start()
    pump.daemon_restarted()
    again = pump.api.post_once(pump.id, '"a-key"', b'{"message": "once", "payload_format": "raw"}')
    assert (again.status, again.body) == (first.status, first.body)
    assert pump.api.post_once(pump.id, "a-key", b'{"message": "twice"}').error == "IOTDA.000422"
    device = pump.connect_raw()
    assert device.next_message().payload == b"once"
    assert device.before_pong() == []


def test_however_often_it_is_killed_each_request_makes_one_message(new_daemon: NewDaemon, closing: ExitStack) -> None:
    """An application that tries each request until it has an answer, and once more."""
    daemon = new_daemon()
    pump = Account(daemon, closing)
    keys = itertools.count()
    answers: dict[str, str] = {}
    for number in range(ROUNDS):
        killed = threading.Timer(0.05 + 0.02 * random.Random(number).random(), daemon.kill)  # noqa: S311
        killed.start()
        key = ""
        with contextlib.suppress(OSError, http.client.HTTPException):
            for key in map(str, keys):
                body = f'{{"message": "{key}"}}'.encode()
                answers[key] = pump.api.post_once(pump.id, key, body).body["message_id"]
        killed.join()
        daemon.start()
        pump.daemon_restarted()
        for repeated in (key, str(int(key) - 1)):
            body = f'{{"message": "{repeated}"}}'.encode()
            message_id = pump.api.post_once(pump.id, repeated, body).body["message_id"]
            assert answers.setdefault(repeated, message_id) == message_id
    stored = pump.api.export(f"?device_id={pump.id}")
    assert {each["message"]: each["message_id"] for each in stored} == answers
    assert len(stored) == len(answers)
    assert len(answers) > ROUNDS


def test_a_key_is_forgotten_after_a_day(own: Account, clock: SharedClock) -> None:
    first = own.api.post_once(own.id, "a-key", b'{"message": "x"}').body["message_id"]
    clock.advance(minutes=24 * 60 - 1)
    assert own.api.post_once(own.id, "a-key", b'{"message": "x"}').body["message_id"] == first
    clock.advance(minutes=2)
    assert own.api.post_once(own.id, "a-key", b'{"message": "y"}').body["message_id"] != first


# send_at


def test_a_message_for_later_comes_then_and_not_before(own: Account, clock: SharedClock) -> None:
    device = own.connect_raw()
    send_at = in_(clock, 3600)
    message_id = own.send("later", payload_format="raw", send_at=send_at, ttl=5)
    record = own.record(message_id)
    assert (record["status"], record["send_at"]) == ("PENDING", send_at)
    own.send("now", payload_format="raw")
    assert device.next_message().payload == b"now"
    clock.advance(seconds=3590)
    assert device.before_pong() == []
    clock.advance(seconds=10)
    assert device.next_message().payload == b"later"
    assert clock() / 1000 - datetime.fromisoformat(send_at).timestamp() < 2


def test_it_survives_a_crash_and_can_be_cancelled(own: Account, clock: SharedClock) -> None:
    own.send("first", payload_format="raw", send_at=in_(clock, 3600))
    cancelled = own.send("cancelled", payload_format="raw", send_at=in_(clock, 3600))
    own.send("second", payload_format="raw", send_at=in_(clock, 3601))
    own.send("too late", send_at=in_(clock, 60), ttl=5)
    own.daemon.kill()
    clock.advance(minutes=59)
    own.daemon.start()
    own.daemon_restarted()
    own.cancel(cancelled)
    device = own.connect_raw()
    assert device.before_pong() == []
    clock.advance(minutes=2)
    assert [device.next_message().payload for _ in range(2)] == [b"first", b"second"]
    assert device.before_pong() == []


def test_times_that_cannot_be(own: Account, clock: SharedClock) -> None:
    for send_at in (in_(clock, -1), in_(clock, 8 * 86400), "soon"):
        assert own.post("x", send_at=send_at).status == 400
    assert own.post("x", send_at=in_(clock, 60), ttl=0).status == 400
    assert own.api.index(own.id).body["messages"] == []


# Questions


def test_all_messages_of_a_project(own: Account, clock: SharedClock, closing: ExitStack) -> None:
    other = Account(own.daemon, closing)
    clock.advance(seconds=10)
    start = in_(clock, 0)
    sent = [account.send(ttl=5 if account is own else 60) for _ in range(5) for account in (own, other)]
    clock.advance(minutes=6)
    last = own.send()
    for message_id in sent[::2]:
        own.final(message_id)
    listed: list[str] = []
    cursor = ""
    while True:
        page = own.api.find(f"?limit=3&from={start}{cursor}").body
        listed += [each["message_id"] for each in page["messages"]]
        if "cursor" not in page:
            break
        cursor = f"&cursor={page['cursor']}"
    assert listed == [last, *reversed(sent)]
    assert [each["message_id"] for each in own.api.export(f"?from={start}")] == listed
    timeouts = own.api.export(f"?from={start}&status=TIMEOUT")
    assert [(each["device_id"], each["message_id"]) for each in timeouts] == [(own.id, m) for m in sent[-2::-2]]
    theirs = own.api.find(f"?from={start}&device_id={other.id}").body["messages"]
    assert [each["message_id"] for each in theirs] == sent[::-2]
    assert [
        each["message_id"]
        for each in own.api.index(own.id, f"?start_time={start}&end_time={in_(clock, -60)}").body["messages"]
    ] == sent[-2::-2]
    eventually(lambda: own.api.find(f"?from={start}&status=PENDING").body["messages"][0]["message_id"] == last)
