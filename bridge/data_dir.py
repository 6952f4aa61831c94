"""The daemon's folder: what lies in it besides the database, and that only one daemon uses it."""

import fcntl
import json
import os
from pathlib import Path

from bridge import private_files

DATABASE = "bridge.db"
ADMIN_TOKEN = "admin.token"  # noqa: S105  a file name
ADDRESSES = "addresses.json"
_LOCK = "daemon.lock"


class DataDir:
    """Made with mode 0700. Holds `bridge.db`, `admin.token`, `addresses.json` while a daemon runs, and its lock."""

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

    def publish(self, http: str, mqtt: str, **further: str) -> None:
        """Tell other processes where the daemon listens; `further`: its other listeners by name."""
        addresses = {"http": http, "mqtt": mqtt, **further}
        private_files.write(self.path / ADDRESSES, json.dumps(addresses) + "\n")


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
