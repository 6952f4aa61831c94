"""The daemon with clocks that a test moves and sets. It removes what is old several times a second.

python -m tests.acceptance.clocked_daemon OFFSET_FILE run --data-dir DIR …
"""

import sys
from functools import partial
from pathlib import Path

from bridge import daemon
from bridge.cli.main import main
from bridge.inbox import inbox
from bridge.store import Store
from tests.acceptance.clock import SharedClock

PRUNE_EVERY = 0.1
"""Seconds."""

if __name__ == "__main__":
    clock = SharedClock(Path(sys.argv.pop(1)))
    inbox._PRUNE_EVERY = PRUNE_EVERY
    Store.open = partial(Store.open, prune_every=PRUNE_EVERY)  # type: ignore[method-assign]
    daemon.run = partial(daemon.run, source=clock)
    main()
