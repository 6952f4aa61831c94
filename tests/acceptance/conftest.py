"""Daemons for the tests, and their logs with the tests that fail."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.mqtt import Version
from tests.acceptance.account import Account
from tests.acceptance.caller import APP, Caller
from tests.acceptance.clock import SharedClock
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Device, Login

ACK_WAIT = 0.05
"""Seconds a POST waits for a device that does not acknowledge; short, because many here do not."""
LOG_SHOWN = 2500

NewDaemon = Callable[..., Daemon]
Operator = Callable[..., Device]


@pytest.fixture(params=[Version.V31, Version.V311, Version.V5], ids=["mqtt3.1", "mqtt3.1.1", "mqtt5"])
def version(request: pytest.FixtureRequest) -> Version:
    found: Version = request.param
    return found


@pytest.fixture(params=[0, 1, 2], ids=["qos0", "qos1", "qos2"])
def qos(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon that most tests share; each has devices of its own."""
    shared = Daemon(tmp_path_factory.mktemp("shared"), {"delivery.ack_wait": ACK_WAIT})
    try:
        shared.start()
        yield shared
    finally:
        shared.close()


@pytest.fixture
def new_daemon(tmp_path: Path) -> Iterator[NewDaemon]:
    """A daemon for one test alone, started; with the arguments of `Daemon`."""
    with ExitStack() as stack:

        def start(settings: dict[str, object] | None = None, **options: Any) -> Daemon:
            folder = tmp_path / f"daemon-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            own = Daemon(folder, {"delivery.ack_wait": ACK_WAIT, **(settings or {})}, **options)
            stack.callback(own.close)
            own.start()
            return own

        yield start


@pytest.fixture
def closing(new_daemon: NewDaemon) -> Iterator[ExitStack]:
    """What a test opened is closed after it, and before daemons of its own end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pump(daemon: Daemon, closing: ExitStack) -> Account:
    """A device of the shared daemon."""
    return Account(daemon, closing)


@pytest.fixture
def other(daemon: Daemon, closing: ExitStack) -> Account:
    """Another device of the shared daemon."""
    return Account(daemon, closing)


@pytest.fixture
def operator(daemon: Daemon, closing: ExitStack) -> Operator:
    """Connects as an admin of the shared daemon; with the arguments of `Device`."""
    return partial(operator_of, daemon, closing)


def operator_of(daemon: Daemon, closing: ExitStack, version: Version = Version.V5, **options: Any) -> Device:
    """An admin on MQTT: the project as user name, the admin's token as password."""
    device = Device(daemon.mqtt, Login("default", daemon.token, "operator"), version, **options)
    closing.callback(device.close)
    return device.connect()


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedClock]:
    """The time of daemons made with `clocked_daemon`."""
    with SharedClock(tmp_path_factory.mktemp("clock") / "offset") as shared:
        yield shared


def clocked_daemon(folder: Path, clock: SharedClock, settings: dict[str, object] | None = None) -> Daemon:
    """Not started yet."""
    program = ("-m", "tests.acceptance.clocked_daemon", str(clock.file))
    return Daemon(folder, {"delivery.ack_wait": ACK_WAIT, **(settings or {})}, program=program, clock=clock)


CHANNEL_RULES = """
[channels.rules.'[a-y0-9].*']
"""
"""Channels that begin with z are not permitted."""


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A daemon with channel rules."""
    daemon = Daemon(tmp_path_factory.mktemp("asked"), config=CHANNEL_RULES)
    try:
        daemon.start()
        yield Caller(daemon)
    finally:
        daemon.close()


@pytest.fixture
def news(ask: Caller) -> Caller:
    """With a subscriber `app` of the channel `news`, who has heard nothing."""
    ask("DELETE", APP)
    ask("PUT", APP)
    return ask


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for daemon in Daemon.alive.values():
            report.sections.append((f"log of {daemon.data_dir.parent.name}", daemon.log[-LOG_SHOWN:]))
    return report
