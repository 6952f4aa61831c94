"""Clients that say nothing."""

import time
from contextlib import ExitStack

import pytest

from bridge.mqtt import Pingreq, Pingresp, Version
from tests.acceptance.account import NOBODY, Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.raw_device import RawDevice

CONNECT_TIMEOUT = 0.5
PARTS = (b"", b"\x10", b"\x10\x7f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x71")
"""Nothing, the first byte, and the first part of a CONNECT with a client identifier of 113 characters."""
NOTICED_LATE = 1.5
"""Seconds: the daemon looks four times a second, and may be busy."""
KEEP_ALIVE_TIMEOUT = 0x8D


def test_silent_clients_are_disconnected_after_one_and_a_half_keep_alives(daemon: Daemon, closing: ExitStack) -> None:
    pumps = [Account(daemon, closing) for _ in Version]
    devices = [pump.raw(version).connect(keep_alive=1) for pump, version in zip(pumps, Version, strict=True)]
    start = time.monotonic()
    for pump, device in zip(pumps, devices, strict=True):
        assert device.ended_with() == (KEEP_ALIVE_TIMEOUT if device.version is Version.V5 else None)
        assert 1.4 <= time.monotonic() - start <= 1.5 + NOTICED_LATE
        assert pump.post(ttl=0).body["result"]["status"] == "FAILED"


def test_a_client_that_pings_stays(pump: Account) -> None:
    device = pump.raw().connect(keep_alive=1)
    for _ in range(3):
        device.quiet_for(0.7)
        device.send(Pingreq())
        device.expect(Pingresp)


def test_what_is_sent_to_a_silent_client_does_not_keep_it_alive(pump: Account) -> None:
    device = pump.raw().connect(keep_alive=1)
    start = time.monotonic()
    for _ in range(3):
        pump.send()
        device.next_message()
    assert device.ended_with() == KEEP_ALIVE_TIMEOUT
    assert time.monotonic() - start <= 1.5 + NOTICED_LATE


@pytest.mark.parametrize("trickle", [False, True], ids=["silent", "trickling"])
def test_a_connection_without_connect_is_closed(new_daemon: NewDaemon, trickle: bool) -> None:
    daemon = new_daemon({"mqtt.connect_timeout": CONNECT_TIMEOUT})
    start = time.monotonic()
    with ExitStack() as opened:
        devices = [RawDevice(daemon.mqtt, NOBODY) for _ in PARTS]
        for device, part in zip(devices, PARTS, strict=True):
            opened.callback(device.close)
            device.send_bytes(part)
        if trickle:
            _trickled(devices)
        for device in devices:
            device.ended()
    assert CONNECT_TIMEOUT <= time.monotonic() - start <= CONNECT_TIMEOUT + NOTICED_LATE


def _trickled(devices: list[RawDevice]) -> None:
    """A byte of a long CONNECT now and then, until the server has had enough."""
    for _ in range(100):
        if devices[-1].hears_within(0.1):
            break
        devices[-1].send_bytes(b"x")
