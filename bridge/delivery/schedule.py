"""The other clock of the queue: messages that are not to be sent before a time are released when it has come."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from bridge.delivery.base import MessageStore
from bridge.model.clock import Clock
from bridge.model.errors import BridgeError, StoreUnavailable

_log = logging.getLogger(__name__)
_EVERY = 1.0
"""Seconds between two looks at most."""
_SOON = 0.001
_PAGE = 500

Released = Sequence[tuple[int, int]]
"""(seq, device) of each message."""


class Schedule:
    """`released(messages)` is called for each page of messages whose time has come, once it is committed that they may
    be sent. It may raise StoreUnavailable, and is then called again.

    One timer for all of them, set for the earliest. Nothing is written while nothing is due.
    """

    def __init__(self, store: MessageStore, steady: Clock, released: Callable[[Released], None]) -> None:
        self._store = store
        self._steady = steady
        self._released = released
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        self._look()

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def expect(self, send_at: int) -> None:
        """A message for this time was accepted."""
        loop = asyncio.get_running_loop()
        delay = self._until(send_at)
        if self._timer is not None and loop.time() + delay < self._timer.when():
            self._timer.cancel()
            self._look_in(delay)

    def _look(self) -> None:
        """Release what is due, or plan the next look."""
        if self._stopped:
            return
        self._timer = None
        try:
            first = self._store.next_scheduled()
        except StoreUnavailable as error:
            self._fail(error)
            return
        if first is not None and first <= self._steady():
            self._store.release(self._steady(), _PAGE, self._committed)
        else:
            self._look_in(_EVERY if first is None else self._until(first))

    def _committed(self, released: Released | BridgeError) -> None:
        if isinstance(released, BridgeError):
            self._fail(released)
        else:
            self._tell(released)

    def _tell(self, released: Released) -> None:
        try:
            self._released(released)
        except StoreUnavailable as error:
            _log.debug("released messages cannot be sent yet", extra={"error": str(error)})
            asyncio.get_running_loop().call_later(_EVERY, self._tell, released)
            return
        self._look()

    def _fail(self, error: BridgeError) -> None:
        _log.debug("scheduled messages cannot be released yet", extra={"error": str(error)})
        self._look_in(_EVERY)

    def _look_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _until(self, send_at: int) -> float:
        return min(_EVERY, max(_SOON, (send_at - self._steady()) / 1000))
