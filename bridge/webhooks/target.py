"""One action: what waits for it, and what is on its way."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from bridge.events.commits import committed
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import BridgeError, StoreUnavailable
from bridge.model.push import Attempt, Waiting, webhook_id
from bridge.model.rule import Action
from bridge.webhooks.base import PushStore
from bridge.webhooks.client import GONE, Client
from bridge.webhooks.lanes import Lanes
from bridge.webhooks.retry import back_off, retry_after
from bridge.webhooks.settings import WebhookSettings
from bridge.webhooks.signature import signed

HOUR = 3_600_000
LOOK_EVERY = 1.0
"""Seconds: the longest a timer runs; the loop's time stands still while the machine is suspended."""
STORE_AGAIN = 1.0
"""Seconds until what the disk refused is written again."""
BUSY = 429
UNAVAILABLE = 503
DICE = random.SystemRandom()
_log = logging.getLogger(__name__)


class Slots:
    """Requests of all targets together. Who finds them taken is called when one is free, in turn."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._blocked: dict[Callable[[], None], None] = {}

    def full(self) -> bool:
        return self._taken >= self._total

    def take(self) -> None:
        self._taken += 1

    def free(self) -> None:
        self._taken -= 1
        while self._blocked and not self.full():
            blocked = next(iter(self._blocked))
            del self._blocked[blocked]
            blocked()

    def call_when_free(self, blocked: Callable[[], None]) -> None:
        self._blocked[blocked] = None

    def forget(self, blocked: Callable[[], None]) -> None:
        self._blocked.pop(blocked, None)


class Target:
    """Pushes of one device go one after the other. A target whose last attempt shows that it is down is asked with one
    request at a time; each has at least that one, however many slots the others hold."""

    def __init__(
        self,
        action: Action,
        store: PushStore,
        settings: WebhookSettings,
        clock: Clock,
        *,
        slots: Slots,
        client: Callable[[], Client],
        gone: Callable[[Action], None],
    ) -> None:
        """`client` is called once, before the first request. `gone`: the target does not want to hear any more."""
        self.action = action
        self.active = False
        self.failing = False
        self._store = store
        self._settings = settings
        self._clock = clock
        self._steady = Timekeeper.of(clock).steady
        self._slots = slots
        self._new_client = client
        self._client: Client | None = None
        self._gone = gone
        self._lanes = Lanes()
        self._tasks: set[asyncio.Task[None]] = set()
        self._paused_until = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def __len__(self) -> int:
        """What waits, and what is on its way."""
        return len(self._lanes)

    # What there is to push

    def add(self, pushes: Iterable[Waiting]) -> None:
        """The store has them."""
        for push in pushes:
            self._lanes.add(push)
        self._dispatch()

    def make_room(self, count: int) -> list[Waiting]:
        """The oldest ones, taken out so that this many more can wait."""
        surplus = len(self._lanes) + count - self._settings.max_outstanding
        dropped: list[Waiting] = []
        while len(dropped) < surplus and (push := self._lanes.drop_oldest()) is not None:
            dropped.append(push)
        return dropped

    @property
    def room(self) -> int:
        return max(0, self._settings.max_outstanding - len(self._lanes))

    def become(self, action: Action, *, active: bool) -> None:
        """What changed may be what was wrong with it: nothing waits for another attempt."""
        self.action, self.active = action, active
        self._paused_until = 0
        self._lanes.hasten()
        self._dispatch()

    # Requests

    async def try_out(self, message_id: str, content: str) -> Attempt:
        """One POST apart from all others."""
        return await self._post(message_id, content)

    async def stop(self, grace: float = 0) -> None:
        """What is on its way gets `grace` seconds, and is sent again by whoever finds it in the store."""
        self._stopped = True
        self._slots.forget(self._dispatch)
        if self._timer is not None:
            self._timer.cancel()
        if self._tasks and grace:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def _dispatch(self) -> None:
        now = self._steady()
        while self._may_send(now) and (push := self._lanes.take(now)) is not None:
            self._slots.take()
            task = asyncio.get_running_loop().create_task(self._push(push))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        self._plan(now)

    def _may_send(self, now: int) -> bool:
        if not self.active or self._stopped or now < self._paused_until:
            return False
        most = 1 if self.failing else self._settings.max_concurrent
        if len(self._tasks) >= most:
            return False
        if self._tasks and self._slots.full():
            self._slots.call_when_free(self._dispatch)
            return False
        return True

    def _plan(self, now: int) -> None:
        """Look again when something becomes due; the end of a request looks as well."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._lanes.next_due()
        if self._paused_until > now:
            due = self._paused_until
        if due is not None and self.active and not self._stopped:
            wait = min(max(0, due - now) / 1000, LOOK_EVERY)
            self._timer = asyncio.get_running_loop().call_later(wait, self._dispatch)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._dispatch()
        self._slots.free()

    async def _push(self, push: Waiting) -> None:
        try:
            await self._try(push)
        except Exception:  # a defect; it must not hold this device back for ever
            _log.exception("a push ended unexpectedly", extra={"action": self.action.action_id})
            self._lanes.failed(replace(push, due=self._steady() + int(1000 * self._settings.longest_wait)))

    async def _try(self, push: Waiting) -> None:
        try:
            content = self._store.push_content(push.action, push.position)
        except StoreUnavailable:
            self._lanes.failed(replace(push, due=self._steady() + int(1000 * STORE_AGAIN)))
            return
        if content is None:  # nothing that could be pushed
            self._lanes.done(push)
            return
        attempt = await self._post(webhook_id(self.action.action_id, push.position), content)
        if attempt.error is None:
            self.failing = False
            await self._written(partial(self._store.end_push, push))
            self._lanes.done(push)
        else:
            await self._failed(push, attempt, attempt.error)

    async def _post(self, message_id: str, content: str) -> Attempt:
        if self._client is None:
            self._client = self._new_client()
        body = content.encode()
        head = signed(self.action.secrets, message_id, self._clock() // 1000, body)
        head |= {"Content-Type": "application/json", "User-Agent": "device-bridge", "Accept-Encoding": "identity"}
        return await self._client.post(self.action.url, head, body)

    async def _failed(self, push: Waiting, attempt: Attempt, error: str) -> None:
        now, failed_at = self._steady(), self._clock()
        status = attempt.status
        was_failing, self.failing = self.failing, status is None or status == BUSY or status >= 500
        push = replace(push, attempts=push.attempts + 1, due=self._next_attempt(push.attempts + 1, attempt, now))
        over = push.queued_at + int(self._settings.give_up_after * HOUR)
        context = {"action": self.action.action_id, "device": push.device, "attempts": push.attempts, "error": error}
        if status == GONE and self.active:
            _log.warning("the target is gone, and so its rule is not active any more", extra=context)
            self.active = False
            self._gone(self.action)
        elif now >= over:
            _log.warning("push given up", extra=context)
            keep = self._settings.max_dead_letters
            await self._written(partial(self._store.give_up_push, push, failed_at, error, keep))
            self._lanes.done(push)
            return
        _log.log(logging.DEBUG if was_failing else logging.INFO, "push failed", extra=context)
        push = replace(push, due=max(now, min(push.due, over)))
        await self._written(partial(self._store.postpone_push, push, failed_at, error))
        self._lanes.failed(push)

    def _next_attempt(self, failures: int, attempt: Attempt, now: int) -> int:
        """Steady time. What the target asks for holds for all that goes to it."""
        settings = self._settings
        wait = back_off(failures, DICE.random(), first=settings.first_wait, longest=settings.longest_wait)
        if attempt.status in {BUSY, UNAVAILABLE}:
            asked = retry_after(attempt.retry_after, self._clock(), longest=settings.longest_wait)
            if asked is not None:
                self._paused_until = max(self._paused_until, now + int(1000 * asked))
                wait = max(wait, asked)
        return now + int(1000 * wait)

    async def _written(self, write: Callable[[Callable[[BridgeError | None], None]], None]) -> None:
        """The store tries as often as it takes: until then nothing else goes to this device."""
        await committed(write, lambda _: None)
