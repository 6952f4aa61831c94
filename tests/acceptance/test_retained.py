"""Retained messages outlive the daemon, and what is acknowledged is stored."""

from contextlib import ExitStack

from bridge.mqtt import Puback, Publish, Version
from tests.acceptance.account import Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.raw_device import RawDevice
from tests.acceptance.test_disk import LARGE, full_disk

ROUNDS = 3
MOST = 50
"""Messages that are not acknowledged at once, fewer than what a client has to hold back on."""


def retained(client: RawDevice) -> dict[str, bytes]:
    """What there is, as a new subscription is told."""
    assert client.subscribe("#", 0) == 0
    found = [packet for packet in client.before_pong() if isinstance(packet, Publish)]
    while more := [packet for packet in client.before_pong() if isinstance(packet, Publish)]:
        found += more
    assert all(each.retain for each in found)
    return {each.topic: each.payload for each in found}


def test_what_was_acknowledged_survives_kill_9(new_daemon: NewDaemon, closing: ExitStack, version: Version) -> None:
    daemon = new_daemon()
    pump, watcher = Account(daemon, closing), Account(daemon, closing)
    expected: dict[str, bytes] = {}
    for turn in range(ROUNDS):
        client = pump.raw(version).connect()
        published = {number: (f"state/{number * 7 % 20}", b"%d.%d" % (turn, number)) for number in range(1, MOST)}
        client.send(*(Publish(*message, 1, True, packet_id=number) for number, message in published.items()))
        acknowledged = [client.expect(Puback).packet_id for _ in range(MOST // 2)]
        daemon.kill()
        assert acknowledged == list(published)[: MOST // 2]
        expected.update(published[number] for number in acknowledged)
        daemon.start()
        found = retained(watcher.raw(version).connect())
        assert found.keys() == expected.keys()
        later = set(list(published.values())[MOST // 2 :])
        assert all(found[topic] == payload or (topic, found[topic]) in later for topic, payload in expected.items())
        expected = found
        client.close()


def test_a_full_disk_keeps_what_was_retained(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(expected=("the store refuses writes",))
    pump, watcher = Account(daemon, closing), Account(daemon, closing)
    client = pump.raw().connect()
    client.send(Publish("state", b"before", 1, True, packet_id=1))
    assert client.expect(Puback).reason_code < 0x80
    with full_disk(daemon):
        client.send(Publish("state", LARGE.encode(), 1, True, packet_id=2))
        assert client.expect(Puback).reason_code == 0x83
        assert retained(watcher.raw().connect()) == {"state": b"before"}
        older = watcher.raw(Version.V311).connect()
        older.send(Publish("state", LARGE.encode(), 1, True, packet_id=1))
        older.ended()
    client.send(Publish("state", b"after", 1, True, packet_id=3))
    assert client.expect(Puback).reason_code < 0x80
    daemon.kill()
    daemon.start()
    assert retained(watcher.raw().connect()) == {"state": b"after"}
