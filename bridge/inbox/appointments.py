"""Notifications that were confirmed for a time are processed at that time."""

import asyncio
import logging

from bridge.inbox.base import NotificationStore
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import StoreUnavailable

_log = logging.getLogger(__name__)
_LOOK = 1.0
"""Seconds between two looks while something is due one day; the loop's time stands still while the machine is
suspended."""
_RETRY = 1.0
_PAGE = 500


class Appointments:
    """One timer, for the earliest; none when nothing is confirmed for later."""

    def __init__(self, store: NotificationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._steady = Timekeeper.of(clock).steady
        self._earliest: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """What came due while nothing ran is processed at once. Raises StoreUnavailable."""
        self.expect(self._store.next_due())

    async def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])

    def expect(self, moment: int | None) -> None:
        """Something is confirmed for that moment of steady time; None: for none."""
        if moment is not None and (self._earliest is None or moment < self._earliest):
            self._earliest = moment
            self._plan()

    def _plan(self, seconds: float = 0) -> None:
        """To look again then, or sooner if the earliest is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stopped or self._earliest is None or self._busy():
            return
        left = max(0.0, (self._earliest - self._steady()) / 1000)
        self._timer = asyncio.get_running_loop().call_later(max(seconds, min(_LOOK, left)), self._look)

    def _look(self) -> None:
        self._timer = None
        if self._earliest is None or self._steady() < self._earliest:
            self._plan()
            return
        self._task = asyncio.get_running_loop().create_task(self._process())
        self._task.add_done_callback(self._ended)

    async def _process(self) -> None:
        while len(await self._store.process_due(self._steady(), _PAGE, at=self._clock())) == _PAGE:
            pass

    def _ended(self, task: asyncio.Task[None]) -> None:
        """The store knows what is earliest now, also what was confirmed meanwhile."""
        self._task = None
        try:
            task.result()
            self._earliest = self._store.next_due()
            self._plan()
        except StoreUnavailable as error:
            _log.debug("confirmed notifications not processed yet", extra={"error": str(error)})
            self._plan(_RETRY)

    def _busy(self) -> bool:
        return self._task is not None
