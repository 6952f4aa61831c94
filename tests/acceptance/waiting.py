"""The only place where these tests wait for something that cannot be waited on."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 10.0
"""Seconds until something that has to happen is missing; generous, because it costs nothing when it happens."""
PAUSE = 0.02


def eventually(condition: Callable[[], T], within: float = PATIENCE) -> T:
    """What `condition` returns as soon as that is true in a boolean sense; an AssertionError when it never is."""
    deadline = time.monotonic() + within
    nobody = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"still {found!r} after {within:g} s"
        nobody.wait(PAUSE)
    return found
