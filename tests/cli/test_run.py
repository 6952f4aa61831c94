"""`run` hands checked settings to the daemon."""

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import daemon
from bridge.cli import installed
from bridge.config import Settings
from bridge.model.errors import StoreUnavailable
from tests.cli.conftest import Call


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What the daemon was asked to run with; it returns at once."""
    seen: list[Settings] = []
    monkeypatch.setattr(daemon, "run", seen.append)
    return seen


def test_defaults(call: Call, runs: list[Settings], data_dir: Path) -> None:
    assert call("run").exit_code == 0
    assert runs == [Settings(data_dir)]
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


def test_options_and_file(call: Call, runs: list[Settings], tmp_path: Path) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text('[http]\nbind = "127.0.0.1:1"\n[log]\nlevel = "error"\n')
    data_dir = tmp_path / "other"
    listeners = ("--http", "127.0.0.1:0", "--mqtt", "[::1]:0")
    result = call("run", "--data-dir", str(data_dir), *listeners, "--config", str(file))
    assert result.exit_code == 0
    (settings,) = runs
    assert (settings.data_dir, settings.http.bind, settings.mqtt.bind) == (data_dir, "127.0.0.1:0", "[::1]:0")
    assert settings.log.level == "error"
    assert logging.getLogger().level == logging.ERROR


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The configuration file of an installed service."""
    monkeypatch.setattr(installed, "CONFIG_FILE", tmp_path / "service.toml")
    monkeypatch.setattr(installed, "DATA_DIR", tmp_path / "service")
    (tmp_path / "service.toml").write_text('[log]\nlevel = "error"\n')
    monkeypatch.delenv("DEVICE_BRIDGE_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "service.toml"


@pytest.mark.parametrize(
    ("words", "environment", "data_dir", "level"),
    [
        ((), {}, "service", "error"),
        (("--data-dir", "own"), {}, "own", "info"),
        ((), {"DEVICE_BRIDGE_DATA_DIR": "own"}, "own", "info"),
        (("--config", "own.toml"), {}, "var", "warning"),
        ((), {"DEVICE_BRIDGE_CONFIG": "own.toml"}, "var", "warning"),
        (("--config", "own.toml", "--data-dir", "own"), {}, "own", "warning"),
    ],
)
def test_what_the_installed_service_has_is_used_by_who_gives_neither_file_nor_folder(
    call: Call,
    runs: list[Settings],
    service: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    environment: dict[str, str],
    data_dir: str,
    level: str,
) -> None:
    service.with_name("own.toml").write_text('[log]\nlevel = "warning"\n')
    monkeypatch.delenv("DEVICE_BRIDGE_DATA_DIR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert call("run", *words).exit_code == 0
    assert ((service.parent / runs[0].data_dir).name, runs[0].log.level) == (data_dir, level)


def test_the_environment_is_read(call: Call, runs: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVICE_BRIDGE_MQTT_MAX_INFLIGHT", "32")
    call("run")
    assert runs[0].mqtt.max_inflight == 32


def test_all_problems_of_the_configuration_are_shown(call: Call, runs: list[Settings], data_dir: Path) -> None:
    result = call("run", "--http", "8080", "--mqtt", "x:y")
    assert (result.exit_code, runs) == (1, [])
    head, *problems = result.stderr.splitlines()
    assert head == "Error: the configuration is refused:"
    assert [problem.split(" = ")[0] for problem in problems] == ["  http.bind", "  mqtt.bind"]
    assert not data_dir.exists()


@pytest.mark.parametrize("error", [OSError(98, "Address already in use"), StoreUnavailable("Address already in use")])
def test_a_daemon_that_cannot_start_is_one_line(call: Call, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(settings: Settings) -> None:
        raise error

    monkeypatch.setattr(daemon, "run", fail)
    result = call("run")
    assert (result.exit_code, result.stderr) == (1, "Error: Address already in use\n")


def test_a_defect_is_logged_in_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(settings: Settings) -> None:
        raise KeyError("x")

    monkeypatch.setattr(daemon, "run", fail)
    result = call("run")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert 'level=critical logger=bridge msg="the daemon failed" exc="Traceback' in line
