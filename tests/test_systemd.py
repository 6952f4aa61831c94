"""Notifications to systemd, received on a real socket."""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.systemd import Supervisor

PATIENCE = 5.0


@pytest.fixture(params=["file", "abstract"])
def channel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """The socket of the service manager, and how the environment names it."""
    name = f"@bridge-{secrets.token_hex(8)}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name.replace("@", "\0"))
        receiver.setblocking(False)
        yield receiver, name


async def receive(receiver: socket.socket) -> str:
    async with asyncio.timeout(PATIENCE):
        return (await asyncio.get_running_loop().sock_recv(receiver, 100)).decode()


def nothing(receiver: socket.socket) -> bool:
    try:
        receiver.recv(100)
    except BlockingIOError:
        return True
    return False


def test_the_unit_waits_for_the_right_time() -> None:
    unit = (Path(__file__).parents[1] / "systemd/device-bridge.service").read_text(encoding="utf-8")
    assert "After=time-sync.target" in unit.splitlines()


async def test_ready_and_stopping(channel: tuple[socket.socket, str]) -> None:
    receiver, name = channel
    supervisor = Supervisor({"NOTIFY_SOCKET": name})
    supervisor.ready()
    assert await receive(receiver) == "READY=1"
    assert nothing(receiver)
    supervisor.stopping()
    assert await receive(receiver) == "STOPPING=1"


@pytest.mark.parametrize("pid", [{}, {"WATCHDOG_PID": str(os.getpid())}])
async def test_the_watchdog_is_fed_twice_as_often_as_it_wants(
    channel: tuple[socket.socket, str], pid: dict[str, str]
) -> None:
    receiver, name = channel
    supervisor = Supervisor({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000", **pid})
    loop = asyncio.get_running_loop()
    start = loop.time()
    supervisor.ready()
    states = [await receive(receiver) for _ in range(4)]
    assert states == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]
    assert loop.time() - start >= 0.09
    supervisor.status("the store refuses writes: full")
    assert await receive(receiver) == "STATUS=the store refuses writes: full"
    supervisor.stopping()
    assert await receive(receiver) == "STOPPING=1"
    assert nothing(receiver)


async def test_the_watchdog_of_another_process(channel: tuple[socket.socket, str]) -> None:
    receiver, name = channel
    supervisor = Supervisor({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid() + 1)})
    supervisor.ready()
    assert await receive(receiver) == "READY=1"
    assert nothing(receiver)
    supervisor.stopping()


async def test_nobody_to_notify() -> None:
    supervisor = Supervisor({})
    supervisor.ready()
    supervisor.stopping()


async def test_systemd_cannot_be_reached(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The service goes on."""
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nothing")}).ready()
    assert "systemd cannot be told" in caplog.text
