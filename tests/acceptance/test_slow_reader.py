"""Devices that do not read what they are sent."""

from contextlib import ExitStack

from bridge.mqtt import Puback
from tests.acceptance.account import Account, numbered
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.raw_device import RawDevice

DEVICES = 6
MESSAGES = 30
SIZE = 250_000
GROWTH = 20 * 1024 * 1024
"""Bytes; all that waits for these devices is more than twice as much."""


def _take_all(pump: Account, device: RawDevice) -> None:
    for number in range(MESSAGES):
        publish = device.next_message()
        assert publish.payload.startswith(b"%04d" % number)
        device.send(Puback(publish.packet_id))
    for message_id in numbered(MESSAGES):
        assert pump.final(message_id)["status"] == "DELIVERED"


def test_devices_that_do_not_read_cost_little_and_lose_nothing(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pumps = [Account(daemon, closing) for _ in range(DEVICES)]
    for number, message_id in enumerate(numbered(MESSAGES)):
        for pump in pumps:
            pump.send(f"{number:04d}" + "x" * SIZE, message_id=message_id, payload_format="raw")
    before = daemon.memory
    devices = [pump.connect_raw() for pump in pumps]
    honest = Account(daemon, closing)
    listener = honest.connect()
    for _ in range(5):
        honest.send()
        listener.next()
    assert daemon.memory - before <= GROWTH
    for pump, device in zip(pumps, devices, strict=True):
        _take_all(pump, device)


def test_a_device_that_does_not_read_does_not_hold_up_the_end(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pump = Account(daemon, closing)
    for message_id in numbered(MESSAGES):
        pump.send("x" * SIZE, message_id=message_id)
    pump.connect_raw()
    daemon.restart()
    pump.daemon_restarted()
    assert len(pump.connect().take(MESSAGES)) == MESSAGES
