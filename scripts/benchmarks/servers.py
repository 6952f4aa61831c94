"""The daemon and the echo as processes, and the load generators that talk to them."""

import contextlib
import dataclasses
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from bridge.data_dir import ADDRESSES, ADMIN_TOKEN
from scripts.benchmarks.plan import HOLD, Plan, Report

CHECKOUT = Path(__file__).resolve().parents[2]
SCRATCH = Path("/var/tmp")  # noqa: S108  unlike /tmp never in memory, where a commit would cost nothing
READY_WITHIN = 60.0
STOPPED_WITHIN = 60.0
POLL = 0.002
OPEN_FILES = 65_536


class BenchError(Exception):
    """The measurement could not be made; why, in one sentence."""


@dataclasses.dataclass(frozen=True)
class Server:
    """A running server as a load generator sees it."""

    pid: int
    http: str
    mqtt: str = ""
    token: str = ""
    started_in: float = 0.0
    """Seconds from the start of the process until it was ready."""


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """For the data of one daemon."""
    with tempfile.TemporaryDirectory(prefix="device-bridge-bench-", dir=SCRATCH) as path:
        yield Path(path)


@contextlib.contextmanager
def echo() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        host, port = listener.getsockname()
        command = [sys.executable, "-m", "scripts.benchmarks.echo", str(listener.fileno())]
        process = subprocess.Popen(command, cwd=CHECKOUT, pass_fds=[listener.fileno()])  # noqa: S603
        with _ending(process):
            yield Server(process.pid, f"{host}:{port}")


@contextlib.contextmanager
def daemon(
    data_dir: Path, tree: Path = CHECKOUT, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Server]:
    """The daemon of the source tree `tree`, with its defaults but for these settings, named as in the environment.
    Raises BenchError when it cannot start or stop."""
    options = ("--data-dir", str(data_dir), "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEVICE_BRIDGE_")}
    environment |= {"PYTHONPATH": str(tree), "DEVICE_BRIDGE_LOG_LEVEL": "warning"}
    environment |= {f"DEVICE_BRIDGE_{name}": value for name, value in settings.items()}
    with (data_dir / "log").open("w+") as log:
        start = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bridge", "run", *options], cwd=data_dir, env=environment, stdout=log, stderr=log
        )
        with _ending(process):
            yield _ready(process, data_dir, start)
        if process.returncode:
            raise BenchError(f"the daemon ended with {process.returncode}: {_tail(data_dir / 'log')}")


@contextlib.contextmanager
def mosquitto(*, inflight: int, queued: int) -> Iterator[Server]:
    """With the same bounds as ours, storing nothing. Raises BenchError when it cannot start."""
    with folder() as path, contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        address = "{}:{}".format(*probe.getsockname())
        probe.close()
        port = address.rpartition(":")[2]
        config = path / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n"
            f"max_inflight_messages {inflight}\nmax_queued_messages {queued}\nmax_queued_bytes 0\n"
        )
        with (path / "log").open("w+") as log:
            command = [shutil.which("mosquitto") or "mosquitto", "-c", str(config)]
            process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
            with _ending(process):
                _listening(process, int(port), path / "log")
                yield Server(process.pid, "", address)


def _listening(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.perf_counter() + READY_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if process.poll() is not None or time.perf_counter() > until:
                raise BenchError(f"mosquitto did not start: {_tail(log)}") from None
            time.sleep(POLL)
        else:
            return


def run_load(plan: Plan) -> Report:
    """Raises BenchError when the load generator fails."""
    process = subprocess.run(_command(plan), cwd=CHECKOUT, stdout=subprocess.PIPE, check=False)  # noqa: S603
    if process.returncode:
        raise BenchError("the load generator failed")
    return Report(**json.loads(process.stdout))


@contextlib.contextmanager
def held(server: Server, devices: int) -> Iterator[None]:
    """So many idle devices, each with a subscription, connected as long as the context lasts."""
    plan = Plan(HOLD, mqtt=server.mqtt, devices=devices, subscribe=True)
    with subprocess.Popen(_command(plan), cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101
        if process.stdout.readline() != b"connected\n":
            raise BenchError(f"{devices} devices could not connect")
        try:
            yield
        finally:
            process.communicate()


def allow_files() -> None:
    """Raise the limit of open files, for the processes that are started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in ((OPEN_FILES, max(OPEN_FILES, hard)), (hard, hard)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            return


def most_devices(wanted: int) -> int:
    """How many of the wanted connections the limits of this machine allow."""
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000, _ports() - 1000)


def _ports() -> int:
    """Connections from one address to one listener."""
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    return int(last) - int(first) + 1


def _command(plan: Plan) -> list[str]:
    return [sys.executable, "-m", "scripts.benchmarks.load", json.dumps(dataclasses.asdict(plan))]


@contextlib.contextmanager
def _ending(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(process: "subprocess.Popen[bytes]", data_dir: Path, start: float) -> Server:
    file = data_dir / ADDRESSES
    while not file.exists():
        if process.poll() is not None or time.perf_counter() > start + READY_WITHIN:
            raise BenchError(f"the daemon did not start: {_tail(data_dir / 'log')}")
        time.sleep(POLL)
    started_in = time.perf_counter() - start
    token = (data_dir / ADMIN_TOKEN).read_text().strip()
    return Server(process.pid, token=token, started_in=started_in, **json.loads(file.read_text()))


def _tail(log: Path) -> str:
    return log.read_text()[-2000:].strip() or "it said nothing"
