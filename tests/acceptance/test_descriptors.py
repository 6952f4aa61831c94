"""The daemon with few file descriptors: it says so, keeps those that it needs itself, and recovers."""

import resource
import socket
from contextlib import ExitStack
from typing import Literal

import pytest

from tests.acceptance.account import Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.waiting import eventually

SOFT, HARD = 60, 200
LIMITED = (
    "-c",
    f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({SOFT}, {HARD}))\n"
    "from bridge.cli.main import main; main()",
)
"""The arguments of Python for a daemon whose limits are these."""
REFUSED = 'msg="connections are refused: too many open files"'


def crowd(daemon: Daemon, listener: Literal["http", "mqtt"], closing: ExitStack) -> list[socket.socket]:
    """More connections than the daemon can have; none says anything."""
    address = daemon.http if listener == "http" else daemon.mqtt
    return [closing.enter_context(socket.create_connection(address, 10)) for _ in range(HARD + 50)]


def is_closed(connection: socket.socket) -> bool:
    """By the daemon; nothing was sent to it, so there is nothing else to read."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def answers(daemon: Daemon) -> bool:
    """On a new connection."""
    try:
        with daemon.api("") as api:
            return api.call("GET", "/healthz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("listener", ["http", "mqtt"])
def test_a_crowd_leaves_the_daemon_what_it_needs_itself(
    new_daemon: NewDaemon, closing: ExitStack, listener: Literal["http", "mqtt"]
) -> None:
    daemon = new_daemon(program=LIMITED)
    assert resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE) == (HARD, HARD)
    pump = Account(daemon, closing)
    device = pump.connect()
    pump.send("before")  # opens the application's connection
    device.next()
    with ExitStack() as crowded:
        crowd_members = crowd(daemon, listener, crowded)
        eventually(lambda: is_closed(crowd_members[-1]))
        kept = sum(not is_closed(connection) for connection in crowd_members)
        assert 0 < kept < HARD * 3 / 4
        pump.send("while it is crowded")
        assert b"while it is crowded" in device.next().payload
        assert daemon.log.count(REFUSED) == 1
        assert daemon.command("device", "list")
    eventually(lambda: answers(daemon))
    Account(daemon, closing).connect()
    assert daemon.log.count(REFUSED) == 1


def test_a_configuration_that_promises_more_than_the_system_gives(new_daemon: NewDaemon) -> None:
    line = 'msg="the limit of open files is too low for mqtt.max_connections" limit=200 for_connections=150'
    assert f"{line} max_connections=100000" in new_daemon(program=LIMITED).log
    assert line not in new_daemon({"mqtt.max_connections": 100}, program=LIMITED).log
