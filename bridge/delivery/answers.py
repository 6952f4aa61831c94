"""Senders that wait for an acknowledgement, each for the same bounded time."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from bridge.model.errors import BridgeError
from bridge.model.message import Outcome

Told: TypeAlias = Callable[[Outcome | BridgeError | None], None]
"""Called once. None: still PENDING when the waiting was over. An error: the message was not stored."""

_RESOLUTION = 0.05
"""Seconds. One timer serves all waiting senders, so that a POST does not pay for a timer of its own."""


class Answers:
    def __init__(self, wait: float) -> None:
        """`wait`: seconds from `start` until the answer is None."""
        self._wait = wait
        self._open: dict[int, Told] = {}
        self._deadlines: deque[tuple[float, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def open(self, seq: int, told: Told) -> None:
        self._open[seq] = told

    def start(self, seq: int) -> None:
        """The message is committed and may be acknowledged from now on."""
        if not self._wait:
            self.give(seq, None)
            return
        loop = asyncio.get_running_loop()
        self._deadlines.append((loop.time() + self._wait, seq))
        if self._timer is None:
            self._timer = loop.call_later(_RESOLUTION, self._tick)

    def give(self, seq: int, answer: Outcome | BridgeError | None) -> None:
        told = self._open.pop(seq, None)
        if told is not None:
            told(answer)

    def close(self) -> None:
        """Who waits for an acknowledgement is told what is true: PENDING. Who waits for the commit still does."""
        self._wait = 0
        if self._timer is not None:
            self._timer.cancel()
        while self._deadlines:
            self.give(self._deadlines.popleft()[1], None)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._deadlines and self._deadlines[0][0] <= now:
            self.give(self._deadlines.popleft()[1], None)
        self._timer = loop.call_later(_RESOLUTION, self._tick) if self._deadlines else None
