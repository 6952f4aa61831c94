"""Senders that wait for an acknowledgement, each for the same bounded time."""

import asyncio
from collections import deque
from typing import TypeAlias

from bridge.model.errors import BridgeError
from bridge.model.message import Outcome

Answer: TypeAlias = "asyncio.Future[Outcome | None]"
"""None: still PENDING when the waiting was over."""

_RESOLUTION = 0.05
"""Seconds. One timer serves all waiting senders, so that a POST does not pay for a timer of its own."""


class Answers:
    def __init__(self, wait: float) -> None:
        """`wait`: seconds from `start` until the answer is None."""
        self._wait = wait
        self._open: dict[int, Answer] = {}
        self._deadlines: deque[tuple[float, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def open(self, seq: int) -> Answer:
        answer: Answer = asyncio.get_running_loop().create_future()
        self._open[seq] = answer
        return answer

    def start(self, seq: int) -> None:
        """The message is committed and may be acknowledged from now on."""
        if not self._wait:
            self.give(seq, None)
            return
        loop = asyncio.get_running_loop()
        self._deadlines.append((loop.time() + self._wait, seq))
        if self._timer is None:
            self._timer = loop.call_later(_RESOLUTION, self._tick)

    def give(self, seq: int, outcome: Outcome | None) -> None:
        answer = self._open.pop(seq, None)
        if answer is not None and not answer.done():
            answer.set_result(outcome)

    def fail(self, seq: int, error: BridgeError) -> None:
        answer = self._open.pop(seq, None)
        if answer is not None and not answer.done():
            answer.set_exception(error)

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
