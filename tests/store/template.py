"""An empty database of today's schema, made once a process; tests start from copies of it.

The migrations take 70 ms for a new file, a copy takes less than one. `test_schema.py` compares the two.
"""

import functools
import os
import tempfile
from pathlib import Path

from bridge.store import Admin


@functools.cache
def template() -> bytes:
    """The content of the file, with no write-ahead log beside it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        Admin.open(path, lambda: 0).close()
        return path.read_bytes()


def prepared(path: Path) -> Path:
    """`path`, with a copy of the template there unless it exists; for its owner alone, as the store makes it."""
    if not path.exists():
        path.touch(0o600)
        path.write_bytes(template())
    return path


def scratch() -> "tempfile.TemporaryDirectory[str]":
    """A folder for databases that are made by the dozen: in memory, where the system has such a place."""
    memory = Path("/dev/shm")  # noqa: S108
    return tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)
