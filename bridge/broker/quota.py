"""How much one client may send: a rate, and a burst of one second of it."""

_BURST = 1.0
"""Seconds."""
_SHORTEST_WAIT = 0.05
"""Seconds; a timer for each message of a fast client would cost more than it limits."""


class Quota:
    """A bucket that holds the messages of one second and is refilled steadily, kept as a single time: when the messages
    so far would have ended, had they come evenly."""

    __slots__ = ("_interval", "_paid_until")

    def __init__(self, rate: float) -> None:
        """`rate`: messages a second."""
        self._interval = 1 / rate
        self._paid_until = 0.0

    def take(self, now: float) -> float:
        """A message came. Seconds until the next one is welcome; 0: at once."""
        self._paid_until = max(self._paid_until, now) + self._interval
        wait = self._paid_until + self._interval - now - _BURST
        return max(wait, _SHORTEST_WAIT) if wait > 0 else 0.0
