"""Senders that wait for an acknowledgement, each for the same bounded time."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from bridge.model.errors import BridgeError, UnknownMessage
from bridge.model.message import Outcome

Told: TypeAlias = Callable[[Outcome | BridgeError | None], None]
"""Called once. None: still PENDING when the waiting was over. An error: the message was not stored."""

Followed: TypeAlias = Callable[[Outcome | BridgeError | None], None]
"""Called with an error when the message was not stored, else with None once it is committed, with its outcome when it
has one, and with UnknownMessage when it was removed."""

_RESOLUTION = 0.05
"""Seconds. One timer serves all waiting senders, so that a POST does not pay for a timer of its own."""


class Answers:
    def __init__(self, wait: float) -> None:
        """`wait`: seconds from `start` until the answer is None."""
        self._wait = wait
        self._open: dict[int, Told] = {}
        self._followers: dict[int, Followed] = {}
        self._deadlines: deque[tuple[float, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def open(self, seq: int, told: Told) -> None:
        self._open[seq] = told

    def follow(self, seq: int, followed: Followed) -> None:
        """In place of `open`, for who wants to know more than the first answer; until `unfollow`."""
        self._followers[seq] = followed

    def unfollow(self, seq: int) -> None:
        self._followers.pop(seq, None)

    def start(self, seq: int) -> None:
        """The message is committed and may be acknowledged from now on."""
        if seq in self._followers:
            self._followers[seq](None)
            return
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
        elif seq in self._followers:
            self._followers[seq](answer)

    def removed(self, seq: int) -> None:
        """The message is no more."""
        if seq in self._followers:
            self._followers[seq](UnknownMessage())

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
