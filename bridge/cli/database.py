"""The database file, for commands that work on it directly: the daemon may be running or not, or never have run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.options import prepared
from bridge.data_dir import DATABASE
from bridge.model.clock import system_clock
from bridge.model.device import Device

if TYPE_CHECKING:
    from bridge.store import Admin

PAGE = 500


@contextmanager
def opened(data_dir: Path) -> Iterator["Admin"]:
    """Made with its folder when it does not exist yet."""
    from bridge.store import Admin

    with Admin.open(prepared(data_dir) / DATABASE, system_clock) as admin:
        yield admin


def every_device(admin: "Admin", project: str) -> Iterator[Device]:
    """All devices of a project, read page by page."""
    after = 0
    while page := admin.devices(project, after=after, limit=PAGE):
        yield from page
        after = page[-1].key
