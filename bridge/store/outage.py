"""Whether the store takes writes, and what the log says about a time when it does not."""

import logging
import math
from collections.abc import Callable

logger = logging.getLogger(__name__)
QUIET = 60.0
"""Seconds after the end of an outage in which another one gets a line of its own only when it outlasts them."""


class Outage:
    """One line when the store begins to refuse writes and one when it takes them again, however many were refused.

    All methods belong to the event loop's thread. A disk with room for small writes alone refuses and takes writes by
    turns; such an outage goes on in the log until `QUIET` has passed.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: the monotonic time of the loop."""
        self.reason: str | None = None
        """Why writes are refused; None while they are taken."""
        self.changed: Callable[[str | None], None] | None = None
        """Called with `reason` at the beginning and at the end."""
        self._now = now
        self._since = 0.0
        self._refused = 0
        self._told = False
        self._quiet_until = -math.inf

    def refuse(self, count: int, reason: str) -> None:
        """So many writes were refused, and those who asked for them were told."""
        self._refused += count
        if self.reason is not None:
            return
        self.reason = reason
        self._since = self._now()
        self.tell()
        self._change()

    def last(self, reason: str) -> None:
        """Writes are refused for good, as the caller logs."""
        self.reason = reason
        self._change()

    def tell(self) -> None:
        """Log the outage if that was put off."""
        if self.reason is not None and not self._told and self._now() >= self._quiet_until:
            self._told = True
            logger.error("the store refuses writes", extra={"reason": self.reason})

    def end(self) -> None:
        """A write was taken that needed room."""
        if self.reason is None:
            return
        self.reason = None
        if self._told:
            self._told = False
            self._quiet_until = self._now() + QUIET
            seconds = round(self._now() - self._since, 1)
            logger.warning("the store takes writes again", extra={"refused": self._refused, "seconds": seconds})
            self._refused = 0
        self._change()

    def _change(self) -> None:
        if self.changed is not None:
            self.changed(self.reason)
