"""Notices on their way into the store: one write at a time carries all that came while the last one ran."""

import logging
from collections import deque
from itertools import islice

from bridge.inbox.base import NotificationStore
from bridge.model.clock import Clock
from bridge.model.errors import BridgeError
from bridge.model.notification import Notice, Notification

_log = logging.getLogger(__name__)
_AT_ONCE = 256
"""Notices in one write: it shares its commit with messages, which wait for it."""
_MOST_WAITING = 50_000
"""What devices say faster than the disk can take it is counted and left out, instead of filling the memory."""


class Intake:
    def __init__(self, store: NotificationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: deque[Notice] = deque()
        self._writing = False
        self._left_out = 0
        self._closed = False

    def put(self, notice: Notice) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._left_out += 1
            return
        self._waiting.append(notice)
        self._go_on()

    def flush(self) -> None:
        """Hand over what waits, to a store that is about to be closed."""
        self._closed = True
        while self._waiting:
            self._write()

    def _go_on(self) -> None:
        if self._waiting and not self._writing and not self._closed:
            self._write()

    def _write(self) -> None:
        self._writing = True
        part = list(islice(self._waiting, _AT_ONCE))
        for _ in part:
            self._waiting.popleft()
        self._store.enter(part, self._clock(), self._written)

    def _written(self, _: list[Notification] | BridgeError) -> None:
        """An error: the store is closed, and accounts for what it could not write."""
        self._writing = False
        if self._left_out:
            _log.warning("notifications left out: more than the disk takes", extra={"count": self._left_out})
            self._left_out = 0
        self._go_on()
