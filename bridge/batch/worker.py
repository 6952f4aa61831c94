"""Works off the tasks that have not ended: begins them, feeds them, takes results, tries again, stops, ends.

One task of the event loop does one step after the other, so nothing here has to expect a second one of its kind. What a
target comes to is its message's end, which the store copies from message to target: `settle_targets` is told which
messages ended, by delivery while the daemon runs, and by a look through all that are on their way after a restart.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from bridge.batch.base import BatchStore, Carrier
from bridge.batch.feed import Feed
from bridge.batch.run import Run
from bridge.batch.settings import BatchSettings
from bridge.model.batch import OpenTask, TaskStatus
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import StoreUnavailable

T = TypeVar("T")
_log = logging.getLogger(__name__)
_TICK = 0.01
"""Seconds between two turns while there is something to send."""
_SETTLE = 0.05
"""Seconds in which ends of messages are collected."""
_LOOK = 1.0
"""Seconds between two looks for what is due."""
_CLEAN = 60.0
_PAUSE = 1.0
"""Seconds until the store is tried again."""
_PAGE = 500
_TAKEN_BACK = 100
"""Messages cancelled in one turn: each is a write of its own among those of others."""
_MOST_ENDS = 5000
_DAY = 86_400_000


class Worker:
    def __init__(self, store: BatchStore, carrier: Carrier, clock: Clock, settings: BatchSettings) -> None:
        self._store = store
        self._carrier = carrier
        self._clock = clock
        self._time = Timekeeper.of(clock)
        self._age = int(settings.retention_days * _DAY)
        self._feed = Feed(store, carrier, self._time.steady, settings.max_rate)
        self._runs: dict[int, Run] = {}
        self._ends: list[int] = []
        self._wake = asyncio.Event()
        self._removed = True
        self._next_look = self._next_clean = 0.0
        self._work: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """To be called before the first device connects and the first task is created. Raises StoreUnavailable when the
        store cannot be read."""
        try:
            await self._store.remove_unfinished_batches()
        except StoreUnavailable as error:  # nobody sees them, and the next start tries again
            _log.debug("unfinished batch tasks cannot be removed", extra={"error": str(error)})
        for task in self._store.open_batches():
            self.open(task)
        self._work = asyncio.get_running_loop().create_task(self._run(list(self._runs.values())), name="batches")

    async def stop(self) -> None:
        """What is not done stays in the store."""
        self._carrier.watch_ends(None)
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])

    def open(self, task: OpenTask) -> None:
        """A task that is new, or goes on."""
        run = self._runs.get(task.key)
        if run is None:
            self._runs[task.key] = Run(task)
            self._carrier.watch_ends(self._on_end)
        else:
            run.look_again()
        self._next_look = 0.0
        self._wake.set()

    def stop_run(self, key: int) -> None:
        """The task is Stopping."""
        if run := self._runs.get(key):
            run.stop()
        self._wake.set()

    def purge(self) -> None:
        """Something was removed."""
        self._removed = True
        self._wake.set()

    async def withdraw(self, task: OpenTask, numbers: set[int]) -> None:
        """Cancel the messages of these targets, as far as they are PENDING. Raises StoreUnavailable."""
        run = self._runs.get(task.key) or Run(task)
        after = min(numbers, default=0) - 1
        while page := self._store.processing_targets(run.key, after=after, limit=_PAGE):
            after = page[-1].number
            if chosen := [target for target in page if target.number in numbers]:
                await self._feed.withdraw(run, chosen)

    def _on_end(self, seq: int) -> None:
        if not self._ends:
            asyncio.get_running_loop().call_later(_SETTLE, self._wake.set)
        self._ends.append(seq)

    async def _run(self, resumed: list[Run]) -> None:
        for run in resumed:
            await self._patiently(partial(self._catch_up, run))
        while True:
            busy = await self._patiently(self._turn)
            pause = _TICK if busy else _LOOK if self._runs else _CLEAN
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """What `step` returns, when the store has let it."""
        while True:
            try:
                return await step()
            except StoreUnavailable as error:
                _log.debug("batch tasks cannot go on", extra={"error": str(error)})
            except Exception:  # a defect in one step must not end the work on all tasks for good
                _log.exception("a step of the batch tasks failed")
            await asyncio.sleep(_PAUSE)

    async def _catch_up(self, run: Run) -> None:
        """Results of messages that ended shortly before the daemon did."""
        after = 0
        while page := self._store.processing_targets(run.key, after=after, limit=_PAGE):
            seqs = [target.seq for target in page if target.seq is not None]
            await self._store.settle_targets(seqs, self._time.steady())
            after = page[-1].number

    async def _turn(self) -> bool:
        """One step of everything. True: there is more to do at once."""
        changed = await self._settle()
        now = asyncio.get_running_loop().time()
        if look := now >= self._next_look:
            self._next_look = now + _LOOK
            await self._look()
        stopping = [run for run in self._runs.values() if run.status is TaskStatus.STOPPING]
        for run in stopping:
            await self._take_back(run)
        busy = await self._feed.turn(self._runs.values())
        if changed or look or busy or stopping:
            await self._end()
        return await self._clean(now) or busy or any(run.status is TaskStatus.STOPPING for run in self._runs.values())

    async def _settle(self) -> bool:
        ends = self._ends[:_MOST_ENDS]
        if ends:
            await self._store.settle_targets(ends, self._time.steady())
            del self._ends[: len(ends)]
        return bool(ends)

    async def _look(self) -> None:
        """Begin what is due."""
        now = self._time.steady()
        for run in list(self._runs.values()):
            if run.status is TaskStatus.WAITING and run.starts_at <= now:
                if await self._store.move_batch(run.key, TaskStatus.PROCESSING, (TaskStatus.WAITING,)):
                    run.status = TaskStatus.PROCESSING
            elif run.status is TaskStatus.PROCESSING and await self._store.wake_targets(run.key, now):
                run.look_again()

    async def _take_back(self, run: Run) -> None:
        """One page of a task that is Stopping."""
        await self._store.stop_waiting(run.key)
        page = self._store.processing_targets(run.key, after=run.taken_back, limit=_TAKEN_BACK)
        if page:
            await self._feed.withdraw(run, page)
        run.taken_back = page[-1].number if page else 0

    async def _end(self) -> None:
        """Close the tasks in which nothing is left to happen."""
        for run in list(self._runs.values()):
            if not run.quiet or self._store.batch_unfinished(run.key):
                continue
            if (final := await self._store.end_batch(run.key, self._clock())) is not None:
                _log.info("batch task ended", extra={"task": run.key, "status": final})
                del self._runs[run.key]
        if not self._runs:
            self._carrier.watch_ends(None)
            self._ends.clear()

    async def _clean(self, now: float) -> bool:
        """Delete a piece of what was removed, or is old. True: there is more."""
        if now >= self._next_clean:
            self._next_clean = now + _CLEAN
            await self._store.remove_batches(self._time.now_within(self._age) - self._age)
            self._removed = True
        if self._removed:
            self._removed = await self._store.purge_batches()
        return self._removed
