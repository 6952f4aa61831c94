"""Working off backlogs: a page a turn, a few devices at a time, so that a reconnect storm does not stop everybody."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from bridge.delivery.outbox import Outbox
from bridge.model.errors import StoreUnavailable

_log = logging.getLogger(__name__)
_RETRY = 1.0
"""Seconds until a backlog that could not be read is tried again."""


class Drains:
    """`page(outbox)` offers the next page of a backlog; true: call it again, there is more and the device takes it."""

    def __init__(self, page: Callable[[Outbox], bool], at_once: int) -> None:
        self._page = page
        self._at_once = at_once
        self._waiting: deque[Outbox] = deque()
        self._scheduled = False

    def schedule(self, outbox: Outbox) -> None:
        if outbox.queued:
            return
        outbox.queued = True
        self._waiting.append(outbox)
        self._wake()

    def _wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        for _ in range(min(self._at_once, len(self._waiting))):
            outbox = self._waiting.popleft()
            outbox.queued = False
            try:
                more = self._page(outbox)
            except StoreUnavailable as error:
                _log.debug("backlog cannot be read", extra={"device": outbox.device.device_id, "error": str(error)})
                asyncio.get_running_loop().call_later(_RETRY, self.schedule, outbox)
                continue
            if more:
                self.schedule(outbox)
        if self._waiting:
            self._wake()
