"""SIGTERM: everybody is told, and nothing is lost."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge.mqtt import Puback, Version
from tests.acceptance.account import Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.http_api import Answer
from tests.acceptance.raw_device import RawDevice

PATIENT = {"delivery.ack_wait": 30}
"""A POST waits longer than any of these tests takes."""
SHUTTING_DOWN = 0x8B


def test_a_post_is_answered_with_delivered_when_the_acknowledgement_is_in(
    new_daemon: NewDaemon, closing: ExitStack
) -> None:
    pump = Account(new_daemon(PATIENT), closing)
    device = pump.connect()
    answer = pump.post(message_id="taken")
    assert (answer.status, answer.body["message_id"]) == (201, "taken")
    assert answer.body["result"]["status"] == "DELIVERED"
    assert answer.body["result"]["finished_time"] >= answer.body["result"]["created_time"]
    assert pump.status("taken") == "DELIVERED"
    device.close()


def test_a_post_is_answered_with_the_refusal_of_the_device(new_daemon: NewDaemon, closing: ExitStack) -> None:
    pump = Account(new_daemon(PATIENT), closing)
    device = pump.connect_raw()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(pump.post)
        device.send(Puback(device.next_message().packet_id, 0x97))
        assert answer.result().body["result"]["status"] == "FAILED"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT], ids=lambda ending: ending.name)
def test_who_waits_is_answered_and_devices_are_told(
    new_daemon: NewDaemon, closing: ExitStack, ending: signal.Signals
) -> None:
    daemon = new_daemon(PATIENT)
    pumps = [Account(daemon, closing) for _ in Version]
    devices = [pump.connect_raw(version) for pump, version in zip(pumps, Version, strict=True)]
    with ThreadPoolExecutor(len(pumps)) as pool:
        answers = [pool.submit(pump.post, message_id="waiting") for pump in pumps]
        for device in devices:
            device.next_message()
        daemon.signal(ending)
        for answer in answers:
            _accepted(answer.result())
    for device in devices:
        assert device.ended_with() == (SHUTTING_DOWN if device.version is Version.V5 else None)
    daemon.ended()
    daemon.start()
    for pump in pumps:
        pump.daemon_restarted()
        assert pump.status("waiting") == "PENDING"
        pump.connect().next()
        assert pump.final("waiting")["status"] == "DELIVERED"


def _accepted(answer: Answer) -> None:
    assert (answer.status, answer.body["result"]["status"]) == (201, "PENDING")


def test_nothing_accepts_connections_after_the_end(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pump = Account(daemon, closing)
    daemon.stop()
    for address in (daemon.http, daemon.mqtt):
        with pytest.raises(ConnectionRefusedError):
            RawDevice(address, pump.login)
    assert not (daemon.data_dir / "addresses.json").exists()


def test_finished_messages_and_sessions_with_the_store_survive(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pump = Account(daemon, closing)
    pump.send("waits", message_id="waits", name="order", topic="later", payload_format="raw")
    device = pump.connect()
    pump.send(message_id="taken")
    device.next()
    before = [pump.final("taken"), pump.record("waits")]
    daemon.restart()
    pump.daemon_restarted()
    assert [pump.record("taken"), pump.record("waits")] == before
    assert pump.post(message_id="taken").status == 400
    device = pump.connect()
    device.subscribe(f"{pump.tree}/user/later")
    assert device.next().payload == b"waits"


def test_the_demo_ends_well() -> None:
    command = [sys.executable, "-m", "bridge", "demo"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "DELIVERED" in done.stdout
