"""The only place where these tests wait for something that cannot be waited on, and how long they wait at all."""

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 10.0
"""Seconds until something that has to happen is missing; generous, because it costs nothing when it happens."""
PART = 0.5
PAUSE = 0.02


def parts(within: float) -> Iterator[float]:
    """A time to wait, in parts: while the whole machine stands still, one of them is used up and not all."""
    while within > PART:
        yield PART
        within -= PART
    yield max(within, 0.0)


def eventually(condition: Callable[[], T], within: float = PATIENCE) -> T:
    """What `condition` returns as soon as that is true in a boolean sense; an AssertionError when it never is."""
    nobody = threading.Event()
    for _ in range(max(1, int(within / PAUSE))):
        if found := condition():
            return found
        nobody.wait(PAUSE)
    found = condition()
    assert found, f"still {found!r} after {within:g} s"
    return found
