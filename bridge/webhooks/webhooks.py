"""Pushes as the daemon starts and stops them, and as applications ask for them."""

import asyncio
import logging
import ssl
import uuid
from collections.abc import Coroutine, Sequence
from functools import cached_property, partial
from typing import Any

from bridge.events import Events
from bridge.events.commits import committed
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import StoreUnavailable, UnknownAction, UnknownRule
from bridge.model.push import Attempt, FoundDeadLetters, PushStatus, Waiting, position_of
from bridge.model.rule import Action, Page, Route, RuleAmendment, Subject
from bridge.rules import Rules
from bridge.webhooks.base import PushStore
from bridge.webhooks.client import Client
from bridge.webhooks.intake import CHANNELS, Intake
from bridge.webhooks.resolver import Resolver
from bridge.webhooks.sample import sample_text
from bridge.webhooks.settings import WebhookSettings
from bridge.webhooks.target import Slots, Target

WHO = "webhooks"
"""The name of the cursors."""
AGAIN = 1.0
"""Seconds after which what the disk refused is tried again."""
GRACE = 2.0
"""Seconds that requests on their way get at the end."""
_log = logging.getLogger(__name__)


class Webhooks:
    """Implements `bridge.api.base.Pushes` and `bridge.rules.RuleListener`.

    An event goes from its channel into the store of pushes, one for each action that it matches, in the commit that
    moves the cursor; from there to the target, until it is taken or given up.
    """

    def __init__(self, store: PushStore, events: Events, rules: Rules, settings: WebhookSettings, clock: Clock) -> None:
        self._store = store
        self._events = events
        self._rules = rules
        self._settings = settings
        self._clock = clock
        self._steady = Timekeeper.of(clock).steady
        self._resolver = Resolver()
        self._slots = Slots(settings.max_concurrent_total)
        self._targets: dict[int, Target] = {}
        self._intakes: dict[tuple[str, Subject], Intake] = {}
        self._settling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def start(self) -> None:
        """Raises StoreUnavailable."""
        waiting: dict[int, list[Waiting]] = {}
        for push in self._store.waiting_pushes():
            waiting.setdefault(push.action, []).append(push)
        self._rules.listen(self, self._settle)
        for route in self._rules:
            self._take_up(route)
        for action in self._store.pushing_actions():
            if action not in self._targets:
                self._forget(action)
        for action, pushes in waiting.items():
            if action in self._targets:
                self._targets[action].add(pushes)
        self._spawn(self._settle_at_last())

    async def stop(self) -> None:
        """To be called before the store is closed. What is not taken yet is pushed after the next start."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(intake.stop() for intake in self._intakes.values()))
        await asyncio.gather(*(target.stop(GRACE) for target in self._targets.values()))
        self._resolver.close()

    # Heard from the rules

    def rule_changed(self, before: Route | None, after: Route | None) -> None:
        if self._stopped:
            return
        if after is not None:
            self._take_up(after)
        left = {action.key for action in after.actions} if after is not None else set()
        for action in before.actions if before is not None else ():
            if action.key not in left:
                self._spawn(self._remove(self._targets.pop(action.key)))
        self._spawn(self._settle_at_last())

    def _take_up(self, route: Route) -> None:
        for action in route.actions:
            target = self._targets.get(action.key)
            if target is None:
                target = self._targets[action.key] = Target(
                    action,
                    self._store,
                    self._settings,
                    self._clock,
                    slots=self._slots,
                    client=self._client,
                    gone=self._end_rule,
                )
            if (target.action, target.active) != (action, route.rule.active):
                target.become(action, active=route.rule.active)

    async def _remove(self, target: Target) -> None:
        await target.stop()
        self._forget(target.action.key)

    def _forget(self, action: int) -> None:
        """What is left of an action that is gone, part by part; the rest at the next start."""

        def done(result: object) -> None:
            if result is True and not self._stopped:
                self._forget(action)

        self._store.forget_pushes(action, done)

    def _end_rule(self, action: Action) -> None:
        self._spawn(self._deactivate(action))

    async def _deactivate(self, action: Action) -> None:
        while True:
            try:
                await self._rules.amend(action.project, action.rule_id, RuleAmendment(active=False))
            except UnknownRule:
                return
            except StoreUnavailable:
                await asyncio.sleep(AGAIN)
            else:
                return

    # Cursors

    async def _settle(self) -> None:
        """The channels that active rules are about are read, and no others. Raises StoreUnavailable."""
        async with self._settling:
            wanted = self._wanted()
            for key in [key for key in self._intakes if key not in wanted]:
                await self._intakes.pop(key).stop()
            channels = {(project, CHANNELS[subject]) for project, subject in wanted}
            for project, channel in self._events.cursors(WHO):
                if (project, channel) not in channels:
                    await self._events.cursor(project, channel, WHO).close()
            for key in wanted:
                if key not in self._intakes:
                    await self._open(*key)

    def _wanted(self) -> list[tuple[str, Subject]]:
        """Project, and what its rules are about."""
        active = (route.rule for route in self._rules if route.rule.active and route.actions)
        found = dict.fromkeys((rule.project, rule.draft.subject) for rule in active)
        return [(project, subject) for project, subject in found if subject in CHANNELS]

    async def _open(self, project: str, subject: Subject) -> None:
        cursor = self._events.cursor(project, CHANNELS[subject], WHO)
        await cursor.open()
        intake = Intake(
            project,
            subject,
            cursor,
            rules=self._rules,
            targets=self._targets,
            store=self._store,
            clock=self._clock,
            at_once=self._settings.max_outstanding,
        )
        self._intakes[project, subject] = intake
        intake.start()

    async def _settle_at_last(self) -> None:
        while True:
            try:
                await self._settle()
            except StoreUnavailable as error:
                _log.debug("cannot follow the rules yet", extra={"error": str(error)})
                await asyncio.sleep(AGAIN)
            else:
                return

    # Asked by applications

    def status(self, project: str, action_id: str) -> PushStatus:
        """Raises UnknownAction, StoreUnavailable."""
        target = self._target(project, action_id)
        record = self._store.push_record(target.action.key)
        state = "INACTIVE" if not target.active else "FAILING" if target.failing else "ACTIVE"
        return PushStatus(state, len(target), record)

    async def test(self, project: str, action_id: str) -> Attempt:
        """Pushes a sample, once. Raises UnknownAction, StoreUnavailable."""
        target = self._target(project, action_id)
        rule = self._rules.show(project, target.action.rule_id)
        sample = sample_text(rule.draft.subject, self._clock())
        return await target.try_out(f"msg_test_{uuid.uuid4().hex}", sample)

    def dead_letters(self, project: str, action_id: str, page: Page) -> FoundDeadLetters:
        """Newest first. Raises UnknownAction, StoreUnavailable."""
        return self._store.dead_letters(self._target(project, action_id).action.key, page)

    async def replay(self, project: str, action_id: str, webhook_ids: Sequence[str] | None) -> int:
        """Dead letters wait again: all, or those of these ids that there are; no more than there is room for. Says how
        many. Raises UnknownAction, StoreUnavailable."""
        target = self._target(project, action_id)
        positions: set[int] | None = None
        if webhook_ids is not None:
            found = (position_of(action_id, each) for each in webhook_ids)
            positions = {position for position in found if position is not None}
        replayed: list[Waiting] = await committed(
            partial(self._store.replay_dead_letters, target.action.key, positions, self._steady(), target.room),
            target.add,
        )
        return len(replayed)

    def _target(self, project: str, action_id: str) -> Target:
        action = self._rules.show_action(project, action_id)
        target = self._targets.get(action.key)
        if target is None:
            raise UnknownAction(action_id)
        return target

    def _client(self) -> Client:
        return Client(self._resolver, self._settings, self._tls)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Of all targets: the authorities that the system trusts."""
        return ssl.create_default_context()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
