"""The daemon as its users have it: a process with a data folder, two ports and a log."""

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar

from bridge.config import PREFIX, variable
from bridge.model.clock import Clock, system_clock
from bridge.model.device import DEFAULT_PROJECT
from bridge.store import Admin
from tests.acceptance.http_api import Api

ROOT = Path(__file__).parents[2]
START_WITHIN = 120.0
"""Seconds; a machine that does much else at the same time."""
STOP_WITHIN = 60.0
FREE_PORT = "127.0.0.1:0"
BRIDGE = ("-m", "bridge")
TROUBLE = ("Traceback", "level=error", "level=critical", "never retrieved")
"""What no daemon may ever log here."""


class Daemon:
    """`start` returns when the daemon is ready; `close` ends it in order and looks through its log."""

    alive: ClassVar[dict[int, "Daemon"]] = {}
    """By process id, so that the log of each can be shown with a failing test."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, object] | None = None,
        *,
        config: str = "",
        program: Sequence[str] = BRIDGE,
        data_dir: Path | None = None,
        environment: Mapping[str, str] | None = None,
        clock: Clock = system_clock,
        expected: tuple[str, ...] = (),
    ) -> None:
        """`settings`: full key → value, given by environment. `config`: the text of a configuration file. `expected`:
        what errors it may log."""
        self.data_dir = data_dir or folder / "data"
        self.http = self.mqtt = ("", 0)
        self._folder = folder
        self._clock = clock
        self._expected = expected
        listeners = {"http.bind": FREE_PORT, "mqtt.bind": FREE_PORT}
        self._environment = {variable(key): str(value) for key, value in {**listeners, **(settings or {})}.items()}
        self._environment.update(environment or {})
        self._log_file = folder / "daemon.log"
        self._command = [sys.executable, *program, "run", "--data-dir", str(self.data_dir)]
        if config:
            (folder / "daemon.toml").write_text(config, encoding="utf-8")
            self._command += ["--config", str(folder / "daemon.toml")]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """All it wrote to stderr, of every run."""
        with contextlib.suppress(FileNotFoundError):
            return self._log_file.read_text(encoding="utf-8", errors="replace")
        return ""

    @property
    def token(self) -> str:
        """The admin's."""
        return (self.data_dir / "admin.token").read_text(encoding="ascii").strip()

    @property
    def pid(self) -> int:
        assert self._process is not None, "the daemon is not running"
        return self._process.pid

    @property
    def memory(self) -> int:
        """Resident bytes of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])

    def start(self, notices: socket.socket | None = None, stdout: BinaryIO | None = None) -> None:
        """`notices`: a bound socket that hears what systemd would; `stdout`: instead of a file of the folder."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            if notices is None:
                notices = own
                notices.bind("\0device-bridge-" + secrets.token_hex(8))
            self._process = self._spawn({"NOTIFY_SOCKET": "@" + notices.getsockname()[1:].decode()}, stdout)
            self.alive[self.pid] = self
            self._wait_ready(notices)
        addresses = json.loads((self.data_dir / "addresses.json").read_text(encoding="utf-8"))
        self.http, self.mqtt = _address(addresses["http"]), _address(addresses["mqtt"])

    def run(self) -> tuple[int, str]:
        """For a daemon that cannot start: its exit code, and what it says about that on stderr."""
        before = len(self.log)
        process = self._spawn({})
        try:
            code = process.wait(START_WITHIN)
        finally:
            process.kill()
            process.wait()
        return code, self.log[before:]

    def stop(self) -> None:
        """SIGTERM, and the exit code that goes with it."""
        self.signal(signal.SIGTERM)
        self.ended()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self) -> None:
        """Wait for the end after a signal that asked for it."""
        assert self._process is not None
        code = self._process.wait(STOP_WITHIN)
        self._forget()
        assert code == 0, f"the daemon ended with {code}"

    def kill(self) -> None:
        """kill -9: no time for anything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._forget()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Every daemon ends like this, whatever became of its test."""
        try:
            if self._process is not None:
                self.stop()
        finally:
            if self._process is not None:
                self.kill()
        assert not self._trouble(), "the daemon logged:\n" + "\n".join(self._trouble())

    def admin(self) -> Admin:
        """To be closed by the caller."""
        return Admin.open(self.data_dir / "bridge.db", self._clock)

    def api(self, token: str | None = None, project: str = DEFAULT_PROJECT) -> Api:
        """An application, with the admin's token if it has none of its own."""
        return Api(self.http, self.token if token is None else token, project)

    def command(self, *words: str) -> str:
        """What a command of the CLI prints; it is given the data folder."""
        command = [sys.executable, "-m", "bridge", *words, "--data-dir", str(self.data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=_environment({}))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _spawn(self, environment: Mapping[str, str], stdout: BinaryIO | None = None) -> "subprocess.Popen[bytes]":
        with self._log_file.open("ab") as log, (self._folder / "stdout").open("ab") as said:
            environment = _environment({**self._environment, **environment})
            return subprocess.Popen(
                self._command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stdout or said, stderr=log, env=environment
            )

    def _wait_ready(self, notices: socket.socket) -> None:
        """Until the daemon tells what it would tell systemd, or ends."""
        deadline = time.monotonic() + START_WITHIN
        end = os.pidfd_open(self.pid)
        try:
            while True:
                readable = select.select([notices.fileno(), end], [], [], max(0, deadline - time.monotonic()))[0]
                assert notices.fileno() in readable, f"the daemon did not start:\n{self.log[-2000:]}"
                if b"READY=1" in notices.recv(4096):
                    return
        finally:
            os.close(end)

    def _trouble(self) -> list[str]:
        lines = [line for line in self.log.splitlines() if any(word in line for word in TROUBLE)]
        return [line for line in lines if not any(word in line for word in self._expected)]

    def _forget(self) -> None:
        self.alive.pop(self.pid, None)
        self._process = None


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours, without settings that somebody has for a daemon of his own."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}, **more}


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
