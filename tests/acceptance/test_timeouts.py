"""Clients that say nothing."""

import time

import pytest

from bridge.mqtt import Pingreq, Pingresp, Version
from tests.acceptance.account import NOBODY, Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.raw_device import RawDevice

CONNECT_TIMEOUT = 0.5
NOTICED_LATE = 1.5
"""Seconds: the daemon looks four times a second, and may be busy."""
KEEP_ALIVE_TIMEOUT = 0x8D


def _seconds_until_ended(device: RawDevice, version: Version) -> float:
    start = time.monotonic()
    assert device.ended_with() == (KEEP_ALIVE_TIMEOUT if version is Version.V5 else None)
    return time.monotonic() - start


def test_a_silent_client_is_disconnected_after_one_and_a_half_keep_alives(pump: Account, version: Version) -> None:
    device = pump.raw(version).connect(keep_alive=1)
    assert 1.5 <= _seconds_until_ended(device, version) <= 1.5 + NOTICED_LATE
    answer = pump.post(ttl=0)
    assert answer.body["result"]["status"] == "FAILED"


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


@pytest.mark.parametrize("said", ["", "10", "10 20 00 04 4d 51"], ids=["nothing", "a-byte", "half-a-connect"])
def test_a_connection_without_connect_is_closed(new_daemon: NewDaemon, said: str) -> None:
    daemon = new_daemon({"mqtt.connect_timeout": CONNECT_TIMEOUT})
    device = RawDevice(daemon.mqtt, NOBODY)
    start = time.monotonic()
    try:
        device.send_bytes(bytes.fromhex(said))
        device.ended()
    finally:
        device.close()
    assert CONNECT_TIMEOUT <= time.monotonic() - start <= CONNECT_TIMEOUT + NOTICED_LATE
