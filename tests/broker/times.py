"""The two kinds of time the daemon lives in, both in the hands of a test."""

import asyncio

MILLISECONDS = 1000
START = 1_700_000_000_000


class WallClock:
    """A `bridge.model.clock.Clock` that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * MILLISECONDS)


class LoopTime:
    """The time of an event loop, which goes on as usual and can be moved forward: all its timers move with it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._time = loop.time
        self._ahead = 0.0
        loop.time = self._now  # type: ignore[method-assign]

    def _now(self) -> float:
        return self._time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


async def turn() -> None:
    """Returns after every timer that is due now has run."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_later(0, done.set_result, None)
    await done
