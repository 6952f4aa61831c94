"""How the daemon says that its command is called."""

import sys
from pathlib import Path

import pytest

from bridge import welcome


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The command of a virtual environment in a folder with a space."""
    path = tmp_path / "my venv" / "bin" / "device-bridge"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_command_that_is_not_on_the_path(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert welcome.program(str(script), sys.executable) == f"'{script}'"
    monkeypatch.chdir(script.parent)
    assert welcome.program("./device-bridge", sys.executable) == f"'{script}'"


def test_a_command_on_the_path(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(script.parent))
    assert welcome.program(str(script), sys.executable) == "device-bridge"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "device-bridge").symlink_to(script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert welcome.program(str(script), sys.executable) == "device-bridge"


def test_another_command_of_that_name_on_the_path(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "device-bridge").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "device-bridge").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert welcome.program(str(script), sys.executable) == f"'{script}'"


@pytest.mark.parametrize("argv0", ["/somewhere/bridge/__main__.py", "/somewhere/not_there.py"])
def test_a_module(script: Path, argv0: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert welcome.program(argv0, str(script.with_name("python"))) == f"'{script}'"
    script.unlink()
    assert welcome.program(argv0, str(script.with_name("python"))) == f"'{script.with_name('python')}' -m bridge"
