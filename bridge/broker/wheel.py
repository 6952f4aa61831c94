"""One timer for all connections: keep-alive, time to CONNECT, session expiry."""

import asyncio
from typing import Protocol

TICK = 0.25
"""Seconds."""


class Timed(Protocol):
    def due(self, now: int) -> int:
        """The moment came at which the wheel was asked to look. Returns the tick to look again, 0 for never."""


class Wheel:
    """A bucket of objects for each tick. Moving a deadline costs nothing: the object is asked when its old one comes.

    `now` is the number of the present tick; it is what objects write down as the time they were last active.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._start = loop.time()
        self._buckets: dict[int, set[Timed]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.now = 1

    def start(self) -> None:
        self._timer = self._loop.call_later(TICK, self._turn)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def after(self, seconds: float) -> int:
        """The first tick that comes when so much time has passed from this moment."""
        return int((self._loop.time() - self._start + seconds) / TICK) + 1

    def ticks(self, seconds: float) -> int:
        """What to add to an earlier `now` so that the sum comes when so much time has certainly passed since: `now` is
        up to a tick old, or two when the loop is busy."""
        return int(seconds / TICK) + 3

    def watch(self, item: Timed, tick: int) -> None:
        self._buckets.setdefault(tick, set()).add(item)

    def forget(self, item: Timed, tick: int) -> None:
        """It is gone: do not keep it until its tick, which may be hours away. Nothing happens if it is not there."""
        bucket = self._buckets.get(tick)
        if bucket is not None:
            bucket.discard(item)
            if not bucket:
                del self._buckets[tick]

    def _turn(self) -> None:
        last, self.now = self.now, int((self._loop.time() - self._start) / TICK) + 1
        for tick in range(last, self.now):
            for item in self._buckets.pop(tick, ()):
                again = item.due(self.now)
                if again:
                    self.watch(item, max(again, self.now))
        self._timer = self._loop.call_later(TICK, self._turn)
