"""Facts, as those noted them who saw them. Times are seconds of one monotonic clock."""

import threading
import time
from dataclasses import dataclass, field

FINAL = frozenset({"DELIVERED", "FAILED", "TIMEOUT"})
now = time.monotonic


@dataclass(frozen=True)
class Told:
    """A state that somebody was told: the question was asked at `asked`, its answer was there at `at`."""

    asked: float
    at: float
    status: str
    source: str


@dataclass(frozen=True)
class Receipt:
    """A PUBLISH that carried the message. Everything that the daemon wrote to this connection before `after` has been
    seen before it: the device had asked at `after`, by PINGREQ or CONNECT, and had its answer."""

    at: float
    after: float
    dup: bool
    new: bool
    """At QoS 2: the session's receiver did not know the packet identifier, so its application gets the message."""


@dataclass
class Entry:
    """One message of an application."""

    message_id: str
    device: str
    asked: float
    ttl: int
    answered: float | None = None
    status_code: int = 0
    told: list[Told] = field(default_factory=list)
    cancelled: float | None = None
    cancelling: bool = False
    """A DELETE was sent; without its answer nobody knows what became of it."""
    receipts: list[Receipt] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)
    """When the device was about to write its PUBACK or PUBREC."""
    forgotten: int = 0
    """Sessions without which the device may get the message as a new one."""

    @property
    def accepted(self) -> bool:
        return self.status_code == 201


@dataclass
class Exchange:
    """One message between clients."""

    payload: str
    publisher: str
    number: int
    qos: int
    confirmed: bool = False
    """Its publisher has the PUBACK or PUBREC."""
    receipts: list[Receipt] = field(default_factory=list)


@dataclass(frozen=True)
class Poll:
    """What one poll of a subscriber brought."""

    asked: float
    subscriber: str
    events: tuple[str, ...]


class Book:
    """Shared by all threads of a run."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.entries: dict[str, Entry] = {}
        self.exchanges: dict[str, Exchange] = {}
        self.polls: list[Poll] = []
        self.covered: dict[tuple[str, str], float] = {}
        """(subscriber, event) → when the acknowledgement that covers it was answered."""
        self.reported: set[str] = set()
        """`message_id status` of every event that was read."""

    def expect(self, message_id: str, device: str, ttl: int) -> Entry:
        with self.lock:
            entry = self.entries[message_id] = Entry(message_id, device, now(), ttl)
            return entry

    def publishing(self, publisher: str, number: int, qos: int) -> Exchange:
        with self.lock:
            payload = f"{publisher}/{number}"
            exchange = self.exchanges[payload] = Exchange(payload, publisher, number, qos)
            return exchange

    def tell(self, entry: Entry, asked: float, status: str, source: str) -> None:
        with self.lock:
            entry.told.append(Told(asked, now(), status, source))

    def known(self) -> list[Entry]:
        with self.lock:
            return list(self.entries.values())

    def spoken(self) -> list[Exchange]:
        with self.lock:
            return list(self.exchanges.values())

    def accepted(self) -> int:
        return sum(entry.accepted for entry in self.known())
