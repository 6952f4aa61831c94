"""The two kinds of time the daemon lives in, both in the hands of a test."""

import asyncio
import contextlib

MILLISECONDS = 1000
START = 1_700_000_000_000
PATIENCE = 10.0
"""Seconds after which something that does not come counts as missing."""
SLICE = 0.5


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


async def comes(event: asyncio.Event) -> None:
    """Wait for it. A machine that stands still for a while does not use the patience up."""
    for _ in range(int(PATIENCE / SLICE)):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SLICE):
                await event.wait()
                return
    raise TimeoutError(f"nothing came for {PATIENCE:g} s")


async def turn() -> None:
    """Returns after every timer that is due now has run."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_later(0, done.set_result, None)
    await done
