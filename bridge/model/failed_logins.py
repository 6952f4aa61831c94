"""Who fails to log in, and how long the next failure has to wait for its answer."""

import contextlib
import ipaddress
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from bridge.model.clock import Clock, Timekeeper

MINUTE = 60_000
LONGEST_WAIT = 2.0
"""Seconds."""
MOST_WAITING = 64
"""Answers that are held back at once. Each holds a connection, and a request as large as one may be."""
MOST_ADDRESSES = 10_000
"""Addresses remembered; the one whose last failure is the longest ago is forgotten first."""


class Failure(NamedTuple):
    wait: float
    """Seconds to hold the answer back; 0 as long as the address has failures left."""
    first: bool
    """With this failure the address has used up what it had: worth a line in the log."""


class FailedLogins:
    """Counts failures per address in a bucket that leaks `per_minute` a minute and holds that many.

    What runs over is held back, longer with each failure up to LONGEST_WAIT. Only failures are: whoever has the right
    credentials is never slowed by those who share its address, a proxy for example. So this makes guessing visible and
    tiresome; that secrets cannot be guessed is up to their length.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._free = per_minute
        self._steady = Timekeeper.of(clock).steady
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._waiting = 0

    def count(self, address: str) -> Failure:
        """A login from this address has failed."""
        group, now = _group(address), self._steady()
        level, at = self._buckets.pop(group, (0.0, now))
        left = max(0.0, level - max(0, now - at) * self._free / MINUTE)
        level = min(left + 1, 2 * self._free)
        self._buckets[group] = level, now
        if len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        over = level - self._free
        return Failure(max(0.0, over) / self._free * LONGEST_WAIT, first=left <= self._free < level)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[bool]:
        """Around the wait; False if too many wait already, and the answer should not be held back but cut short."""
        free = self._waiting < MOST_WAITING
        self._waiting += free
        try:
            yield free
        finally:
            self._waiting -= free


def _group(address: str) -> str:
    """What one client can choose its addresses from: with IPv6, a network of 64 bits."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(found.ipv4_mapped or f"{int(found) >> 64:x}::/64")
