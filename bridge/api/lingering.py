"""The end of a connection in stages (RFC 9112, section 9.6): end our side, read on, close.

A client that still sends its request when the connection is closed gets a reset from the kernel, and with it loses the
answer that it has not read. So what it sends is read on, and thrown away, until it ends its side or a bound is reached.
"""

import asyncio
from collections.abc import Callable

QUIET = 5.0
"""Seconds without a byte of the client after which the connection is closed."""
LONGEST = 30.0
"""Seconds after which it is closed, whatever the client sends."""
LONGEST_AT_STOP = 1.0
"""The same while the daemon stops."""


class Lingering:
    """Counts what a client sends to a connection whose other side has ended. Nothing of it is kept.

    Calls `close`, once: after `at_most` bytes, or `QUIET` or `LONGEST` seconds.
    """

    __slots__ = ("_close", "_counted", "_left", "_loop", "_timer", "_until")

    def __init__(self, loop: asyncio.AbstractEventLoop, close: Callable[[], None], *, at_most: int) -> None:
        self._loop = loop
        self._close = close
        self._left = self._counted = at_most
        self._until = loop.time() + LONGEST
        self._timer: asyncio.TimerHandle | None = loop.call_later(min(QUIET, LONGEST), self._look)

    def received(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            self._end()

    def hurry(self) -> None:
        """The daemon stops: close soon."""
        self.cancel()
        self._timer = self._loop.call_later(LONGEST_AT_STOP, self._end)

    def cancel(self) -> None:
        """The connection is closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """One timer for many reads: whether anything came since the last look."""
        rest = self._until - self._loop.time()
        if self._left == self._counted or rest <= 0:
            self._end()
        else:
            self._counted = self._left
            self._timer = self._loop.call_later(min(QUIET, rest), self._look)

    def _end(self) -> None:
        if self._timer is not None:
            self.cancel()
            self._close()
