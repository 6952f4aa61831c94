"""`config …` in a checkout."""

import sys
from pathlib import Path

import pytest

from bridge.cli import shipped
from bridge.cli.errors import Failed
from tests.cli.conftest import Call

ROOT = Path(__file__).parents[2]


def test_the_example(call: Call) -> None:
    assert call("config", "example").stdout == (ROOT / "broker_config" / "device-bridge.toml").read_text("utf-8")
    assert call("config", "example", "other").exit_code == 2


def test_the_unit_starts_what_was_called(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "100 %" / "device-bridge"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    unit = call("config", "unit").stdout
    assert f'\nExecStart="{tmp_path}/100 %%/device-bridge" run --data-dir ' in unit
    assert f"Documentation=file://{ROOT}/README.md\n" in unit


def test_no_program(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["__main__.py"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert call("config", "unit").stderr == "Error: the command device-bridge is not installed beside this Python\n"


def test_constraints(call: Call) -> None:
    assert call("config", "constraints").stdout == (ROOT / "scripts" / "constraints.txt").read_text("utf-8")


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shipped, "_CHECKOUT", tmp_path)
    with pytest.raises(Failed, match=r"nothing.toml was not installed"):
        shipped.path("nothing.toml")


def test_check(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[log]\nlevel = "info"\n')
    assert call("config", "check", str(file)).stdout == f"{file} is fine.\n"
    file.write_text('[log]\nlevel = "loud"\n[mqtt]\nmax_inflght = 1\n')
    result = call("config", "check", str(file))
    assert result.exit_code == 1
    head, *problems = result.stderr.splitlines()
    assert head == "Error: the configuration is refused:"
    assert [problem.split(" = ")[0] for problem in problems] == ["  log.level", "  mqtt.max_inflght"]
    assert "cannot be read" in call("config", "check", str(tmp_path / "missing.toml")).stderr
