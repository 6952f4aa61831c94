"""From one channel to the targets it matches: what is read is stored as pushes in the same commit."""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial

from bridge.events.bodies import about
from bridge.events.commits import committed
from bridge.events.cursor import Cursor
from bridge.model import event, rule
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import StoreUnavailable, UnknownSubscriber
from bridge.model.event import StoredEvent
from bridge.model.push import NewPush, Waiting
from bridge.model.rule import Route
from bridge.rules import Rules
from bridge.webhooks.base import PushStore
from bridge.webhooks.target import Target

CHANNELS: Mapping[rule.Subject, str] = {
    rule.MESSAGE_STATUS: event.MESSAGE_STATUS,
    rule.DEVICE_STATUS: event.DEVICE_STATUS,
    rule.DEVICE_MESSAGE: event.MESSAGE_REPORT,
}
"""Where the events are that a rule is about."""
AT_ONCE = 200
"""Events in one commit."""
AGAIN = 1.0
"""Seconds after which what the disk refused is tried again."""
_log = logging.getLogger(__name__)


class Intake:
    """Everything before the place of the cursor has been pushed, or waits in the store to be."""

    def __init__(
        self,
        project: str,
        subject: rule.Subject,
        cursor: Cursor,
        *,
        rules: Rules,
        targets: Mapping[int, Target],
        store: PushStore,
        clock: Clock,
        at_once: int,
    ) -> None:
        self.cursor = cursor
        self._project = project
        self._subject = subject
        self._rules = rules
        self._targets = targets
        self._store = store
        self._steady = Timekeeper.of(clock).steady
        self._at_once = min(at_once, AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """The cursor is open."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._take(await self.cursor.read(self._at_once))
            except StoreUnavailable as error:
                _log.debug("events not taken to be pushed yet", extra={"error": str(error)})
                await asyncio.sleep(AGAIN)
            except UnknownSubscriber:
                return

    async def _take(self, events: list[StoredEvent]) -> None:
        routes = self._rules.matching(self._project, *self._subject)
        new = [push for each in events for push in self._pushes(each, routes)]
        counts: dict[int, int] = {}
        for push in new:
            counts[push.action] = counts.get(push.action, 0) + 1
        dropped = [push for action, count in counts.items() for push in self._targets[action].make_room(count)]
        place = self.cursor.key, self.cursor.name, events[-1].position
        try:
            await committed(
                partial(self._store.queue_pushes, place, self._steady(), new, dropped),
                partial(self._taken, events[-1].position),
            )
        except StoreUnavailable:
            self._hand_out(dropped)
            raise

    def _pushes(self, stored: StoredEvent, routes: tuple[Route, ...]) -> list[NewPush]:
        if not routes:
            return []
        device, app_id = about(stored.content)
        return [
            NewPush(action.key, stored.position, device, stored.content)
            for route in routes
            if route.rule.covers(app_id)
            for action in route.actions
            if action.key in self._targets
        ]

    def _taken(self, position: int, waiting: list[Waiting]) -> None:
        self.cursor.advance(position)
        self._hand_out(waiting)

    def _hand_out(self, pushes: list[Waiting]) -> None:
        by_action: dict[int, list[Waiting]] = {}
        for push in pushes:
            by_action.setdefault(push.action, []).append(push)
        for action, waiting in by_action.items():
            target = self._targets.get(action)
            if target is not None:
                target.add(waiting)
