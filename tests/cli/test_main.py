"""The command itself: help, version, errors."""

import subprocess
import sys
from pathlib import Path

import pytest

from bridge import __version__, data_dir
from bridge.cli import errors, output
from bridge.cli.main import COMMANDS
from bridge.model.clock import system_clock
from bridge.model.errors import UnknownDevice
from bridge.store import Admin
from tests.cli.conftest import Call


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command(call: Call, option: str) -> None:
    result = call(option)
    assert result.exit_code == 0
    listed = [line.split()[0] for line in result.stdout.partition("Commands:\n")[2].splitlines()]
    assert listed == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(call: Call, command: str) -> None:
    assert f"Usage: device-bridge {command} " in call(command, "--help").stdout


def test_an_unknown_command_is_a_usage_error(call: Call) -> None:
    result = call("something")
    assert result.exit_code == 2
    assert "No such command 'something'" in result.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("sned", "x"), "send"),
        (("devices",), "device"),
        (("device", "lst"), "list"),
        (("token", "revke", "x"), "revoke"),
        (("key", "crate"), "create"),
        (("messages", "shwo"), "show"),
    ],
)
def test_what_was_meant_is_suggested(call: Call, words: tuple[str, ...], meant: str) -> None:
    result = call(*words)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Did you mean '{meant}'?\n")


@pytest.mark.parametrize("command", [["-m", "bridge"], [str(Path(sys.executable).with_name("device-bridge"))]])
def test_both_ways_to_start_it(command: list[str]) -> None:
    program = [sys.executable, *command] if command[0] == "-m" else command
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"device-bridge, version {__version__}\n"


@pytest.mark.slow
def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    """As in `device-bridge device list | head -1`."""
    with Admin.open(tmp_path / "bridge.db", system_clock) as admin:
        for number in range(2000):
            admin.add_device("default", f"a-device-with-a-long-name-{number}", "12345678")
    command = f"'{sys.executable}' -m bridge device list --data-dir '{tmp_path}' | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (["ID", "STATE", "CONNECTION", "CREATED"], "")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UnknownDevice(), "unknown device"),
        (UnknownDevice("no such pump"), "no such pump"),
        (FileNotFoundError(2, "No such file", "x"), "x: No such file"),
        (OSError(98, "Address already in use"), "Address already in use"),
        (OSError("another daemon is running"), "another daemon is running"),
        (TimeoutError(), "TimeoutError"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "what was given is not text in UTF-8"),
    ],
)
def test_expected_errors_become_one_line(error: Exception, text: str) -> None:
    with pytest.raises(errors.Failed, match=f"^{text}$"), errors.reported():
        raise error


def test_what_comes_from_elsewhere_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.columns(("A", "B"), [("x\x1b[2J", "y\nz")])
    assert capsys.readouterr().out.splitlines()[1] == r"x\u001b[2J  y\nz"


def test_a_hint_is_for_people_only(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    output.hint("psst")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    output.hint("psst")
    assert capsys.readouterr() == ("", "psst\n")


def test_names_of_files_are_those_of_the_daemon() -> None:
    assert (data_dir.DATABASE, data_dir.ADDRESSES, data_dir.ADMIN_TOKEN) == (
        "bridge.db",
        "addresses.json",
        "admin.token",
    )
