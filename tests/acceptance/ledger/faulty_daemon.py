"""The daemon on a slow disk, with a fault that a ledger has to find.

python -m tests.acceptance.ledger.faulty_daemon FAULT run --data-dir DIR …
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from bridge.broker.outbound import Outbound
from bridge.cli.main import main
from bridge.store.messages import Messages
from bridge.store.writer import Writer

COMMIT = 0.02
"""Seconds that a commit takes on the slow disk."""


def slow_disk() -> None:
    """No fault: what happens within a commit's time happens more often."""
    commit = Writer._commit

    def slowly(self: Writer, *arguments: Any) -> Any:
        time.sleep(COMMIT)
        return commit(self, *arguments)

    Writer._commit = slowly  # type: ignore[method-assign, assignment]


def sent_though_cancelled() -> None:
    """What waited for the disk leaves some time later, and nobody looks at it again."""
    depart = Outbound._depart_down

    def later(self: Outbound, *arguments: Any) -> None:
        self._loop.call_later(3 * COMMIT, depart, self, *arguments)

    Outbound._depart_down = later  # type: ignore[method-assign, assignment]
    Outbound._is_wanted = lambda self, session, downlink: True  # type: ignore[method-assign]


def newest_first() -> None:
    """A page of a backlog is offered in the wrong order."""
    pending = Messages.pending
    Messages.pending = lambda self, device, *, after, limit: pending(  # type: ignore[method-assign]
        self, device, after=after, limit=limit
    )[::-1]


FAULTS: dict[str, Callable[[], None]] = {
    fault.__name__: fault for fault in (slow_disk, sent_though_cancelled, newest_first)
}

if __name__ == "__main__":
    slow_disk()
    FAULTS[sys.argv.pop(1)]()
    main()
