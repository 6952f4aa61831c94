"""The one timer of all connections."""

import asyncio
import itertools
from collections.abc import Callable
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from bridge.broker.wheel import TICK, Wheel


class Handle:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """Time passes when a test says so. `late`: how long after its time each timer runs."""

    def __init__(self, late: float = 0) -> None:
        self.now = 1000.0
        self.late = late
        self.handles: list[Handle] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Handle:
        self.handles.append(Handle(self.now + delay, callback))
        return self.handles[-1]

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [h for h in self.handles if not h.cancelled and h.when + self.late <= end]:
            handle = min(due, key=lambda h: h.when)
            self.handles.remove(handle)
            self.now = max(self.now, handle.when + self.late)
            handle.callback()
        self.now = end


class Item:
    """Writes down when it is looked at, and asks for the next looks."""

    def __init__(self, loop: FakeLoop, *again: int) -> None:
        self._loop = loop
        self._again = itertools.chain(again, itertools.repeat(0))
        self.looked: list[float] = []

    def due(self, now: int) -> int:
        self.looked.append(self._loop.now)
        again = next(self._again)
        return now + again if again else 0


def started(loop: FakeLoop) -> Wheel:
    wheel = Wheel(cast("asyncio.AbstractEventLoop", loop))
    wheel.start()
    return wheel


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=20),
    st.floats(0, 3),
    st.floats(0, 0.2),
    st.floats(0, 10),
)
def test_looked_at_once_soon_after_the_time(waits: list[float], begin: float, late: float, stall: float) -> None:
    """Never early; a few ticks late at most, as long as the loop turns."""
    loop = FakeLoop(late)
    wheel = started(loop)
    loop.run(begin)
    asked = loop.now
    items = [Item(loop) for _ in waits]
    for item, wait in zip(items, waits, strict=True):
        wheel.watch(item, wheel.after(wait))
    loop.now += stall
    loop.run(200)
    for item, wait in zip(items, waits, strict=True):
        (looked,) = item.looked
        assert asked + wait <= looked <= asked + max(wait, stall) + 4 * (TICK + late)
    assert wheel._buckets == {}


def test_looked_at_again_when_it_asks_for_it() -> None:
    loop = FakeLoop()
    wheel = started(loop)
    item = Item(loop, 4, 1, 8)
    wheel.watch(item, wheel.after(0))
    loop.run(60)
    gaps = [round((b - a) / TICK) for a, b in itertools.pairwise(item.looked)]
    assert gaps == [5, 2, 9]
    assert wheel._buckets == {}


def test_a_moment_that_has_passed_is_the_next_turn() -> None:
    loop = FakeLoop()
    wheel = started(loop)

    class Impatient(Item):
        def due(self, now: int) -> int:
            super().due(now)
            return 1 if len(self.looked) < 5 else 0

    item = Impatient(loop)
    wheel.watch(item, wheel.now)
    loop.run(60)
    assert len(item.looked) == 5


def test_watched_twice_for_the_same_moment_is_looked_at_once() -> None:
    loop = FakeLoop()
    wheel = started(loop)
    item = Item(loop)
    wheel.watch(item, wheel.after(1))
    wheel.watch(item, wheel.after(1))
    loop.run(10)
    assert len(item.looked) == 1


def test_no_more_after_the_stop() -> None:
    loop = FakeLoop()
    wheel = started(loop)
    item = Item(loop)
    wheel.watch(item, wheel.after(1))
    wheel.stop()
    loop.run(10)
    assert item.looked == []


def test_stopped_before_the_start() -> None:
    Wheel(cast("asyncio.AbstractEventLoop", FakeLoop())).stop()
