"""Messages that end in a state worth a notification: state and notification are written in one transaction."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.model.clock import Clock, system_clock
from bridge.model.message import Outcome, Status
from bridge.model.notification import Kind, Notice, Occurrence
from bridge.store import statements
from bridge.store.inbox_statements import ENDED
from bridge.store.inbox_writes import enter
from bridge.store.journal import Change, Journal
from bridge.store.rows import outcome_row


@dataclass(frozen=True, slots=True)
class Endings:
    announced: frozenset[Status] = frozenset()
    notice_of: Callable[[Occurrence], Notice | None] = lambda _: None
    clock: Clock = system_clock

    def finish(
        self, seq: int, outcome: Outcome, channel: int | None, connection: sqlite3.Connection, journal: Journal
    ) -> bool:
        """Whether the message was PENDING and is finished now. `channel` is told, too."""
        row = seq, *outcome_row(outcome)
        if connection.execute(statements.FINISH[1], row).rowcount != 1:
            return False
        if channel is not None:
            journal.changed([Change(channel, *row)])
        ended = connection.execute(ENDED, (seq,)).fetchone()
        if ended is not None:  # the device may have been removed
            project, device_id, message_id = ended
            kind = Kind(outcome.status.lower())
            notice = self.notice_of(Occurrence(kind, project, device_id, message_id, detail=outcome.detail))
            if notice is not None:
                enter(connection, [notice], self.clock())
        return True

    def fail_uncached(
        self, outcome: Outcome, channels: Mapping[str, int], connection: sqlite3.Connection, journal: Journal
    ) -> int:
        uncached = connection.execute(statements.UNCACHED).fetchall()
        return sum(self.finish(seq, outcome, channels.get(project), connection, journal) for seq, project in uncached)
