"""The commands, called as a person would, and stand-ins for the daemon they talk to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from bridge.cli.database import opened
from bridge.cli.main import cli
from tests.cli.api_server import ApiServer
from tests.cli.mqtt_server import MqttServer

Call: TypeAlias = Callable[..., Result]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def database(data_dir: Path) -> None:
    """The data folder as a daemon leaves it."""
    with opened(data_dir, create=True):
        pass


@pytest.fixture
def call(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a command in this process; its data folder is `data_dir`."""
    monkeypatch.setenv("DEVICE_BRIDGE_DATA_DIR", str(data_dir))
    for name in ("CONFIG", "HTTP", "MQTT", "SECRET", "TOKEN"):
        monkeypatch.delenv(f"DEVICE_BRIDGE_{name}", raising=False)

    def run(*args: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, args, input=stdin, prog_name="device-bridge")

    return run


@pytest.fixture
def ok(call: Call) -> Callable[..., str]:
    """Run a command that has to succeed; returns what it printed on stdout."""

    def run(*args: str, stdin: str | None = None) -> str:
        result = call(*args, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture
def api_server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


@pytest.fixture
def mqtt_server() -> Iterator[MqttServer]:
    with MqttServer() as server:
        yield server
