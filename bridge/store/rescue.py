"""The database's files when somebody deletes or replaces them under a running daemon.

SQLite goes on writing into the files that it has opened, which nobody can open any more: all of it would be gone with
the process. As long as that runs, it can be saved.
"""

import os
import sqlite3
from pathlib import Path

SUFFIXES = ("", "-wal", "-shm")


class Files:
    """The files of an open database, by their identity when it was opened."""

    def __init__(self, path: Path) -> None:
        self._known = {Path(f"{path}{suffix}"): identity(Path(f"{path}{suffix}")) for suffix in SUFFIXES}
        self._database = path

    def lost(self) -> list[Path]:
        """Those that were deleted, moved away or replaced."""
        return [path for path, known in self._known.items() if identity(path) != known]

    @property
    def database_is_lost(self) -> bool:
        return self._database in self.lost()

    def remove_log(self) -> None:
        """Removes what belongs to a database that is lost: SQLite would read it into the file that takes its place."""
        for path in self._known.keys() - {self._database, *self.lost()}:
            path.unlink(missing_ok=True)


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode; None: there is no such file."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def save(connection: sqlite3.Connection, files: Files, path: Path) -> str:
    """Writes everything that is stored to where it can be found after the end of the process: to the database at
    `path` when that is still the one which is open, else to a copy beside it. Returns what there is to do, in a
    sentence.

    Raises sqlite3.Error, OSError.
    """
    if not files.database_is_lost:
        busy, frames, copied = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
        if not busy and frames == copied:
            return f"everything that was stored is in {path}: restart the daemon"
    copy = path.with_name(f"{path.name}.rescued")
    copy.unlink(missing_ok=True)
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # SQLite takes an empty file
    connection.execute("VACUUM INTO ?", (str(copy),))
    descriptor = os.open(copy, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if files.database_is_lost:
        files.remove_log()
    return f"everything that was stored is in {copy}: stop the daemon, put that file in the place of {path}, start it"
