"""Devices that come and go are heard of by poll, webhook and inbox alike: with a gateway, through kill -9, and
through a disk that is full."""

import json
import sqlite3
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

from bridge.model.record import Enrolment, Profile
from tests.acceptance.account import SECRET, Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.polling_api import Subscriber
from tests.acceptance.target import Target
from tests.acceptance.test_disk import full_disk
from tests.acceptance.test_webhooks import ALLOWED, nothing_waits, push_to
from tests.acceptance.waiting import eventually

CHANNEL = "device-status"
Heard = list[tuple[str, str]]


class Ears:
    """Everything that can be heard of connections, by each way of hearing: device and state, in order."""

    def __init__(self, daemon: Daemon, target: Target, closing: ExitStack) -> None:
        self._daemon = daemon
        self._target = target
        self._closing = closing
        self.subscriber = closing.enter_context(Subscriber(daemon, CHANNEL))
        self.subscriber.subscribe()
        self._action_id, _ = push_to(daemon, target.url, {"resource": "device.status", "event": "update"})
        self._polled: list[Any] = []

    def polled(self) -> Heard:
        return [_state(content) for content in self.events()]

    def events(self) -> list[Any]:
        while (page := self.subscriber.poll().body)["messages"]:
            self._polled += [message["content"] for message in page["messages"]]
            assert self.subscriber.acknowledge(page["ackHandle"]).status == 204
        return self._polled

    def pushed(self) -> Heard:
        """A push may come twice, with the same id, when the daemon dies."""
        eventually(partial(nothing_waits, self._daemon, self._action_id), 60)
        return [_state(json.loads(body)) for body in {each.id: each.body for each in self._target.pushed}.values()]

    def notified(self) -> Heard:
        with self._daemon.api() as api:
            notes = api.call("GET", "/api/v1/messages/history?limit=1000&importance=information").body
        return [_sentence(note["body"]["text"]) for note in reversed(notes)]

    def agree(self, expected: Heard) -> None:
        """In the order of each device."""
        eventually(lambda: len(self.polled()) >= len(expected))
        eventually(lambda: len(self.pushed()) >= len(expected))
        for way in (self.polled, self.pushed, self.notified):
            assert _by_device(way()) == _by_device(expected), way.__name__


def _state(content: Any) -> tuple[str, str]:
    notify = content["notify_data"]
    return notify["header"]["device_id"], notify["body"]["status"]


def _by_device(heard: Heard) -> dict[str, list[str]]:
    return {device: [state for about, state in heard if about == device] for device, _ in heard}


def gateway(daemon: Daemon, closing: ExitStack, *device_ids: str) -> Account:
    """One with devices behind it."""
    hub = Account(daemon, closing, "hub")
    with daemon.admin() as admin:
        for device_id in device_ids:
            admin.enrol("default", Enrolment(device_id, Profile(device_id), secret=SECRET, gateway_id="hub"))
    return hub


def test_a_gateway_brings_and_takes_the_devices_behind_it(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(ALLOWED)
    ears = Ears(daemon, closing.enter_context(Target()), closing)
    hub = gateway(daemon, closing, "near-1", "near-2")
    hub.connect().close()
    ids = ("hub", "near-1", "near-2")
    ears.agree([(each, state) for state in ("ONLINE", "OFFLINE") for each in ids])
    by_device = {_state(event): event["notify_data"] for event in ears.events()}
    assert by_device["near-1", "OFFLINE"]["header"]["gateway_id"] == "hub"
    assert by_device["near-1", "OFFLINE"]["body"] == by_device["hub", "OFFLINE"]["body"]


def test_what_was_connected_when_the_daemon_died_is_told_to_be_offline(
    new_daemon: NewDaemon, closing: ExitStack
) -> None:
    daemon = new_daemon(ALLOWED)
    ears = Ears(daemon, closing.enter_context(Target()), closing)
    hub, pump, idle = gateway(daemon, closing, "near"), Account(daemon, closing), Account(daemon, closing)
    hub.connect()
    pump.connect()
    idle.connect().close()
    expected = [(each, "ONLINE") for each in ("hub", "near", pump.id, idle.id)] + [(idle.id, "OFFLINE")]
    ears.agree(expected)
    daemon.kill()
    died = time.time()
    daemon.start()
    ears.subscriber.daemon_restarted()
    expected += [(each, "OFFLINE") for each in ("hub", "near", pump.id)]
    ears.agree(expected)
    for event in ears.events()[-3:]:
        body = event["notify_data"]["body"]
        assert body["status_update_time"] >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(died))
        assert body["last_online_time"] < body["status_update_time"]
    with daemon.api() as api:
        assert api.call("GET", f"/v5/iot/default/devices/{pump.id}").body["status"] == "OFFLINE"

    pump.daemon_restarted()
    pump.connect()
    expected.append((pump.id, "ONLINE"))
    ears.agree(expected)
    daemon.restart()  # in order: it is told then, and not a second time
    ears.subscriber.daemon_restarted()
    expected.append((pump.id, "OFFLINE"))
    ears.agree(expected)


def test_a_full_disk_loses_no_state(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(ALLOWED, expected=("the store refuses writes",))
    ears = Ears(daemon, closing.enter_context(Target()), closing)
    pump, other = Account(daemon, closing), Account(daemon, closing)
    staying = other.connect()
    ears.agree([(other.id, "ONLINE")])
    with full_disk(daemon):
        pump.connect()
        staying.close()
        eventually(lambda: "the store refuses writes" in daemon.log)
        assert ears.polled() == [(other.id, "ONLINE")]
    ears.agree([(other.id, "ONLINE"), (pump.id, "ONLINE"), (other.id, "OFFLINE")])


def test_state_event_and_notification_are_never_without_each_other(new_daemon: NewDaemon, closing: ExitStack) -> None:
    """kill -9 at any moment of devices coming and going."""
    daemon = new_daemon()
    subscriber = closing.enter_context(Subscriber(daemon, CHANNEL))
    subscriber.subscribe()
    pumps = [Account(daemon, closing) for _ in range(4)]
    for _ in range(4):
        for pump in pumps:
            pump.daemon_restarted()
        flapping = [pump.connect() for pump in pumps]
        for device in flapping[:2]:
            device.close()
        daemon.kill()
        told, notified, online = _stored(daemon)
        assert told == notified
        last = dict(told)
        assert {device: last.get(device) == "ONLINE" for device in online} == online
        daemon.start()


def _stored(daemon: Daemon) -> tuple[Heard, Heard, dict[str, bool]]:
    with sqlite3.connect(daemon.data_dir / "bridge.db") as database:
        contents = database.execute("SELECT content FROM event ORDER BY position").fetchall()
        texts = database.execute("SELECT text FROM notification ORDER BY key").fetchall()
        online = {device: bool(up) for device, up in database.execute("SELECT device_id, online FROM device")}
    told = [_state(json.loads(content)) for (content,) in contents]
    return told, [_sentence(text) for (text,) in texts], online


def _sentence(text: str) -> tuple[str, str]:
    """Device d is online."""
    _, device, _, state = text.split()
    return device, state.strip(".").upper()
