"""Time as a parameter: every part that needs the wall clock is handed one."""

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]
"""Returns now: whole milliseconds since the epoch, UTC."""


def system_clock() -> int:
    return time.time_ns() // 1_000_000
