"""kill -9, as often as you like: what was promised holds."""

import http.client
import random
import sqlite3
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from contextlib import closing as closed_afterwards
from pathlib import Path

from bridge.mqtt import Puback
from tests.acceptance.account import Account, failure
from tests.acceptance.clock import SharedClock
from tests.acceptance.conftest import NewDaemon, clocked_daemon
from tests.acceptance.daemon import Daemon
from tests.acceptance.http_api import Api
from tests.acceptance.waiting import PATIENCE, eventually

ROUNDS = 6
SENDERS = 3
LOAD = 200
"""Requests of which a kill comes after some."""
TTL = 5
"""Minutes; of the messages that expire."""


class Ledger:
    """What applications were told. A request without an answer promises nothing."""

    def __init__(self, busy: list[Account], away: Account) -> None:
        self.busy = busy
        self.away = away
        self.accepted: dict[str, Account] = {}
        """To be delivered."""
        self.expiring: set[str] = set()
        self.dead: set[str] = set()
        """Reported FAILED or TIMEOUT, or cancelled: never to be delivered."""
        self.cancelled: set[str] = set()
        self.answered = threading.Semaphore(0)
        """Counts what the daemon did."""
        self._lock = threading.Lock()
        self._number = 0

    def send_until_killed(self, seed: int) -> None:
        """One application; ends when the daemon does."""
        source = random.Random(seed)  # noqa: S311 - to be the same every time
        with self.away.daemon.api() as api:
            try:
                while True:
                    action = source.choices((self._send, self._cancel, self._now_or_never, self._expire), (8, 1, 1, 1))
                    action[0](api, source)
                    self.answered.release()
            except (OSError, http.client.HTTPException):
                return

    def _send(self, api: Api, source: random.Random) -> None:
        account = source.choice([*self.busy, self.away])
        message_id = self._new_id()
        assert api.post(account.id, message_id, message_id=message_id, payload_format="raw").status == 201
        self.accepted[message_id] = account

    def _cancel(self, api: Api, _: random.Random) -> None:
        message_id = self._new_id()
        assert api.post(self.away.id, message_id, message_id=message_id, payload_format="raw").status == 201
        assert api.delete(self.away.id, message_id).status == 204
        self.cancelled.add(message_id)

    def _now_or_never(self, api: Api, _: random.Random) -> None:
        message_id = self._new_id()
        answer = api.post(self.away.id, message_id, message_id=message_id, payload_format="raw", ttl=0)
        assert answer.body["result"]["status"] == "FAILED"
        self.dead.add(message_id)

    def _expire(self, api: Api, _: random.Random) -> None:
        message_id = self._new_id()
        answer = api.post(self.away.id, message_id, message_id=message_id, payload_format="raw", ttl=TTL)
        assert answer.status == 201
        self.expiring.add(message_id)

    def _new_id(self) -> str:
        with self._lock:
            self._number += 1
            return f"m{self._number}"


def _receiving(account: Account, received: set[str]) -> None:
    """Connect, until the daemon dies, and note what comes."""
    device = account.device()
    device.on_received = lambda message: received.add(message.payload.decode())
    device.connect()


def _round_of_load(daemon: Daemon, ledger: Ledger, number: int, received: set[str]) -> None:
    for account in ledger.busy:
        account.daemon_restarted()
        _receiving(account, received)
    ledger.away.daemon_restarted()
    with ThreadPoolExecutor(SENDERS) as pool:
        senders = [pool.submit(ledger.send_until_killed, 100 * number + sender) for sender in range(SENDERS)]
        for _ in range(random.Random(number).randrange(LOAD)):  # noqa: S311 - to be the same every time
            assert ledger.answered.acquire(timeout=PATIENCE)
        daemon.kill()
        for sender in senders:
            sender.result()


def test_nothing_promised_is_lost_and_nothing_dead_comes_back(
    tmp_path: Path, clock: SharedClock, closing: ExitStack
) -> None:
    clocked = clocked_daemon(tmp_path, clock)
    closing.callback(clocked.close)
    clocked.start()
    received: set[str] = set()
    ledger = Ledger([Account(clocked, closing) for _ in range(4)], Account(clocked, closing))
    for number in range(ROUNDS):
        _round_of_load(clocked, ledger, number, received)
        clock.advance(minutes=TTL)
        clocked.start()
    for account in [*ledger.busy, ledger.away]:
        account.daemon_restarted()
    for message_id in ledger.expiring:
        assert ledger.away.final(message_id)["status"] == "TIMEOUT"
    for account in [*ledger.busy, ledger.away]:
        _receiving(account, received)
    for message_id, account in ledger.accepted.items():
        assert account.final(message_id)["status"] == "DELIVERED"
    assert len(ledger.accepted) > 10 * ROUNDS
    assert ledger.accepted.keys() <= received
    assert not received & (ledger.cancelled | ledger.dead | ledger.expiring)
    for message_id in ledger.cancelled:
        assert ledger.away.api.show(ledger.away.id, message_id).status == 404
    assert {failure(ledger.away.record(message_id)) for message_id in ledger.dead} == {"IOTDA.014016"}


def test_a_message_is_on_disk_before_it_is_answered(new_daemon: NewDaemon, closing: ExitStack) -> None:
    daemon = new_daemon()
    pump = Account(daemon, closing)
    for number in range(3):
        message_id = pump.send(str(number), payload_format="raw")
        daemon.kill()
        daemon.start()
        pump.daemon_restarted()
        assert pump.status(message_id) == "PENDING"
    assert [message.payload for message in pump.connect().take(3)] == [b"0", b"1", b"2"]


def test_a_message_reported_failed_is_not_delivered_after_a_crash(new_daemon: NewDaemon, closing: ExitStack) -> None:
    """The refusal comes while another process keeps the daemon from writing; then the daemon is killed."""
    daemon = new_daemon({"delivery.ack_wait": 30})
    pump = Account(daemon, closing)
    device = pump.connect_raw()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(_posted, pump)
        packet_id = device.next_message().packet_id
        with closed_afterwards(sqlite3.connect(daemon.data_dir / "bridge.db", isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            device.send(Puback(packet_id, 0x80))
            told = _told_failed(daemon, pump, answer)
            daemon.kill()
    daemon.start()
    pump.daemon_restarted()
    pump.send("marker", payload_format="raw")
    first = pump.connect_raw().next_message().payload
    assert first == (b"marker" if told else b"unwanted")


def _posted(pump: Account) -> str:
    """The state in the answer; empty when the daemon was killed before it answered."""
    with suppress(OSError, http.client.HTTPException):
        answer = pump.post("unwanted", message_id="refused", payload_format="raw")
        return str(answer.body["result"]["status"])
    return ""


def _told_failed(daemon: Daemon, pump: Account, answer: Future[str]) -> bool:
    """Whether an application can hear of the end of the message while that is not on disk."""

    def heard() -> bool:
        with daemon.api() as api:
            shown = api.show(pump.id, "refused").body["status"]
        return "FAILED" in (shown, answer.result() if answer.done() else "")

    try:
        return eventually(heard, within=1)
    except AssertionError:
        return False
