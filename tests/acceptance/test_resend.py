"""What a device did not acknowledge."""

from contextlib import ExitStack

import pytest

from bridge.mqtt import Puback, Pubcomp, Publish, Pubrec, Pubrel, Version
from tests.acceptance.account import Account, numbered
from tests.acceptance.daemon import Daemon
from tests.acceptance.raw_device import RawDevice

LONGER_THAN_ANY_ACK_WAIT = 1.5
SESSIONS = pytest.mark.parametrize("clean", [True, False], ids=["clean", "kept"])


def _take(device: RawDevice, count: int) -> list[Publish]:
    return [device.next_message() for _ in range(count)]


@SESSIONS
def test_what_was_not_acknowledged_comes_again_as_duplicate(pump: Account, version: Version, clean: bool) -> None:
    device = pump.connect_raw(version, clean=clean)
    for text in ("a", "b", "c"):
        pump.send(text, message_id=text)
    first = _take(device, 3)
    assert not any(publish.dup for publish in first)
    device.send(Puback(first[1].packet_id))
    assert pump.final("b")["status"] == "DELIVERED"
    device.close()
    device = pump.connect_raw(version, clean=clean)
    again = _take(device, 2)
    assert all(publish.dup for publish in again)
    assert [(p.packet_id, p.payload) for p in again] == [(p.packet_id, p.payload) for p in (first[0], first[2])]
    device.send(*(Puback(publish.packet_id) for publish in again))
    assert {pump.final(text)["status"] for text in ("a", "c")} == {"DELIVERED"}
    assert device.before_pong() == []


def test_at_qos_2_what_was_not_received_comes_again(pump: Account, version: Version) -> None:
    device = pump.connect_raw(version, clean=False)
    device.subscribe(pump.inbox, 2)
    message_id = pump.send()
    first = device.next_message()
    device.close()
    device = pump.connect_raw(version, clean=False)
    again = device.next_message()
    assert (again.qos, again.dup, again.packet_id) == (2, True, first.packet_id)
    device.send(Pubrec(again.packet_id))
    device.expect(Pubrel)
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_at_qos_2_only_the_release_comes_again_after_pubrec(pump: Account, version: Version) -> None:
    device = pump.connect_raw(version, clean=False)
    device.subscribe(pump.inbox, 2)
    message_id = pump.send()
    packet_id = device.next_message().packet_id
    device.send(Pubrec(packet_id))
    device.expect(Pubrel)
    device.close()
    device = pump.connect_raw(version, clean=False)
    assert device.expect(Pubrel).packet_id == packet_id
    device.send(Pubcomp(packet_id))
    assert device.before_pong() == []
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_nothing_is_sent_again_on_a_live_connection(daemon: Daemon, closing: ExitStack) -> None:
    pumps = [Account(daemon, closing) for _ in Version]
    devices = [pump.connect_raw(version) for pump, version in zip(pumps, Version, strict=True)]
    for pump in pumps:
        assert pump.post(message_id="slow").body["result"]["status"] == "PENDING"
    first = [device.next_message() for device in devices]
    devices[0].quiet_for(LONGER_THAN_ANY_ACK_WAIT)
    for pump, device, publish in zip(pumps, devices, first, strict=True):
        assert device.before_pong() == []
        assert pump.status("slow") == "PENDING"
        device.send(Puback(publish.packet_id))
        assert pump.final("slow")["status"] == "DELIVERED"
        assert device.before_pong() == []


def test_one_unacknowledged_message_does_not_block_the_others(pump: Account, version: Version) -> None:
    for message_id in numbered(200):
        pump.send(message_id, message_id=message_id)
    device = pump.connect_raw(version)
    device.next_message()
    for _ in range(199):
        device.send(Puback(device.next_message().packet_id))
    assert pump.final("m-0199")["status"] == "DELIVERED"
    assert pump.status("m-0000") == "PENDING"


def test_a_message_that_came_again_keeps_its_message_id(pump: Account, version: Version) -> None:
    device = pump.connect(version, manual_ack=True)
    message_id = pump.send()
    first = device.next()
    device.close()
    again = pump.connect(version).next()
    assert (again.payload, again.dup) == (first.payload, True)
    assert message_id.encode() in again.payload
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_a_state_moves_once_when_both_copies_are_acknowledged(pump: Account) -> None:
    device = pump.connect_raw()
    message_id = pump.send()
    publish = device.next_message()
    device.close()
    device = pump.connect_raw()
    device.next_message()
    device.send(Puback(publish.packet_id))
    record = pump.final(message_id)
    device.send(Puback(publish.packet_id, 0x80))
    device.before_pong()
    assert pump.record(message_id) == record
