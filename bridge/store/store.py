"""The store as the daemon uses it."""

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from bridge.model.clock import Clock, ClockState, Timekeeper
from bridge.model.errors import BridgeError, StoreUnavailable
from bridge.model.inquiry import Inquiry, Page
from bridge.store.admin import Admin
from bridge.store.batches import Batches
from bridge.store.changes import Changes
from bridge.store.clock_state import save_clock, saved_clock
from bridge.store.connection import open_connection, refusing
from bridge.store.damage import WATCHERS
from bridge.store.directory import Directory
from bridge.store.events import Events
from bridge.store.guard import Guard
from bridge.store.management import Management
from bridge.store.messages import Messages
from bridge.store.notifications import Notifications
from bridge.store.orphans import Orphans
from bridge.store.retained import Retained
from bridge.store.retention import Retention
from bridge.store.search import Searches
from bridge.store.sessions import Sessions
from bridge.store.settings import StoreSettings
from bridge.store.sightings import Sightings
from bridge.store.unwritten import Unwritten
from bridge.store.webhooks import Webhooks
from bridge.store.writer import Other, Writer

T = TypeVar("T")
logger = logging.getLogger(__name__)

MEMORY = ":memory:"
LOOK_EVERY = 0.25
"""Seconds between two looks for what other processes have changed."""
PRUNE_EVERY = 60.0
CLOCK_EVERY = 1.0
"""Seconds between two looks at the clock, which may be set."""
CLOCK_SAVED_EVERY = 60_000
"""Milliseconds: how much of steady time is lost at most when the machine loses power and boots with a clock in the
past."""
WATCH_EVERY = 1.0
"""Seconds between two looks for the files of the database."""


class Store(Messages, Orphans, Notifications, Sightings, Events, Webhooks, Batches, Retained, Sessions, Directory):
    """Messages, notifications, events, pushes, sessions, devices and credentials in one SQLite file. All methods belong
    to the event loop's thread.

    A change of a device or a credential is noticed at once if it was made here, within a second if another process
    made it.
    """

    path: Path
    """The file, for `Admin` and for tools."""

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        clock: Clock,
        loop: asyncio.AbstractEventLoop | None = None,
        settings: StoreSettings | None = None,
        prune_every: float = PRUNE_EVERY,
    ) -> Self:
        """Creates the file if it is missing, for its owner alone, and brings its schema up to date.

        Raises StoreUnavailable. Steady time goes on where the last run on this file was, if `clock` is a `Timekeeper`:
        to be called before anything else asks it.

        ":memory:" is a file too, in a temporary directory that ends with the store: SQLite's own databases in memory
        have no WAL, so they would lock where the file does not.
        """
        with contextlib.ExitStack() as opened:
            if path == MEMORY:
                path = Path(opened.enter_context(tempfile.TemporaryDirectory()), "bridge.db")
            with refusing():
                store = cls(Path(path), clock, loop or asyncio.get_running_loop(), settings or StoreSettings(), opened)
            store._opened = opened.pop_all()
        store._writer.start()
        WATCHERS.append(store._guard.failed)
        store._repeat("look", LOOK_EVERY, store.look)
        store._repeat("watch", WATCH_EVERY, store._guard.look)
        store._repeat("prune", prune_every, store._start_pruning)
        if store._time.lasting:
            store._save_clock()
            store._repeat("look at the clock", CLOCK_EVERY, store._look_at_clock)
        return store

    def __init__(
        self,
        path: Path,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        settings: StoreSettings,
        opened: contextlib.ExitStack,
    ) -> None:
        """Use `open`."""
        connections = []
        for _ in ("reads", "writes", "administration", "searches"):
            connections.append(open_connection(path))
            opened.callback(connections[-1].close)
        reader, written, administration, searched = connections
        Messages.__init__(self, reader, Writer(written, loop))
        Directory.__init__(self, administration, clock, Changes(reader))
        self.path = path
        self._loop = loop
        self._time = Timekeeper.of(clock)
        self._clock_saved: ClockState | None = None
        if self._time.lasting:
            self._resume_clock()
        self._retention = Retention(self._writer, self._time, settings)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._pruning: asyncio.Task[None] | None = None
        self._searches = Searches(searched, loop)
        self._management = Management(Admin.open(path, clock), loop)
        self._guard = Guard(path, self._writer, written, loop)
        self._writer.on_damage = self._guard.failed
        self._opened = contextlib.ExitStack()

    async def find_messages(self, project: str, device: int | None, inquiry: Inquiry) -> Page:
        """Contract: `MessageStore`."""
        return await self._searches.find(project, device, inquiry)

    async def flush(self) -> None:
        """Returns when every write made before is committed, or has failed, and its caller was told."""
        with contextlib.suppress(StoreUnavailable):
            await self._writer.request(lambda _: None)

    @property
    def refusal(self) -> str | None:
        """Why the store refuses writes; None while it takes them."""
        return self._writer.outage.reason

    def on_outage(self, callback: Callable[[str | None], None]) -> None:
        """`callback(refusal)` when the store begins to refuse writes, and when it takes them again."""
        self._writer.outage.changed = callback

    async def manage(self, action: Callable[[Admin], T]) -> T:
        """Runs `action` in another thread, one after the other; what it changed is noticed before this returns.

        Raises what `action` raises, and StoreUnavailable.
        """
        self._writer.check()
        try:
            return await self._management.run(action)
        finally:
            self._written()

    async def revoke_jwt(self, jti: str, until: int) -> None:
        """Returns once it is durable. Raises StoreUnavailable."""
        await self.manage(lambda admin: admin.add_revocation(jti, until))

    async def close(self) -> Unwritten:
        """Commits what is queued; later writes are refused. May be called again.

        What nobody asks for again, the outcomes of messages above all, is tried for a few seconds; returns, and logs,
        what could not be written.
        """
        for timer in self._timers.values():
            timer.cancel()
        if self._pruning:
            self._pruning.cancel()
        if self._time.lasting:
            self._save_clock()
        await self._management.close()
        await self._searches.close()
        unwritten = Unwritten(await self._writer.close())
        await self._guard.finish()
        if unwritten:
            extra = {"count": str(unwritten), "messages": unwritten.messages(self._reader)}
            logger.error("not written before the store was closed", extra=extra)
        if self._guard.failed in WATCHERS:
            WATCHERS.remove(self._guard.failed)
        self._opened.close()
        return unwritten

    async def prune(self) -> int:
        """Deletes finished messages that are older than the settings ask for; says how many. Runs by itself, too."""
        return await self._retention.prune()

    async def forget(self) -> int:
        """Deletes idempotency keys that are no longer remembered; says how many. Runs by itself, too."""
        return await self._retention.forget()

    def _repeat(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        def act() -> None:
            self._timers[name] = self._loop.call_later(seconds, act)
            try:
                action()
            except StoreUnavailable as error:
                logger.debug("cannot %s: %s", name, error)

        self._timers[name] = self._loop.call_later(seconds, act)

    def _resume_clock(self) -> None:
        with refusing():
            saved = saved_clock(self._reader)
        if saved is not None:
            self._time.resume(saved)

    def _look_at_clock(self) -> None:
        self._time.look()
        state, saved = self._time.state(), self._clock_saved
        if saved is None or state.jumps != saved.jumps or state.steady >= saved.steady + CLOCK_SAVED_EVERY:
            self._save_clock()

    def _save_clock(self) -> None:
        state = self._time.state()
        self._clock_saved = state
        self._writer.put(Other(lambda connection: save_clock(connection, state), _clock_saved))

    def _start_pruning(self) -> None:
        if self._pruning is None or self._pruning.done():
            self._pruning = self._loop.create_task(self._prune())

    async def _prune(self) -> None:
        try:
            await self.prune()
            await self.forget()
        except StoreUnavailable as error:
            logger.debug("cannot prune: %s", error)


def _clock_saved(error: BridgeError | None) -> None:
    """What was not saved is saved a minute later; that the disk refuses writes is said by those that matter."""
    if isinstance(error, BridgeError):
        logger.debug("the clock is not saved: %s", error)
