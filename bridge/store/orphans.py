"""Messages that were PENDING when their device was removed: they wait here until their end is told. Contract:
`bridge.delivery.base.MessageStore`.

A device is removed by any process, which knows neither who listens nor in which words; so it leaves behind, in the
transaction that removes a message, what has to be told of it, and the daemon tells it.
"""

import sqlite3
from collections.abc import Callable, Mapping

from bridge.model.errors import BridgeError
from bridge.model.event import StatusChange
from bridge.model.message import Failure, Status
from bridge.model.notification import Kind, Occurrence
from bridge.store.endings import Endings
from bridge.store.hearing_statements import ORPHANS, ORPHANS_TOLD
from bridge.store.journal import Journal, read_subject
from bridge.store.writer import Telling, Writer

AT_ONCE = 200
"""In one transaction, which messages wait for."""
DETAIL = "the device was removed"


class Orphans:
    """They share the writer's commits with the messages."""

    _writer: Writer
    _endings: Endings

    def tell_orphans(self, channels: Mapping[str, int], done: Callable[[bool | BridgeError], None]) -> None:
        """Some of them, the earliest first, in the channel of their project and in its inbox. `done(True)`: there are
        more."""

        def run(connection: sqlite3.Connection, journal: Journal) -> bool:
            orphans = connection.execute(ORPHANS, (AT_ONCE,)).fetchall()
            for _, project, at, message_id, name, topic, *subject in orphans:
                about = read_subject(subject)
                if project in channels:
                    gone = (Status.FAILED.value, at, Failure.REMOVED.value, DETAIL)
                    journal.tell(channels[project], StatusChange(about, message_id, name, topic, *gone))
                if Status.FAILED in self._endings.announced:
                    end = Occurrence(Kind.FAILED, project, about.device_id, message_id, detail=DETAIL)
                    journal.notify(self._endings.notice_of(end), at)
            if orphans:
                connection.execute(ORPHANS_TOLD, (orphans[-1][0],))
            return len(orphans) == AT_ONCE

        self._writer.put(Telling(run, done))
