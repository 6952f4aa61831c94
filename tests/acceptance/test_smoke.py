"""The daemon as a whole in a few seconds: what a quick run has of these tests."""

from contextlib import ExitStack

from bridge.mqtt import Version
from tests.acceptance.account import Account
from tests.acceptance.caller import Caller
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon


def test_a_message_is_delivered(pump: Account, version: Version) -> None:
    device = pump.connect(version)
    message_id = pump.send("hello", payload_format="raw")
    received = device.next()
    assert (received.topic, received.payload) == (pump.inbox, b"hello")
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_a_message_survives_kill_9_and_the_daemon_stops_in_order(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pump = Account(daemon, closing)
    message_id = pump.send("hello", payload_format="raw")
    daemon.kill()
    daemon.start()
    pump.daemon_restarted()
    assert pump.connect().next().payload == b"hello"
    assert pump.final(message_id)["status"] == "DELIVERED"
    daemon.stop()


def test_it_says_how_it_is(daemon: Daemon) -> None:
    ask = Caller(daemon)
    assert [ask("GET", path).status for path in ("/healthz", "/readyz", "/openapi.json")] == [200, 200, 200]


def test_a_command_reaches_it(daemon: Daemon) -> None:
    daemon.command("device", "add", "smoke-lamp")
    assert "smoke-lamp" in daemon.command("device", "list")
