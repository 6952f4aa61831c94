"""`demo`, as somebody runs it who has just installed the program."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli import demo
from tests.cli.conftest import Call


def environment(tmp_path: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("DEVICE_BRIDGE_")}
    return own | {"TMPDIR": str(tmp_path)}


@pytest.mark.slow
def test_the_whole_story(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "demo"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(tmp_path),
    )
    assert (done.returncode, done.stderr) == (0, "")
    story = done.stdout
    assert story.count("DELIVERED, acknowledged by the device") == 2
    assert "application <- reply after " in story
    assert story.index("unit = bar") < story.index("unit = psi")
    assert story.index("answered with PENDING") < story.index("pump-2 connects")
    assert list(tmp_path.iterdir()) == []


def running(folder: Path) -> list[str]:
    """Command lines of processes that work in a folder."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if str(folder) in line]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["Starting", "Applications reach", "pump-1 connects", "answered with PENDING"])
def test_it_can_be_ended_at_any_moment(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "bridge", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    )
    with process:
        assert process.stdout is not None
        assert any(moment in line for line in process.stdout)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr.strip()) == (1, "Aborted!")
    assert list(tmp_path.iterdir()) == []
    assert running(tmp_path) == []


def test_a_daemon_that_does_not_start(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("DEVICE_BRIDGE_MQTT_MAX_INFLIGHT", "0")
    monkeypatch.setattr("tempfile.tempdir", None)
    result = call("demo")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the daemon did not start: mqtt.max_inflight = ")
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_that_never_gets_ready(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "READY_WITHIN", 0)
    result = call("demo")
    assert (result.exit_code, result.stderr) == (1, "Error: the daemon did not start: it said nothing\n")
