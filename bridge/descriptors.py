"""File descriptors: how many this process may have open, and which of them new connections do not get.

Each connection takes one. When none is left, not only further connections fail: the database, certificates and pushes
need some, too. libuv then accepts connections and closes them without a word. So the last ones are kept back, and
connections that would take them are closed, which is logged.
"""

import asyncio
import logging
import resource
from pathlib import Path

_log = logging.getLogger("bridge")
_LINE_EVERY = 60.0
"""Seconds between two lines about refused connections."""
_KERNEL_LIMIT = Path("/proc/sys/fs/nr_open")
_MOST_KEPT = 512
"""Descriptors that connections do not get: for the database, listeners, pushes to 128 targets, and libraries."""


class Descriptors:
    """Belongs to the running event loop. `limit`: as many may be open; the last quarter, at most 512, is kept back."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.for_connections = limit - min(_MOST_KEPT, limit // 4)
        self._refused = 0
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, descriptor: int) -> bool:
        """Whether a new connection may keep its descriptor: the kernel gives the lowest that is free."""
        if descriptor < self.for_connections:
            return True
        self._refused += 1
        if self._timer is None:
            _log.warning(
                "connections are refused: too many open files",
                extra={"limit": self.limit, "for_connections": self.for_connections},
            )
            self._count_from_now()
        return False

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _count_from_now(self) -> None:
        self._refused = 0
        self._timer = asyncio.get_running_loop().call_later(_LINE_EVERY, self._count)

    def _count(self) -> None:
        """How many there were since the line before; the next one after a quiet minute is told at once again."""
        self._timer = None
        if self._refused:
            _log.warning("connections were refused: too many open files", extra={"count": self._refused})
            self._count_from_now()


def raise_limit() -> int:
    """Let this process open as many files as the system allows it to. Returns how many these are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = int(_KERNEL_LIMIT.read_text(encoding="ascii")) if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def warn_unless_enough(descriptors: Descriptors, max_connections: int) -> None:
    """Say at the start that the configuration promises more than the system gives. `max_connections`: MQTT's, beside
    which HTTP needs some."""
    if max_connections >= descriptors.for_connections:
        _log.warning(
            "the limit of open files is too low for mqtt.max_connections",
            extra={
                "limit": descriptors.limit,
                "for_connections": descriptors.for_connections,
                "max_connections": max_connections,
                "remedy": "raise LimitNOFILE= of the unit (ulimit -Hn) or lower mqtt.max_connections",
            },
        )
