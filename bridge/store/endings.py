"""Messages that end in a state worth a notification: state and notification are written in one transaction."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from bridge.model.clock import Clock, system_clock
from bridge.model.message import Outcome, Status
from bridge.model.notification import Kind, Notice, Occurrence
from bridge.store.inbox_writes import enter
from bridge.store.rows import outcome_row
from bridge.store.statements import FINISH

UNCACHED = "SELECT seq FROM message WHERE ttl = 0 AND status = 'PENDING'"
WHOSE = """
    SELECT device.project, device.device_id, message.message_id FROM message JOIN device ON device.key = message.device
    WHERE message.seq = ?
"""


@dataclass(frozen=True, slots=True)
class Endings:
    announced: frozenset[Status] = frozenset()
    notice_of: Callable[[Occurrence], Notice | None] = lambda _: None
    clock: Clock = system_clock

    def finish(self, seq: int, outcome: Outcome, connection: sqlite3.Connection) -> bool:
        """Whether the message was PENDING and is finished now."""
        if connection.execute(FINISH[1], (seq, *outcome_row(outcome))).rowcount != 1:
            return False
        whose = connection.execute(WHOSE, (seq,)).fetchone()
        if whose is not None:  # the device may have been removed
            project, device_id, message_id = whose
            kind = Kind(outcome.status.lower())
            occurrence = Occurrence(kind, project, device_id, message_id, detail=outcome.detail)
            if (notice := self.notice_of(occurrence)) is not None:
                enter(connection, [notice], self.clock())
        return True

    def fail_uncached(self, connection: sqlite3.Connection, outcome: Outcome) -> int:
        seqs = connection.execute(UNCACHED).fetchall()
        return sum(self.finish(seq, outcome, connection) for (seq,) in seqs)
