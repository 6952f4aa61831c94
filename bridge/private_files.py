"""Files for their owner alone, in a folder whose owner is theirs, too; and why one of them cannot be used.

A command that root runs leaves nothing in the folder of another user that this user cannot open afterwards.
"""

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

_OTHERS = 0o077


def make_folder(folder: Path) -> Path:
    """Make the folder, and those above it, unless it is there. Nobody but its owner may look into a new one."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    return folder


def create(path: Path | str) -> int:
    """Make a file and return its descriptor, open for writing. Raises FileExistsError."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    give(descriptor, Path(path).parent)
    return descriptor


def give(descriptor: int, folder: Path) -> None:
    """Make the owner of the folder the owner of an open file, as far as this process may: root may."""
    owner = folder.stat()
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def replacing(path: Path, text: str) -> Iterator[None]:
    """Write `text` beside the file and to the disk; it becomes the file when the block ends without an exception.

    A reader finds the old file or the new one, whole.
    """
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(create(draft), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        yield
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write(path: Path, text: str) -> None:
    """Make or replace the file, whole or not at all."""
    with replacing(path, text):
        pass


def shared_mode(path: Path) -> str:
    """The mode of a file that others than its owner may read or write, such as "0644"; empty when nobody may.

    A group that reads is a choice of the administrator when the file is root's, as the files in /etc are.
    """
    try:
        status = path.stat()
    except OSError:
        return ""
    granted = _OTHERS & ~(0o040 if status.st_uid == 0 else 0)
    mode = stat.S_IMODE(status.st_mode)
    return f"{mode:04o}" if mode & granted else ""


def obstacle(path: Path, *, to_read: bool = False) -> str:
    """Why this process may not read and write the file, or only read it, and what to do; empty when it may.

    A file that is missing may be used when it can be made.
    """
    try:
        return _obstacle(path.absolute(), os.R_OK if to_read else os.R_OK | os.W_OK)
    except OSError:  # it has changed meanwhile, and who asked has an error of its own to report
        return ""


def _obstacle(path: Path, rights: int) -> str:
    for folder in reversed(path.parents):
        if not os.access(folder, os.X_OK, effective_ids=True):
            return _belongs(folder) if folder.is_dir() else f"there is no folder {folder}"
    if path.is_dir():
        return f"{path} is a folder"
    for place in (path, path.parent) if path.exists() else (path.parent,):
        if not os.access(place, rights, effective_ids=True):
            return _belongs(place)
    return ""


def _belongs(place: Path) -> str:
    """What is to be done about a file or folder that this process may not use."""
    status = place.stat()
    owner, own = user_name(status.st_uid), user_name(os.geteuid())
    if status.st_uid == os.geteuid():
        rights = "rwx" if place.is_dir() else "rw"
        return f"{place} has mode {stat.S_IMODE(status.st_mode):04o}: chmod u+{rights} {place}"
    if place.parent.stat().st_uid == os.geteuid():
        return f"{place} belongs to the user {owner} and its folder to {own}: chown {own} {place}"
    return f"{place} belongs to the user {owner}, and this is {own}: run it as {owner} (sudo -u {owner} …)"


def user_name(number: int) -> str:
    """The name of a user, or the number when there is none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
