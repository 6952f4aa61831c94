"""The database file, for commands that work on it directly: the daemon may be running or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import private_files
from bridge.cli.errors import Failed
from bridge.data_dir import DATABASE
from bridge.model.clock import system_clock
from bridge.model.record import Record

if TYPE_CHECKING:
    from bridge.store import Admin

PAGE = 500


@contextmanager
def opened(data_dir: Path, *, create: bool | None = None) -> Iterator["Admin"]:
    """The database of a data folder. Only with `create` it is made, with its folder, when there is none; None: the
    command has no such option."""
    from bridge.store import Admin

    path = data_dir / DATABASE
    if create:
        private_files.make_folder(data_dir)
    elif not _exists(path):
        raise Failed(
            f"{data_dir.absolute()} has no {DATABASE}, so no daemon has run with this data folder: "
            "give --data-dir or DEVICE_BRIDGE_DATA_DIR, or start the daemon first"
            + (", or make the database with --create" if create is False else "")
        )
    with Admin.open(path, system_clock) as admin:
        yield admin


def every_record(admin: "Admin", project: str) -> Iterator[Record]:
    """All devices of a project, oldest first, read page by page."""
    after = 0
    while page := admin.records(project, after=after, limit=PAGE):
        yield from page
        after = page[-1].device.key


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        raise Failed(private_files.obstacle(path)) from None
