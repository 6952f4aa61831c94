"""Clients that talk to each other: one publishes, another has a session that outlives its connections."""

import random
from contextlib import suppress

from bridge.mqtt import Packet, Puback, Pubcomp, Publish, Pubrec, Pubrel
from tests.acceptance.ledger.book import Book, Exchange, Receipt, now
from tests.acceptance.ledger.devices import GONE, IDLE
from tests.acceptance.ledger.lines import Lines
from tests.acceptance.ledger.runner import Runner
from tests.acceptance.raw_device import RawDevice

TOPIC = "ledger/talk"
WINDOW = 8
"""Messages that a publisher has open at once."""
AHEAD = 60
"""Messages of a publisher that were confirmed and have not come: then it waits."""


class Publisher(Runner):
    """Publishes at QoS 1 and 2 as fast as it is confirmed, in a clean session: what was not confirmed is forgotten."""

    def __init__(self, book: Book, lines: Lines, name: str, qos: int) -> None:
        super().__init__(name)
        self._book = book
        self._lines = lines
        self._name = name
        self._qos = qos
        self._number = 0
        self._open: dict[int, Exchange] = {}
        self._ahead: list[Exchange] = []
        """Confirmed, and not seen by anybody yet."""

    def live(self) -> None:
        while not self.stopping.is_set():
            with suppress(*GONE), self._lines.open(self._name, clean=True) as (line, _):
                self._open.clear()
                while not self.stopping.is_set():
                    while len(self._open) < WINDOW and not self._is_ahead():
                        self._publish(line)
                    if line.waiting or line.hears_within(IDLE):
                        self._took(line, line.receive())
            self.stopping.wait(IDLE)

    def _is_ahead(self) -> bool:
        self._ahead = [each for each in self._ahead if not each.receipts]
        return len(self._ahead) >= AHEAD

    def _publish(self, line: RawDevice) -> None:
        self._number += 1
        packet_id = self._number % 0xFFFF + 1
        exchange = self._book.publishing(self._name, self._number, self._qos)
        self._open[packet_id] = exchange
        line.send(Publish(TOPIC, exchange.payload.encode(), self._qos, packet_id=packet_id))

    def _took(self, line: RawDevice, packet: Packet | None) -> None:
        if packet is None:
            raise EOFError
        assert isinstance(packet, Puback | Pubrec | Pubcomp), packet
        if isinstance(packet, Pubrec) and packet.reason_code < 0x80:
            line.send(Pubrel(packet.packet_id))
        if isinstance(packet, Puback | Pubrec) and packet.reason_code < 0x80:
            self._open[packet.packet_id].confirmed = True
            self._ahead.append(self._open[packet.packet_id])
        if not isinstance(packet, Pubrec) or packet.reason_code >= 0x80:
            del self._open[packet.packet_id]


class Listener(Runner):
    """Subscribed in a session that is kept; away now and then. `patient`: from now on it stays."""

    def __init__(self, book: Book, lines: Lines, name: str, seed: int) -> None:
        super().__init__(name)
        self.patient = False
        self._book = book
        self._lines = lines
        self._name = name
        self._random = random.Random(seed)  # noqa: S311 - to be the same every time
        self._known: set[int] = set()
        with lines.open(name, clean=False) as (line, _):
            assert line.subscribe(TOPIC, 2) == 2

    def live(self) -> None:
        while not self.stopping.is_set():
            with suppress(*GONE), self._lines.open(self._name, clean=False) as (line, present):
                assert present, "the session was lost"
                self._stay(line)
            self.stopping.wait(self._random.uniform(IDLE, 0.2))

    def _stay(self, line: RawDevice) -> None:
        until = now() + self._random.uniform(0.05, 1.0)
        while not self.stopping.is_set() and (self.patient or now() < until):
            if line.waiting or line.hears_within(IDLE):
                self._took(line, line.receive())

    def _took(self, line: RawDevice, packet: Packet | None) -> None:
        if packet is None:
            raise EOFError
        if isinstance(packet, Pubrel):
            self._known.discard(packet.packet_id)
            line.send(Pubcomp(packet.packet_id))
        if not isinstance(packet, Publish):
            return
        new = packet.qos == 2 and packet.packet_id not in self._known
        exchange = self._book.exchanges[packet.payload.decode()]
        with self._book.lock:
            exchange.receipts.append(Receipt(now(), 0.0, packet.dup, new))
        if packet.qos == 2:
            self._known.add(packet.packet_id)
        line.send(Puback(packet.packet_id) if packet.qos == 1 else Pubrec(packet.packet_id))
