"""One line in the log for each thing that is refused: a connection, a subscription, a message; and a bound on how
many lines."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.broker.wheel import TICK, Wheel

_log = logging.getLogger(__name__)
_MINUTE = int(60 / TICK)
"""Ticks."""
_MOST_OF_ONE = 30
"""Lines a minute about one client of one address."""
_MOST_OF_ADDRESS = 120
"""Lines a minute about all clients of one address."""
_MOST = 600
"""Lines a minute about all."""
_LONGEST_NAME = 128
"""Characters of a name that a client chose for itself."""
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Complaint:
    """Who was refused what, and why. `-` stands for a name that is not known."""

    title: str
    """What was refused: the message of the log line."""
    client: str
    """Its client identifier."""
    user: str
    peer: str
    """Address and port."""
    listener: str
    code: int | None
    """The MQTT reason code, as far as there is one."""
    reason: str
    clause: str = ""
    """Of the standard; empty if nothing of it was broken."""
    more: Mapping[str, object] = field(default_factory=dict)
    """Further keys of the line."""


class Complaints:
    """The log of refusals. A peer that floods gets its first lines; how many more there were is one line when the
    minute is over."""

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self._minute = 0
        self._told: Counter[tuple[str, str]] = Counter()
        self._lines = 0
        self._untold = 0

    def tell(self, complaint: Complaint) -> None:
        """Log the complaint, or count it."""
        self._turn(self._wheel.now // _MINUTE)
        address = complaint.peer.rpartition(":")[0]
        one, all_of_address = (address, complaint.client[:_LONGEST_NAME]), (address, "")
        if self._lines >= _MOST or self._told[one] >= _MOST_OF_ONE or self._told[all_of_address] >= _MOST_OF_ADDRESS:
            self._count()
            return
        self._lines += 1
        self._told[one] += 1
        self._told[all_of_address] += 1
        _log.warning(complaint.title, extra=_keys(complaint))

    def due(self, now: int) -> int:
        """The minute in which lines were left out is over (`bridge.broker.wheel.Timed`)."""
        self._turn(now // _MINUTE)
        return 0

    def _count(self) -> None:
        if not self._untold:
            self._wheel.watch(self, (self._minute + 1) * _MINUTE)
        self._untold += 1

    def _turn(self, minute: int) -> None:
        if minute == self._minute:
            return
        self._minute = minute
        self._told.clear()
        self._lines = 0
        untold, self._untold = self._untold, 0
        if untold:
            _log.warning("refusals without a line each", extra={"count": untold})


def _keys(complaint: Complaint) -> dict[str, object]:
    keys: dict[str, object] = {
        "client": shortened(complaint.client),
        "user": shortened(complaint.user),
        "peer": complaint.peer,
        "listener": complaint.listener,
        "reason": shortened(complaint.reason, _LONGEST_REASON),
    }
    if complaint.code is not None:
        keys["code"] = f"0x{complaint.code:02x}"
    if complaint.clause:
        keys["clause"] = complaint.clause
    return {**keys, **complaint.more}


def shortened(text: str, longest: int = _LONGEST_NAME) -> str:
    """`text`, cut behind `longest` characters."""
    return text if len(text) <= longest else f"{text[:longest]}…"
