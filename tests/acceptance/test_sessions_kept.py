"""kill -9: sessions that are kept, what waits in them, and what was half-way, are there again."""

from contextlib import ExitStack

import pytest

from bridge.mqtt import (
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Version,
    Will,
)
from tests.acceptance.account import Account
from tests.acceptance.clock import SharedClock
from tests.acceptance.conftest import NewDaemon, clocked_daemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.raw_device import RawDevice
from tests.acceptance.test_disk import full_disk, writing


def _killed(daemon: Daemon) -> None:
    daemon.kill()
    daemon.start()


def _publish(sender: RawDevice, topic: str, payload: bytes, qos: int) -> None:
    sender.send(Publish(topic, payload, qos, packet_id=9))
    if qos == 1:
        assert sender.expect(Puback).reason_code == 0
        return
    assert sender.expect(Pubrec).reason_code == 0
    sender.send(Pubrel(9))
    sender.expect(Pubcomp)


def _back(account: Account, version: Version = Version.V5) -> RawDevice:
    device = account.raw(version)
    properties: Properties = {"session_expiry_interval": 3600} if version is Version.V5 else {}
    connack = device.try_connect(clean_start=False, properties=properties)
    assert (connack.reason_code, connack.session_present) == (0, version is not Version.V31)
    return device


def test_subscriptions_and_what_waits_survive_a_kill(
    new_daemon: NewDaemon, closing: ExitStack, version: Version
) -> None:
    daemon = new_daemon()
    pump, sender = Account(daemon, closing), Account(daemon, closing)
    device = pump.connect_raw(version, clean=False)
    device.subscribe("news/#", 2)
    device.close()
    source = sender.connect_raw()
    for number, qos in enumerate((1, 2, 1)):
        _publish(source, "news/x", str(number).encode(), qos)
    _killed(daemon)
    device = _back(pump, version)
    got = [device.next_message() for _ in range(3)]
    assert [(each.payload, each.qos, each.dup) for each in got] == [
        (b"0", 1, False),
        (b"1", 2, False),
        (b"2", 1, False),
    ]
    _killed(daemon)  # nothing of that was acknowledged
    again = [_back(pump, version).next_message()]
    assert again[0].payload == b"0"


def test_qos_2_is_exactly_once_in_both_directions_through_a_kill(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pump, other = Account(daemon, closing), Account(daemon, closing)
    receiver = other.connect_raw(clean=False)
    receiver.subscribe("a", 2)
    sender = pump.connect_raw(clean=False)
    sender.send(Publish("a", b"once", 2, packet_id=7))
    sender.expect(Pubrec)
    first = receiver.next_message()
    _killed(daemon)
    sender, receiver = _back(pump), _back(other)
    again = receiver.next_message()
    assert (again.payload, again.packet_id, again.dup) == (b"once", first.packet_id, True)
    sender.send(Publish("a", b"once", 2, dup=True, packet_id=7))
    sender.expect(Pubrec)
    receiver.send(Pubrec(first.packet_id))
    receiver.expect(Pubrel)
    _killed(daemon)
    sender, receiver = _back(pump), _back(other)
    assert receiver.expect(Pubrel).packet_id == first.packet_id
    receiver.send(Pubcomp(first.packet_id))
    sender.send(Pubrel(7))
    assert sender.expect(Pubcomp) == Pubcomp(7)
    assert receiver.before_pong() == []


def test_a_delayed_will_survives_a_kill(tmp_path_factory: pytest.TempPathFactory, closing: ExitStack) -> None:
    with SharedClock(tmp_path_factory.mktemp("clock") / "offset") as clock:
        daemon = clocked_daemon(tmp_path_factory.mktemp("wills"), clock)
        closing.callback(daemon.close)
        daemon.start()
        pump, other = Account(daemon, closing), Account(daemon, closing)
        watcher = other.connect_raw(clean=False)
        watcher.subscribe("wills/#")
        device = pump.raw().connect(
            clean_start=False,
            will=Will("wills/x", b"gone", 1, properties={"will_delay_interval": 600}),
            properties={"session_expiry_interval": 3600},
        )
        device.close()
        watcher.before_pong()
        watcher.subscribe("unrelated")  # its SUBACK says that everything before it is on disk
        _killed(daemon)
        watcher = _back(other)
        assert watcher.before_pong() == []
        daemon.kill()
        clock.advance(seconds=601)
        daemon.start()
        watcher = _back(other)
        assert watcher.next_message().payload == b"gone"


def test_a_full_disk_acknowledges_nothing_for_sessions_that_are_away(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(expected=("the store refuses writes",))
    pump, sender = Account(daemon, closing), Account(daemon, closing)
    device = pump.connect_raw(clean=False)
    device.subscribe("news", 1)
    device.close()
    source = sender.connect_raw()
    _publish(source, "news", b"stored", 1)
    with full_disk(daemon):
        source.send(Publish("news", b"x" * 500_000, 1, packet_id=3))
        assert source.expect(Puback).reason_code == 0x83
    daemon.restart()
    device = _back(pump)
    assert device.next_message().payload == b"stored"
    assert device.before_pong() == []


def test_a_suback_outlives_the_daemon(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pump = Account(daemon, closing)
    device = pump.connect_raw(clean=False)
    device.send(Subscribe(1, [Subscription("a", 1), Subscription("b", 2)]))
    device.expect(Suback)
    _killed(daemon)
    device = _back(pump)
    device.send(Publish("b", b"x", 1, packet_id=9))
    assert device.next_message().payload == b"x"


def test_no_pubrel_leaves_before_a_kill_cannot_undo_it(new_daemon: NewDaemon, closing: ExitStack) -> None:
    """QoS 2 between clients, and of an application: the client would take what comes again for another message."""
    daemon = new_daemon({"mqtt.downlink_qos": 2}, expected=("cannot write", "not written"))
    pump, sender = Account(daemon, closing), Account(daemon, closing)
    device = pump.connect_raw(clean=False)
    device.subscribe("news", 2)
    _publish(sender.connect_raw(), "news", b"between clients", 2)
    sent = [device.next_message()]
    message_id = pump.send("of an application", payload_format="raw")
    sent.append(device.next_message())
    with writing(daemon):
        device.send(*(Pubrec(each.packet_id) for each in sent))
        assert device.before_pong() == []
        device.close()
        device = _back(pump)
        assert device.before_pong() == []
        daemon.kill()
    daemon.start()
    pump.daemon_restarted()
    device = _back(pump)
    again = {message.packet_id: message for message in (device.next_message(), device.next_message())}
    assert [again[each.packet_id].payload for each in sent] == [each.payload for each in sent]
    assert all(message.dup for message in again.values())
    device.send(*(Pubrec(each.packet_id) for each in sent))
    assert {device.expect(Pubrel).packet_id for _ in sent} == set(again)
    assert pump.final(message_id)["status"] == "DELIVERED"
    _killed(daemon)
    device = _back(pump)
    assert {device.expect(Pubrel).packet_id for _ in sent} == set(again)
    device.send(*(Pubcomp(each.packet_id) for each in sent))
    assert device.before_pong() == []
