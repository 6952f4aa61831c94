"""The daemon's folder: what lies in it besides the database, and that only one daemon uses it."""

import fcntl
import json
import logging
import os
from pathlib import Path

from bridge import private_files

DATABASE = "bridge.db"
ADMIN_TOKEN = "admin.token"  # noqa: S105  a file name
ADDRESSES = "addresses.json"
RESERVE = "reserve"
RESERVE_SIZE = 1024 * 1024
"""Bytes: more than the database's log, its index and our own files need to be opened, and to take some last writes."""
_ROOM = 16 * RESERVE_SIZE
"""Bytes that have to be free before the reserve is taken from them."""
_log = logging.getLogger(__name__)
_LOCK = "daemon.lock"


class DataDir:
    """Made with mode 0700. Holds `bridge.db`, `admin.token`, `addresses.json` while a daemon runs, its lock, and a
    reserve: room that is given free when the disk is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    @property
    def secret_files(self) -> tuple[Path, ...]:
        return self.database, self.admin_token

    def lock(self) -> None:
        """Take the folder for this process until `release`. Raises OSError when another daemon has it."""
        private_files.make_folder(self.path)
        self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        private_files.give(self._lock, self.path)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise OSError(f"another daemon is running on {self.path}") from None

    def release(self) -> None:
        (self.path / ADDRESSES).unlink(missing_ok=True)
        os.close(self._lock)

    @property
    def admin_token(self) -> Path:
        """The file with the text of the admin's token."""
        return self.path / ADMIN_TOKEN

    def keep_reserve(self) -> None:
        """Keep some room for the next start and stop on a full disk, if there is plenty now."""
        file = self.path / RESERVE
        try:
            if self._free() < _ROOM:
                return
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                private_files.give(descriptor, self.path)
                os.posix_fallocate(descriptor, 0, RESERVE_SIZE)
            finally:
                os.close(descriptor)
        except OSError as error:
            _log.warning("no room can be reserved for a full disk", extra={"file": file, "error": str(error)})

    def free_reserve(self) -> None:
        """Give it free when the disk is full."""
        if self._free() < RESERVE_SIZE:
            (self.path / RESERVE).unlink(missing_ok=True)

    def _free(self) -> int:
        """Bytes."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def publish(self, http: str, mqtt: str, **further: str) -> None:
        """Tell other processes where the daemon listens; `further`: its other listeners by name. On a full disk the
        file that the last run left is written over, and a daemon that cannot write it runs all the same."""
        file = self.path / ADDRESSES
        text = json.dumps({"http": http, "mqtt": mqtt, **further}) + "\n"
        try:
            try:
                private_files.write(file, text)
            except OSError:
                self._write_over(file, text)
        except OSError as error:
            _log.warning("other commands cannot find this daemon", extra={"file": file, "error": str(error)})

    def _write_over(self, file: Path, text: str) -> None:
        """In the room that the file has."""
        with file.open("r+", encoding="utf-8") as stream:
            stream.write(text)
            stream.truncate()


def is_running(folder: Path) -> bool:
    """Whether a daemon has the folder, as far as this process may see: /proc/locks names the files that are locked.

    To try the lock would be simpler, and could keep a daemon that starts at this moment from taking it.
    """
    try:
        inode = (folder / _LOCK).stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    return any(line.split()[1] == "FLOCK" and line.split()[5].endswith(f":{inode}") for line in locks)
