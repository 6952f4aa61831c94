"""The daemon as the admin of a machine sees it."""

import base64
import http.client
import json
import os
import pty
import signal
import socket
import stat
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.account import Account
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.waiting import eventually
from tests.broker.certificates import Certificate


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_who_watches_the_daemon_needs_no_credentials(daemon: Daemon, path: str) -> None:
    with daemon.api("") as api:
        answer = api.call("GET", path)
    assert (answer.status, answer.body) == (200, {"status": "ok"})


def test_every_answer_has_a_request_id(pump: Account) -> None:
    answers = [pump.post(), pump.api.show(pump.id, "unknown"), pump.api.call("GET", "/healthz")]
    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert all(ids)
    assert len(set(ids)) == 3


def test_the_data_folder_is_the_owners_alone(daemon: Daemon) -> None:
    assert _mode(daemon.data_dir) == 0o700
    files = {file.name: _mode(file) for file in daemon.data_dir.iterdir()}
    assert {"admin.token", "bridge.db", "addresses.json", "daemon.lock"} <= files.keys()
    assert set(files.values()) == {0o600}


def test_files_with_secrets_that_others_may_read_are_named_at_the_start(new_daemon: NewDaemon, tmp_path: Path) -> None:
    """A database put back from a backup, a private key, the secret of JSON Web Tokens."""
    key = Certificate.make(tmp_path, "server").key_path
    secret = tmp_path / "jwt.secret"
    secret.write_text(base64.b64encode(bytes(32)).decode(), encoding="ascii")
    paths = f'tls_bind = "127.0.0.1:0"\ntls_certfile = "{key.with_suffix(".pem")}"\ntls_keyfile = "{key}"\n'
    issuer = f'[channels.jwt]\niss = ["https://issuer.example.com"]\nkeys = {{ HS256 = ["{secret}"] }}\n'
    for file in (key, secret):
        file.chmod(0o600)
    daemon = new_daemon(config=f"[mqtt]\n{paths}{issuer}")
    assert "open to other users" not in daemon.log
    daemon.stop()
    database = daemon.data_dir / "bridge.db"
    for file in (key, secret, database):
        file.chmod(0o644)
    daemon.start()
    lines = [line for line in daemon.log.splitlines() if "open to other users" in line]
    assert len(lines) == 3
    for file in (key, secret, database):
        assert any(f"file={file} mode=0644" in line and "level=warning" in line for line in lines)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_daemon_that_root_runs_leaves_nothing_that_the_owner_cannot_open(
    new_daemon: NewDaemon, tmp_path: Path
) -> None:
    folder = tmp_path / "of-somebody"
    folder.mkdir(mode=0o700)
    os.chown(folder, 1234, 1234)
    daemon = new_daemon(data_dir=folder)
    daemon.command("device", "add", "lamp")
    daemon.command("token", "rotate", "admin")
    owners = {file.name: file.stat().st_uid for file in folder.iterdir()}
    assert {"addresses.json", "admin.token", "bridge.db", "bridge.db-shm", "bridge.db-wal"} < owners.keys()
    assert set(owners.values()) == {1234}


def test_addresses_are_written_down_while_the_daemon_runs(daemon: Daemon) -> None:
    addresses = json.loads((daemon.data_dir / "addresses.json").read_text(encoding="utf-8"))
    assert addresses == {"http": f"127.0.0.1:{daemon.http[1]}", "mqtt": f"127.0.0.1:{daemon.mqtt[1]}"}


def test_the_admins_token_stays_the_same(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pump = Account(daemon, closing)
    token = daemon.token
    daemon.restart()
    assert daemon.token == token
    with daemon.api(token) as api:
        assert api.index(pump.id).status == 200


def test_a_second_daemon_on_the_same_folder_is_refused_in_one_line(daemon: Daemon, tmp_path: Path) -> None:
    second = Daemon(tmp_path, data_dir=daemon.data_dir)
    code, said = second.run()
    assert code == 1
    assert said.splitlines() == [f"Error: another daemon is running on {daemon.data_dir}"]
    with daemon.api("") as api:
        assert api.call("GET", "/readyz").status == 200
    assert (daemon.data_dir / "addresses.json").exists()


def _needs_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])  # noqa: S104 - our own daemon
def test_the_commands_of_the_first_start_work_when_they_are_pasted(tmp_path: Path, host: str) -> None:
    """In a shell that is somewhere else, and with a data folder that has to be quoted."""
    if host == "[::]":
        _needs_ipv6()
    binds = {"http.bind": f"{host}:0", "mqtt.bind": f"{host}:0"}
    daemon = Daemon(tmp_path, binds, data_dir=tmp_path / "it's the data")
    try:
        daemon.start()
        told = eventually(lambda: (tmp_path / "stdout").read_text(encoding="utf-8"))
        commands = [line for line in told.splitlines() if line.startswith("  ")]
        pasted = "\n".join([*commands, "kill %1"])
        done = subprocess.run(["bash"], input=pasted, capture_output=True, text=True, cwd="/", check=False, timeout=60)
        assert "Error" not in done.stderr, done.stderr
        assert "reply after" in done.stdout
        (answer,) = (line for line in done.stdout.splitlines() if line.startswith('{"message_id"'))
        assert '"status":"DELIVERED"' in answer
        daemon.restart()
        assert (tmp_path / "stdout").read_text(encoding="utf-8") == told  # a log is not reminded
    finally:
        daemon.close()


def test_a_person_who_starts_it_again_is_reminded(new_daemon: NewDaemon, tmp_path: Path) -> None:
    daemon = new_daemon()
    daemon.stop()
    terminal, other_end = pty.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as screen, os.fdopen(other_end, "wb", buffering=0) as stdout:
        daemon.start(stdout=stdout)
        said = b""
        while said.count(b"\n") < 2:
            said += screen.read(1000)
    first, second = said.decode().splitlines()
    assert first.endswith(f"is ready.  HTTP http://127.0.0.1:{daemon.http[1]}   MQTT 127.0.0.1:{daemon.mqtt[1]}")
    command = second.partition(": ")[2]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd="/", check=True, timeout=60)
    assert done.stdout.startswith("ID ")


@pytest.mark.parametrize("listener", ["http.bind", "mqtt.bind", "mqtt.websocket_bind"])
def test_a_port_in_use_is_one_clear_line(tmp_path: Path, listener: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = Daemon(tmp_path, {listener: address}).run()
    assert code == 1
    (line,) = said.splitlines()
    who = f"{Path('/proc/self/comm').read_text(encoding='ascii').strip()} (process {os.getpid()})"
    option = listener.replace("http.bind", "http.bind (--http)").replace("mqtt.bind", "mqtt.bind (--mqtt)")
    assert line == (
        f"Error: cannot listen on {address}: the port is in use by {who}: "
        f"end what uses it, or choose another port with {option}"
    )


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (
            "[delivery]\nack_wait = -1\nmax_tll = 5\n[mqtt]\nmax_inflight = 'many'\n",
            ["delivery.ack_wait", "delivery.max_ttl", "mqtt.max_inflight"],
        ),
        ("[mqtt.plugins]\n'no.such.Plugin' = {}\n", ["mqtt.plugins", "no.such.Plugin"]),
        ("[[[", ["daemon.toml"]),
    ],
    ids=["values", "plug-in", "syntax"],
)
def test_a_wrong_configuration_is_refused_with_everything_that_is_wrong(
    tmp_path: Path, config: str, named: list[str]
) -> None:
    code, said = Daemon(tmp_path, config=config).run()
    assert code == 1
    assert [name for name in named if name not in said] == []
    assert "Traceback" not in said


def test_a_daemon_that_was_killed_starts_again_on_its_folder(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    daemon.kill()
    daemon.start()
    with daemon.api("") as api:
        assert api.call("GET", "/readyz").status == 200


def test_systemd_hears_from_the_daemon(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, environment={"WATCHDOG_USEC": "200000"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(b"\0" + str(tmp_path).encode()[-90:])
        notices.settimeout(20)
        try:
            daemon.start(notices)
            assert notices.recv(100) == b"WATCHDOG=1"
            assert notices.recv(100) == b"WATCHDOG=1"
            daemon.signal(signal.SIGTERM)
            while (notice := notices.recv(100)) == b"WATCHDOG=1":
                pass
            assert notice == b"STOPPING=1"
        finally:
            daemon.close()


def test_a_request_on_a_kept_connection_after_a_pause_is_answered(daemon: Daemon) -> None:
    connection = http.client.HTTPConnection(*daemon.http, timeout=10)
    try:
        for _ in range(3):
            connection.request("GET", "/healthz")
            assert connection.getresponse().read()
            assert connection.sock is not None
    finally:
        connection.close()


def test_the_log_is_one_line_a_record(daemon: Daemon, pump: Account) -> None:
    pump.connect().close()
    eventually(lambda: f"device={pump.id}" in daemon.log)
    assert all(line.startswith("time=") for line in daemon.log.splitlines())
