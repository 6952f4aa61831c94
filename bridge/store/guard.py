"""Watches what the database lies on: files that disappear, pages that are damaged, a disk that cannot be read."""

import asyncio
import contextlib
import logging
import math
import sqlite3
from collections.abc import Coroutine
from pathlib import Path

from bridge.store.damage import diagnosis, is_damage
from bridge.store.rescue import Files, save
from bridge.store.writer import Writer

logger = logging.getLogger(__name__)
NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY})
UNREADABLE_EVERY = 60.0
"""Seconds between two lines that say that the database cannot be read."""


class Guard:
    """All methods but `failed` belong to the event loop's thread."""

    def __init__(self, path: Path, writer: Writer, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop):
        """`connection`: the writer's; used while the writer is suspended or closed."""
        self._path = path
        self._writer = writer
        self._connection = connection
        self._loop = loop
        self._files = Files(path)
        self._lost = False
        self._told = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._damaged = False
        self._unreadable_until = -math.inf
        self.closed = False

    def look(self) -> None:
        """Has somebody deleted or replaced a file of the database? Then nothing new is accepted from now on."""
        if self._lost:
            return
        if lost := self._files.lost():
            self._lost = True
            names = ", ".join(path.name for path in lost)
            self._start(self._save(f"{names} was deleted or replaced while the daemon runs"))

    def failed(self, error: sqlite3.Error) -> None:
        """A connection has met this error, in any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            if not self.closed:
                self._loop.call_soon_threadsafe(self._note, error)

    async def finish(self) -> None:
        """Behind the last write."""
        self.closed = True
        await asyncio.gather(*self._tasks)
        if self._lost and (saved := await asyncio.to_thread(self._saved)) != self._told:
            logger.critical(saved)

    def _note(self, error: sqlite3.Error) -> None:
        if is_damage(error):
            if not self._damaged:
                self._damaged = True
                self._start(self._examine())
        elif getattr(error, "sqlite_errorcode", 0) & 0xFF in NO_ROOM:
            self._writer.probe()
        elif self._loop.time() >= self._unreadable_until:
            self._unreadable_until = self._loop.time() + UNREADABLE_EVERY
            logger.error("the database cannot be used", extra={"reason": str(error)})

    async def _examine(self) -> None:
        logger.critical(await asyncio.to_thread(diagnosis, self._path))

    async def _save(self, reason: str) -> None:
        await self._writer.suspend(reason)
        self._told = await asyncio.to_thread(self._saved)
        logger.critical("%s: nothing new is accepted; %s", reason, self._told)

    def _saved(self) -> str:
        try:
            return save(self._connection, self._files, self._path)
        except (sqlite3.Error, OSError) as error:
            return f"what was stored since the last checkpoint cannot be saved: {error}"

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
