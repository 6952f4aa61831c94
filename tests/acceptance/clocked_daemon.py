"""The daemon with a clock that a test moves.

python -m tests.acceptance.clocked_daemon OFFSET_FILE run --data-dir DIR …
"""

import sys
from functools import partial
from pathlib import Path

from bridge import daemon
from bridge.cli.main import main
from tests.acceptance.clock import SharedClock

if __name__ == "__main__":
    clock = SharedClock(Path(sys.argv.pop(1)))
    daemon.run = partial(daemon.run, clock=clock)
    main()
