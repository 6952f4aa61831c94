"""One line in the log for each connection that is refused or ended for a reason, and each message that is not allowed;
and a bound on how many."""

import logging
from collections import Counter
from dataclasses import dataclass

from bridge.broker.wheel import TICK
from bridge.mqtt import ReasonCode

_log = logging.getLogger(__name__)
_MINUTE = int(60 / TICK)
"""Ticks."""
_MOST_OF_ONE = 30
"""Lines a minute about one client of one address."""
_MOST = 600
"""Lines a minute about all."""


@dataclass(frozen=True, slots=True)
class Complaint:
    title: str
    client: str
    peer: str
    reason: ReasonCode
    message: str
    clause: str
    """Of the standard; empty if it is not about that."""


class Complaints:
    """A peer that floods gets its first lines; how many more there were is said with the first line of a later
    minute."""

    def __init__(self) -> None:
        self._minute = 0
        self._told: Counter[tuple[str, str]] = Counter()
        self._lines = 0
        self._untold = 0

    def tell(self, now: int, complaint: Complaint) -> None:
        """`now`: the wheel's tick."""
        self._turn(now // _MINUTE)
        about = (complaint.peer.rpartition(":")[0], complaint.client)
        if self._lines >= _MOST or self._told[about] >= _MOST_OF_ONE:
            self._untold += 1
            return
        self._lines += 1
        self._told[about] += 1
        extra = {
            "client": complaint.client,
            "peer": complaint.peer,
            "reason": complaint.message,
            "code": f"0x{complaint.reason:02x}",
        }
        if complaint.clause:
            extra["clause"] = complaint.clause
        _log.warning(complaint.title, extra=extra)

    def _turn(self, minute: int) -> None:
        if minute == self._minute:
            return
        self._minute = minute
        self._told.clear()
        self._lines = 0
        untold, self._untold = self._untold, 0
        if untold:
            _log.warning("refusals without a line each", extra={"count": untold})
