"""Everybody around one daemon, while it is killed and started again."""

import random
from contextlib import ExitStack, suppress

from tests.acceptance.account import Account
from tests.acceptance.daemon import Daemon
from tests.acceptance.ledger.applications import Poller, Sender, ask
from tests.acceptance.ledger.book import FINAL, Book
from tests.acceptance.ledger.clients import Listener, Publisher
from tests.acceptance.ledger.devices import LedgerDevice
from tests.acceptance.ledger.lines import Lines
from tests.acceptance.ledger.runner import Runner
from tests.acceptance.waiting import eventually

SENDERS = 3
SUBSCRIBERS = ("one", "two")
POLLERS = 2
"""Of each subscriber."""
DRAINED_WITHIN = 30.0
SETTINGS: dict[str, object] = {"mqtt.max_queued_messages": 100_000, "mqtt.max_inflight": 4, "delivery.ack_wait": 0.05}
"""A bound that is not to be reached, and a window that is often full."""


class LedgerSite:
    """`run` the load through some kills, then `settle`; `book` has what was seen."""

    def __init__(self, daemon: Daemon, closing: ExitStack, seed: int = 0) -> None:
        self.book = Book()
        self._daemon = daemon
        self._random = random.Random(seed)  # noqa: S311 - to be the same every time
        kinds = [(qos, kept) for qos in (1, 2) for kept in (False, True)]
        self._devices = [
            LedgerDevice(self.book, Account(daemon, closing), qos=qos, kept=kept, seed=number)
            for number, (qos, kept) in enumerate(kinds)
        ]
        names = [device.account.id for device in self._devices]
        self._senders = [Sender(self.book, daemon, names, number) for number in range(SENDERS)]
        self._pollers = [Poller(self.book, daemon, name, n) for name in SUBSCRIBERS for n in range(POLLERS)]
        lines = Lines(daemon)
        self._listeners = [Listener(self.book, lines, "ledger-listener", 0)]
        self._publishers = [Publisher(self.book, lines, f"ledger-publisher-{qos}", qos) for qos in (1, 2)]
        self._running: list[Runner] = [
            *self._devices,
            *self._senders,
            *self._pollers,
            *self._listeners,
            *self._publishers,
        ]
        closing.callback(self._stop)

    def start(self) -> None:
        for each in self._running:
            each.start()

    def kill(self) -> None:
        """After some messages more."""
        count = self.book.accepted() + self._random.randrange(20, 120)
        eventually(lambda: self.book.accepted() >= count, within=DRAINED_WITHIN)
        self._daemon.kill()
        self._daemon.start()

    def settle(self) -> None:
        """Nobody sends any more; everything that waits is taken; then everybody is asked for the last time."""
        for sender in self._senders:
            self._end(sender)
        for publisher in self._publishers:
            self._end(publisher)
        for device in self._devices:
            device.patient = True
        for listener in self._listeners:
            listener.patient = True
        with self._daemon.api() as api:
            for entry in self.book.known():
                if entry.accepted and not (entry.cancelled or entry.cancelling):
                    eventually(lambda: ask(self.book, api, entry) in FINAL, within=DRAINED_WITHIN)  # noqa: B023
        with suppress(AssertionError):  # a rule names what is missing
            eventually(self._all_came, within=DRAINED_WITHIN)
        for poller in self._pollers:
            poller.drained.clear()
            assert poller.drained.wait(DRAINED_WITHIN)
        self._stop()

    def _all_came(self) -> bool:
        return all(each.receipts for each in self.book.exchanges.values() if each.confirmed)

    def _end(self, each: Runner) -> None:
        each.stop()
        self._running.remove(each)

    def _stop(self) -> None:
        while self._running:
            self._running.pop().stop()
