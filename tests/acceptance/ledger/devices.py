"""A device that reads, acknowledges some time, cuts its connection now and then, and writes all of it down."""

import json
import random
from contextlib import suppress
from typing import Any

from bridge.mqtt import Disconnect, Packet, Pingreq, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel, Version
from tests.acceptance.account import Account
from tests.acceptance.ledger.book import Book, Receipt, now
from tests.acceptance.ledger.runner import Runner
from tests.acceptance.raw_device import RawDevice

PING_EVERY = 0.01
IDLE = 0.005
"""Seconds of one look at the connection."""
GONE = (OSError, EOFError)
"""How a connection ends whose daemon was killed."""


def connected(line: RawDevice, **fields: Any) -> bool:
    """Whether the session was there already. Raises OSError, EOFError."""
    try:
        connack = line.try_connect(**fields)
    except AssertionError as error:  # nothing came, or the end
        raise EOFError(str(error)) from error
    assert connack.reason_code == 0, f"refused with {connack.reason_code:#x}"
    return connack.session_present


class LedgerDevice(Runner):
    """One device in a thread of its own. `patient`: from now on it takes everything and stays."""

    def __init__(self, book: Book, account: Account, *, qos: int, kept: bool, seed: int) -> None:
        super().__init__(account.id)
        self.account = account
        self.patient = False
        self._book = book
        self._qos = qos
        self._kept = kept
        self._random = random.Random(seed)  # noqa: S311 - to be the same every time
        self._known: set[int] = set()
        """QoS 2: packet identifiers that were not released [MQTT-4.3.3-10]."""
        self._open: list[Publish] = []
        self._line: RawDevice | None = None
        self._after = 0.0
        self._pinged: float | None = None
        self._last_ping = 0.0

    def live(self) -> None:
        while not self.stopping.is_set():
            try:
                self._connect()
                self._stay()
            except GONE:
                pass
            finally:
                self._leave()
            self.stopping.wait(IDLE if self.patient else self._random.uniform(IDLE, 0.4))

    def _connect(self) -> None:
        self._open.clear()
        self._pinged = None
        asked = now()
        self._line = RawDevice(self.account.daemon.mqtt, self.account.login, Version.V5)
        fields: dict[str, Any] = {"properties": {"session_expiry_interval": 3600}} if self._kept else {}
        present = connected(self._line, clean_start=not self._kept, **fields)
        self._after = asked
        if not present:
            self._session_lost()
        self._line.ask_to_subscribe(self.account.inbox, self._qos)

    def _session_lost(self) -> None:
        self._known.clear()
        with self._book.lock:
            for entry in self._book.entries.values():
                if entry.device == self.account.id and entry.receipts:
                    entry.forgotten += 1

    def _stay(self) -> None:
        assert self._line is not None
        until = now() + self._random.uniform(0.05, 1.5)
        while not self.stopping.is_set() and (self.patient or now() < until):
            self._ping()
            while self._line.waiting or self._line.hears_within(IDLE):
                packet = self._line.receive()
                if packet is None:
                    raise EOFError
                self._took(packet)
            self._answer()

    def _ping(self) -> None:
        """Ask for a sign that everything before it has come."""
        assert self._line is not None
        if self._pinged is None and now() - self._last_ping > PING_EVERY:
            self._pinged = self._last_ping = now()
            self._line.send(Pingreq())

    def _took(self, packet: Packet) -> None:
        assert self._line is not None
        if isinstance(packet, Pingresp):
            assert self._pinged is not None
            self._after, self._pinged = self._pinged, None
        elif isinstance(packet, Publish):
            self._receive(packet)
        elif isinstance(packet, Pubrel):
            self._known.discard(packet.packet_id)
            self._line.send(Pubcomp(packet.packet_id))

    def _receive(self, publish: Publish) -> None:
        new = publish.qos < 2 or publish.packet_id not in self._known
        if publish.qos == 2:
            self._known.add(publish.packet_id)
        entry = self._book.entries[json.loads(publish.payload)["id"]]
        with self._book.lock:
            entry.receipts.append(Receipt(now(), self._after, publish.dup, new and publish.qos == 2))
        self._open.append(publish)

    def _answer(self) -> None:
        """Acknowledge what has come, often; sometimes the last ones have to wait."""
        assert self._line is not None
        share = 1.0 if self.patient else self._random.random()
        for publish in self._open[: max(1, round(share * len(self._open)))]:
            entry = self._book.entries[json.loads(publish.payload)["id"]]
            with self._book.lock:
                entry.acknowledged.append(now())
            self._line.send(Puback(publish.packet_id) if publish.qos == 1 else Pubrec(publish.packet_id))
            self._open.remove(publish)

    def _leave(self) -> None:
        if self._line is not None:
            with suppress(OSError):
                if self._random.random() < 0.3:
                    self._line.send(Disconnect())
            self._line.close()
