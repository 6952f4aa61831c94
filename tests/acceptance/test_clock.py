"""The wall clock is set while the daemon runs, or while it does not: nothing ends early, and nothing waits longer."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.mqtt import Properties, Puback, Publish
from tests.acceptance.account import Account
from tests.acceptance.clock import SharedClock
from tests.acceptance.conftest import clocked_daemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.polling_api import Subscriber
from tests.acceptance.raw_device import RawDevice
from tests.acceptance.target import Target
from tests.acceptance.test_batch import create, task
from tests.acceptance.test_inbox import inbox
from tests.acceptance.test_webhooks import push_to
from tests.acceptance.waiting import eventually

NOTICED = "the clock was set"
DAY = 1440
"""Minutes."""

NewClocked = Callable[..., Account]


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[SharedClock]:
    with SharedClock(tmp_path / "clock") as clock:
        yield clock


@pytest.fixture
def new_device(tmp_path: Path, clock: SharedClock, closing: ExitStack) -> NewClocked:
    """A device of a daemon of its own, with these settings."""

    def start(settings: dict[str, object] | None = None) -> Account:
        daemon = clocked_daemon(tmp_path, clock, settings)
        closing.callback(daemon.close)
        daemon.start()
        return Account(daemon, closing)

    return start


@pytest.fixture
def pump(new_device: NewClocked) -> Account:
    return new_device()


def jumped(daemon: Daemon, clock: SharedClock, days: float) -> None:
    """The clock is set, and the daemon has noticed."""
    before = daemon.log.count(NOTICED)
    clock.set(days=days)
    eventually(lambda: daemon.log.count(NOTICED) > before)


def jump(pump: Account, clock: SharedClock, days: float, how: str) -> None:
    """The clock is set while the daemon runs, which goes on, or is started again; or while it is down."""
    if how == "down":
        pump.daemon.stop()
        clock.set(days=days)
        pump.daemon.start()
    else:
        jumped(pump.daemon, clock, days)
    if how == "killed":
        pump.daemon.kill()
        pump.daemon.start()
    elif how == "rebooted":
        pump.daemon.stop()
        clock.reboot()
        pump.daemon.start()
    pump.daemon_restarted()


def subscriber(pump: Account, closing: ExitStack, channel: str = "news") -> Subscriber:
    return closing.enter_context(Subscriber(pump.daemon, channel))


def at(text: str) -> float:
    """Seconds since the epoch."""
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


CASES = [(1000, "runs on"), (1, "killed"), (-1, "runs on"), (1000, "rebooted"), (1000, "down")]
"""By how many days, and what happens to the daemon."""
JUMPS = pytest.mark.parametrize(("days", "how"), CASES)
SOME_JUMPS = pytest.mark.parametrize(("days", "how"), CASES[:2])


@JUMPS
def test_messages_live_as_long_as_they_were_given(pump: Account, clock: SharedClock, days: int, how: str) -> None:
    for message_id, ttl in (("early", 5), ("late", 60)):
        pump.send(message_id, message_id=message_id, ttl=ttl, payload_format="raw")
    jump(pump, clock, days, how)
    clock.advance(minutes=6)
    early = pump.final("early")
    assert early["status"] == "TIMEOUT"
    assert abs(at(early["finished_time"]) - clock() / 1000 + 60) < 60
    assert pump.status("late") == "PENDING"
    pump.send("after", message_id="after", ttl=60, payload_format="raw")
    assert abs(at(pump.record("after")["created_time"]) - clock() / 1000) < 60
    device = pump.connect()
    received = device.take(2)
    assert [each.payload for each in received] == [b"late", b"after"]
    assert [54 * 60 - 60 <= (each.expires_in or 0) <= 60 * 60 for each in received] == [True, True]


def test_a_jump_is_one_line_in_the_log(pump: Account, clock: SharedClock) -> None:
    jumped(pump.daemon, clock, 1000)
    pump.send(message_id="m", ttl=5)
    clock.advance(minutes=5)  # its sweep is later than the next look at the clock
    pump.final("m")
    [line] = [line for line in pump.daemon.log.splitlines() if NOTICED in line]
    assert "level=warning" in line
    assert 'by="+86400000.0 s"' in line


def test_a_machine_that_boots_in_the_past_and_is_corrected(
    new_device: NewClocked, clock: SharedClock, closing: ExitStack
) -> None:
    clock.set(days=-20_000)
    pump = new_device()
    app = subscriber(pump, closing)
    app.subscribe()
    assert app.publish("m1").status == 200
    pump.send("hello", message_id="m", ttl=60)
    jumped(pump.daemon, clock, 20_000)
    pump.daemon.stop()
    clock.reboot(minutes=1)
    pump.daemon.start()
    pump.daemon_restarted()
    app.daemon_restarted()
    assert app.poll().ids == ["m1"]
    assert b'"id":"m"' in pump.connect().next().payload
    assert pump.final("m")["status"] == "DELIVERED"


def test_a_machine_that_boots_in_the_past_again(pump: Account, clock: SharedClock) -> None:
    """It has no clock of its own. What it has kept goes on from where it was."""
    pump.send(message_id="m", ttl=60)
    pump.daemon.stop()
    clock.reboot(minutes=1)
    clock.set(days=-20_000)
    pump.daemon.start()
    pump.daemon_restarted()
    assert pump.status("m") == "PENDING"
    jumped(pump.daemon, clock, 20_000)
    assert pump.status("m") == "PENDING"
    clock.advance(minutes=61)
    assert pump.final("m")["status"] == "TIMEOUT"


@SOME_JUMPS
def test_a_subscriber_that_polls_is_never_away(
    pump: Account, clock: SharedClock, closing: ExitStack, days: int, how: str
) -> None:
    app = subscriber(pump, closing)
    app.subscribe()
    assert app.publish("m1").status == 200
    assert app.poll().ids == ["m1"]
    jump(pump, clock, days, how)
    app.daemon_restarted()
    clock.advance(minutes=20)
    assert app.poll().ids == ["m1"]
    assert app.publish("m2").status == 200
    clock.advance(minutes=9)
    answer = app.poll()
    assert answer.ids == ["m1", "m2"]
    assert app.acknowledge(answer.body["ackHandle"]).status == 204
    clock.advance(minutes=31)  # and now it was
    assert app.poll().status == 404


def test_a_subscriber_that_waits_hears_of_it(pump: Account, clock: SharedClock, closing: ExitStack) -> None:
    app, other = subscriber(pump, closing), subscriber(pump, closing)
    app.subscribe()
    stream = app.stream()
    closing.callback(stream.close)
    jumped(pump.daemon, clock, 1)
    assert other.publish("m1").status == 200
    assert stream.next()[1]["messageID"] == "m1"
    [shown] = json.loads(app.call("GET", app.channel).raw)["subscribers"]
    last = datetime.fromisoformat(shown["lastAccess"]).timestamp()
    assert abs(last - clock() / 1000) < 60


@SOME_JUMPS
def test_a_repeated_request_is_carried_out_once(pump: Account, clock: SharedClock, days: int, how: str) -> None:
    body = b'{"message": "hello"}'
    first = pump.api.post_once(pump.id, "key", body).body["message_id"]
    jump(pump, clock, days, how)
    assert pump.api.post_once(pump.id, "key", body).body["message_id"] == first
    clock.advance(minutes=DAY + 1)
    assert pump.api.post_once(pump.id, "key", body).body["message_id"] != first


def test_records_outlive_a_clock_that_is_wrong_for_a_while(new_device: NewClocked, clock: SharedClock) -> None:
    pump = new_device({"store.retention_days": 1, "inbox.retention_days": 1})
    device = pump.connect()
    old = pump.send(message_id="old")
    pump.final(old)
    clock.advance(minutes=DAY - 10)
    device.close()
    ids = [pump.send(message_id=f"m{number}", ttl=5) for number in range(3)]
    clock.advance(minutes=5)
    records = [pump.final(message_id) for message_id in ids]
    notified = {each["_id"] for each in inbox(pump)[-len(ids) :]}
    for days in (9, -9):
        jumped(pump.daemon, clock, days)
        clock.advance(minutes=6)  # what was old goes, so the others were looked at, too
        eventually(lambda: pump.api.show(pump.id, "old").status == 404)
        assert [pump.record(message_id) for message_id in ids] == records
        assert notified <= {each["_id"] for each in inbox(pump)}
    clock.advance(minutes=DAY)
    eventually(lambda: all(pump.api.show(pump.id, message_id).status == 404 for message_id in ids))


@pytest.mark.parametrize("days", [1, -1])
def test_a_message_for_a_time_is_sent_as_much_later_as_was_asked_for(
    pump: Account, clock: SharedClock, days: int
) -> None:
    moment = clock() // 1000 + 300
    text = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    pump.send("hello", message_id="m", ttl=60, send_at=text)
    device = pump.connect()
    jumped(pump.daemon, clock, days)
    shown = datetime.fromisoformat(pump.record("m")["send_at"]).timestamp()
    assert abs(shown - moment - days * 86_400) < 5
    clock.advance(seconds=200)
    assert pump.send("now", message_id="now", payload_format="raw")
    assert device.next().payload == b"now"
    clock.advance(seconds=101)
    assert device.next().payload
    assert pump.final("m")["status"] == "DELIVERED"


@pytest.mark.parametrize("days", [1, -1])
def test_a_target_that_fails_is_tried_again(new_device: NewClocked, clock: SharedClock, days: int) -> None:
    pump = new_device({"webhooks.allow_private": True, "webhooks.first_wait": 60, "webhooks.longest_wait": 60})
    with Target(lambda _: 204 if len(target.pushed) > 1 else 500) as target:
        push_to(pump.daemon, target.url)
        pump.send()
        eventually(lambda: target.pushed)
        jumped(pump.daemon, clock, days)
        assert len(target.pushed) == 1
        clock.advance(seconds=60)
        eventually(lambda: len(target.pushed) > 1)
        assert abs(int(target.pushed[-1].timestamp) - clock() / 1000) < 60


def test_a_batch_task_begins_as_much_later_as_was_asked_for(pump: Account, clock: SharedClock) -> None:
    moment = datetime.fromtimestamp(clock() // 1000 + 3600, UTC).strftime("%Y%m%dT%H%M%SZ")
    scheduled = create(pump.daemon, [pump.id], task_policy={"schedule_time": moment})
    jumped(pump.daemon, clock, -1)
    pump.daemon.restart()
    at_once = create(pump.daemon, [pump.id])
    eventually(lambda: task(pump.daemon, at_once)["status"] == "Processing")
    assert task(pump.daemon, scheduled)["status"] == "Waitting"
    shown = task(pump.daemon, scheduled)["task_policy"]["schedule_time"]
    assert abs(at(shown) - clock() / 1000 - 3600) < 60
    clock.advance(minutes=61)
    eventually(lambda: task(pump.daemon, scheduled)["status"] == "Processing")


@JUMPS
def test_sessions_and_what_they_are_owed_and_retained_messages_keep_their_time(
    pump: Account, clock: SharedClock, closing: ExitStack, days: int, how: str
) -> None:
    sender = Account(pump.daemon, closing)
    device = pump.connect_raw(clean=False)
    device.subscribe("news/#", 1)
    device.close()
    source = sender.connect_raw()
    for packet_id, retain in ((1, False), (2, True)):
        topic = "kept" if retain else "news/x"
        properties = Properties(message_expiry_interval=600)
        source.send(Publish(topic, b"hello", 1, retain, False, packet_id, properties))
        assert source.expect(Puback).reason_code < 0x80
    jump(pump, clock, days, how)
    clock.advance(seconds=300)
    back = pump.raw()
    connack = back.try_connect(clean_start=False, properties=Properties(session_expiry_interval=3600))
    assert connack.session_present
    for message in (back.next_message(), _retained(back)):
        assert 0 < message.properties["message_expiry_interval"] <= 600
    clock.advance(seconds=301)
    watcher = sender.connect_raw()
    watcher.subscribe("kept", 1)
    assert watcher.before_pong() == []


def _retained(client: RawDevice) -> Publish:
    client.subscribe("kept", 1)
    return client.next_message()
