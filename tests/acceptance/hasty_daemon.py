"""The daemon with the waiting times that are not settings cut short.

python -m tests.acceptance.hasty_daemon run --data-dir DIR …
"""

from bridge.api import protocol
from bridge.cli.main import main

HEAD_WAIT = 0.7
BODY_WAIT = 1.0

if __name__ == "__main__":
    protocol.HEAD_WAIT = HEAD_WAIT
    protocol.BODY_WAIT = BODY_WAIT
    main()
