"""The clock of the queue: messages whose ttl has passed end as TIMEOUT."""

import asyncio
import logging
from collections.abc import Callable

from bridge.delivery.base import MessageStore
from bridge.model.clock import Clock
from bridge.model.errors import StoreUnavailable

_log = logging.getLogger(__name__)
_EVERY = 1.0
"""Seconds."""
_NEXT_PAGE = 0.02
_PAGE = 500


class Expiry:
    """`end(seq, device, expires_at)` is called for each PENDING message that is due; it may be called again until the
    end is committed. It may raise StoreUnavailable."""

    def __init__(self, store: MessageStore, steady: Clock, end: Callable[[int, int, int], None]) -> None:
        self._store = store
        self._steady = steady
        self._end = end
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self.sweep()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def sweep(self) -> None:
        """End one page of due messages and plan the next look."""
        delay = _EVERY
        try:
            due = self._store.due(self._steady(), _PAGE)
            for seq, device, expires_at in due:
                self._end(seq, device, expires_at)
            if len(due) == _PAGE:
                delay = _NEXT_PAGE
        except StoreUnavailable as error:
            _log.debug("expiry cannot be read", extra={"error": str(error)})
        self._timer = asyncio.get_running_loop().call_later(delay, self.sweep)
