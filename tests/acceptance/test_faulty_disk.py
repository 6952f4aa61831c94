"""A disk that is really full, a log that cannot be synced, files that disappear, pages that are damaged."""

import contextlib
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge.mqtt import Puback
from tests.acceptance.account import Account
from tests.acceptance.conftest import ACK_WAIT, NewDaemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.faults import FailingLog
from tests.acceptance.http_api import Answer
from tests.acceptance.raw_device import RawDevice
from tests.acceptance.small_disk import SmallDisk, small_disk
from tests.acceptance.test_disk import NOT_AVAILABLE, REFUSES
from tests.acceptance.waiting import eventually

AGAIN = "the store takes writes again"
LOST = "nothing new is accepted"
MANY = 1_000_000
PROBES = ("/readyz", "/probe/readiness")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 48 << 20) as found:
        yield found


@pytest.fixture
def on_disk(disk: SmallDisk, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with its data on the small disk."""
    daemon = Daemon(tmp_path, {"delivery.ack_wait": ACK_WAIT}, data_dir=disk.folder / "data", expected=(REFUSES,))
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


def refused(answer: Answer) -> bool:
    return (answer.status, answer.body.get("error_code")) == (503, NOT_AVAILABLE)


def unready(pump: Account) -> str:
    """Why; both probes say the same."""
    answers = [pump.api.call("GET", path) for path in PROBES]
    assert {answer.status for answer in answers} == {503}
    assert answers[0].body == answers[1].body
    return str(answers[0].body["reason"])


def is_ready(pump: Account) -> bool:
    return [pump.api.call("GET", path).status for path in PROBES] == [200, 200]


def fill_up(pump: Account, disk: SmallDisk) -> None:
    """Until a message is refused."""
    disk.fill()
    eventually(lambda: refused(pump.post("x" * 50_000)))


# Full


def test_readiness_follows_the_disk_and_the_log_says_an_outage_once(
    on_disk: Daemon, disk: SmallDisk, closing: ExitStack
) -> None:
    pump = Account(on_disk, closing)
    assert is_ready(pump)
    fill_up(pump, disk)
    for _ in range(20):
        assert refused(pump.post("x" * 50_000))
    assert unready(pump) == f"{REFUSES}: database or disk is full"
    assert pump.api.call("GET", "/healthz").status == 200
    disk.empty()
    eventually(lambda: is_ready(pump))
    assert pump.post("x" * 50_000).status == 201
    lines = [line for line in on_disk.log.splitlines() if "level=error" in line or AGAIN in line]
    assert [REFUSES in lines[0], AGAIN in lines[1], len(lines)] == [True, True, 2]
    assert "refused=21 " in lines[1]


def test_a_daemon_starts_on_a_full_disk_and_delivers(on_disk: Daemon, disk: SmallDisk, closing: ExitStack) -> None:
    pump = Account(on_disk, closing)
    pump.send("old", message_id="old", payload_format="raw")
    for _ in range(2):  # the second time there is nothing in reserve
        fill_up(pump, disk)
        on_disk.kill()
        disk.fill()
        on_disk.start()
        pump.daemon_restarted()
    fill_up(pump, disk)
    assert unready(pump) == f"{REFUSES}: database or disk is full"
    assert pump.connect().next().payload == b"old"
    disk.empty()
    eventually(lambda: is_ready(pump))
    eventually(lambda: stored_as(on_disk, "old") == "DELIVERED")


def test_a_daemon_that_was_stopped_starts_on_a_full_disk(on_disk: Daemon, disk: SmallDisk, closing: ExitStack) -> None:
    """The database's log and its index are gone with the last connection, so there has to be room for new ones."""
    pump = Account(on_disk, closing)
    pump.send("old", message_id="old", payload_format="raw")
    on_disk.stop()
    disk.fill()
    on_disk.start()
    pump.daemon_restarted()
    assert pump.connect().next().payload == b"old"


def stored_as(daemon: Daemon, message_id: str) -> str:
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "bridge.db")) as database:
        found = database.execute("SELECT status FROM message WHERE message_id = ?", (message_id,)).fetchone()
    return str(found[0])


# The end


def test_a_stop_writes_what_the_disk_has_refused(new_daemon: NewDaemon, closing: ExitStack, log: FailingLog) -> None:
    daemon = new_daemon(environment=log.environment, expected=(REFUSES,))
    pump = Account(daemon, closing)
    pump.send(message_id="taken")
    device = pump.connect_raw()
    message = device.next_message()
    log.fail(syncs=MANY)
    device.send(Puback(message.packet_id))
    eventually(lambda: REFUSES in daemon.log)
    log.fail()  # within the second before it would be tried again
    daemon.stop()
    assert stored_as(daemon, "taken") == "DELIVERED"


def test_a_stop_that_cannot_write_says_so(new_daemon: NewDaemon, closing: ExitStack, log: FailingLog) -> None:
    unwritten = "not written before the store was closed"
    daemon = new_daemon(environment=log.environment, expected=(REFUSES, unwritten))
    pump = Account(daemon, closing)
    pump.send(message_id="taken")
    device = pump.connect_raw()
    message = device.next_message()
    log.fail(syncs=MANY)
    device.send(Puback(message.packet_id))
    eventually(lambda: REFUSES in daemon.log)
    daemon.signal(signal.SIGTERM)
    with pytest.raises(AssertionError, match="the daemon ended with 1"):
        daemon.ended()
    [line] = [line for line in daemon.log.splitlines() if unwritten in line]
    assert "1 outcomes of messages" in line
    assert f"messages=default/{pump.id}/taken" in line
    assert "Error: not everything could be written before the end: " in daemon.log.splitlines()[-1]


# A commit that fails


@pytest.fixture
def log(tmp_path: Path) -> FailingLog:
    return FailingLog(tmp_path)


def after_a_kill(daemon: Daemon, log: FailingLog, pump: Account) -> None:
    daemon.kill()
    log.fail()
    daemon.start()
    pump.daemon_restarted()


def test_what_was_not_accepted_does_not_come_back(new_daemon: NewDaemon, closing: ExitStack, log: FailingLog) -> None:
    """Its frames are in the log, complete, when the sync fails."""
    daemon = new_daemon(environment=log.environment, expected=(REFUSES,))
    pump = Account(daemon, closing)
    log.fail(syncs=1)
    answer = pump.post(message_id="refused")
    assert refused(answer)
    assert "nothing was accepted" in answer.body["error_msg"]
    after_a_kill(daemon, log, pump)
    assert pump.api.show(pump.id, "refused").status == 404
    assert pump.connect_raw().before_pong() == []


def test_what_may_come_back_is_not_said_to_be_refused(
    new_daemon: NewDaemon, closing: ExitStack, log: FailingLog
) -> None:
    daemon = new_daemon(environment=log.environment, expected=(REFUSES,))
    pump = Account(daemon, closing)
    log.fail(syncs=1, writes=MANY)
    answer = pump.post(message_id="unknown")
    assert refused(answer)
    assert "it is not known" in answer.body["error_msg"]
    assert answer.headers["Retry-After"] == "1"
    after_a_kill(daemon, log, pump)
    assert pump.post(message_id="unknown").error == "IOTDA.014130"  # there is one, and no second
    assert pump.status("unknown") == "PENDING"


# Files


def start_with(daemon: Daemon, closing: ExitStack) -> tuple[Account, RawDevice, int]:
    """A device that has not acknowledged the first of two messages."""
    pump = Account(daemon, closing)
    for message_id in ("first", "second"):
        pump.send(message_id=message_id)
    device = pump.connect_raw()
    packet_id = device.next_message().packet_id
    device.next_message()
    return pump, device, packet_id


def is_suspended(daemon: Daemon, pump: Account, name: str) -> None:
    """It says once what has happened, takes nothing new, and shows what there is."""
    eventually(lambda: LOST in daemon.log)
    [line] = [line for line in daemon.log.splitlines() if "level=critical" in line or "level=error" in line]
    assert f"{name} was deleted or replaced while the daemon runs: {LOST}" in line
    assert f"{name} was deleted or replaced" in unready(pump)
    assert refused(pump.post(message_id="new"))
    assert pump.status("second") == "PENDING"


def acknowledge(pump: Account, device: RawDevice, packet_id: int) -> None:
    device.send(Puback(packet_id))
    device.before_pong()


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_log_that_disappears_is_noticed_and_nothing_is_lost(
    new_daemon: NewDaemon, closing: ExitStack, suffix: str
) -> None:
    daemon = new_daemon(expected=(LOST,))
    pump, device, packet_id = start_with(daemon, closing)
    (daemon.data_dir / f"bridge.db{suffix}").unlink()
    is_suspended(daemon, pump, f"bridge.db{suffix}")
    assert "restart the daemon" in daemon.log
    acknowledge(pump, device, packet_id)
    daemon.restart()
    pump.daemon_restarted()
    assert (pump.status("first"), pump.status("second")) == ("DELIVERED", "PENDING")
    assert pump.api.show(pump.id, "new").status == 404


def test_a_log_that_disappears_before_a_kill_is_saved(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(expected=(LOST,))
    pump, _, _ = start_with(daemon, closing)
    (daemon.data_dir / "bridge.db-wal").unlink()
    is_suspended(daemon, pump, "bridge.db-wal")
    daemon.kill()
    daemon.start()
    pump.daemon_restarted()
    assert (pump.status("first"), pump.status("second")) == ("PENDING", "PENDING")


def delete(database: Path) -> None:
    database.unlink()


def replace(database: Path) -> None:
    other = database.with_name("other.db")
    with contextlib.closing(sqlite3.connect(other)) as made:
        made.execute("CREATE TABLE other (x)")
    other.rename(database)


@pytest.mark.parametrize("lose", [delete, replace])
def test_a_database_that_disappears_is_saved_beside(
    new_daemon: NewDaemon, closing: ExitStack, lose: Callable[[Path], None]
) -> None:
    daemon = new_daemon(expected=(LOST,))
    pump, device, packet_id = start_with(daemon, closing)
    database = daemon.data_dir / "bridge.db"
    lose(database)
    is_suspended(daemon, pump, "bridge.db")
    acknowledge(pump, device, packet_id)
    daemon.stop()
    saved = daemon.data_dir / "bridge.db.rescued"
    assert saved.stat().st_mode & 0o777 == 0o600
    left = {file.name for file in daemon.data_dir.iterdir()} & {"bridge.db-wal", "bridge.db-shm"}
    assert not left  # SQLite would read them into the file that takes the place
    saved.rename(database)
    daemon.start()
    pump.daemon_restarted()
    assert (pump.status("first"), pump.status("second")) == ("DELIVERED", "PENDING")


# Damage


def damage(database: Path, name: str) -> None:
    """The page that a table or an index begins at is not what SQLite has written any more."""
    with contextlib.closing(sqlite3.connect(database)) as opened:
        [page] = opened.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        [size] = opened.execute("PRAGMA page_size").fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


def test_damage_at_the_start_is_one_sentence(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(expected=("is damaged",))
    Account(daemon, closing).send()
    daemon.stop()
    database = daemon.data_dir / "bridge.db"
    damage(database, "message")
    code, said = daemon.run()
    assert code == 1
    last = said.splitlines()[-1]
    assert last.startswith(f"Error: {database} is damaged (table message: ")
    assert "restore a backup or save what can be read with: sqlite3" in last
    database.write_bytes(b"this is not a database" * 1000)
    code, said = daemon.run()
    assert code == 1
    assert said.splitlines()[-1].startswith(f"Error: {database} is damaged (file is not a database): ")


def test_damage_while_it_runs_fails_what_meets_it_and_nothing_else(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon(expected=("is damaged", REFUSES, "cannot be used"))
    pump = Account(daemon, closing)
    pump.send("old", payload_format="raw")
    daemon.stop()
    damage(daemon.data_dir / "bridge.db", "idempotency_key")
    daemon.start()
    pump.daemon_restarted()
    assert refused(pump.api.post_once(pump.id, "key", b'{"message": "met"}'))
    assert pump.post("new", payload_format="raw").status == 201
    assert pump.connect().next().payload == b"old"
    eventually(lambda: "bridge.db is damaged" in daemon.log)
    [line] = [line for line in daemon.log.splitlines() if "level=critical" in line]
    assert "table idempotency_key" in line
