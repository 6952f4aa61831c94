"""Rules as applications manage them, and as those who push ask for them."""

import asyncio
import base64
import dataclasses
import logging
import secrets
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from bridge.model.errors import StoreUnavailable, UnknownAction, UnknownRule
from bridge.model.rule import (
    SECRET_PREFIX,
    Action,
    ActionAmendment,
    ActionSearch,
    FoundActions,
    FoundRules,
    Route,
    Rule,
    RuleAmendment,
    RuleDraft,
    RuleSearch,
)
from bridge.rules.base import RuleListener, RuleStore, RuleTable
from bridge.rules.routes import Routes

MOST_RULES = 100
"""Of one project. All rules are in memory, and one event may match each of them."""
MOST_ACTIONS = 10
"""Of one rule."""
KEY_BYTES = 32
"""256 random bits: as long as the digest they are to make (RFC 2104, section 3)."""
_RETRY = 1.0
"""Seconds until what the disk refused is read again."""
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Rules:
    """Changes are stored away from the event loop; what is in memory follows the store, whoever changes it."""

    def __init__(self, store: RuleStore) -> None:
        self._store = store
        self._routes = Routes()
        self._listeners: list[RuleListener] = []
        self._settle: list[Callable[[], Awaitable[None]]] = []
        self._unread: dict[str, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """To be called once, before anything is asked. Raises StoreUnavailable."""
        self._store.on_rule_change(self._changed)
        for route in self._store.routes():
            self._routes.put(route.rule.rule_id, route)

    def stop(self) -> None:
        """To be called before the store is closed."""
        if self._timer is not None:
            self._timer.cancel()

    # Asked for each event

    def matching(self, project: str, resource: str, event: str) -> tuple[Route, ...]:
        """The active rules with actions about this kind of event, oldest first; usually none. One look into a dict.

        Whether a rule is about the device at hand, `Rule.covers` says.
        """
        return self._routes.matching((project, resource, event))

    def __iter__(self) -> Iterator[Route]:
        """All rules of all projects, active or not."""
        return iter(self._routes)

    def listen(self, listener: RuleListener, settle: Callable[[], Awaitable[None]] | None = None) -> None:
        """From now on the listener hears of each change. An application has its answer when `settle()` has returned,
        which may raise StoreUnavailable."""
        self._listeners.append(listener)
        if settle is not None:
            self._settle.append(settle)

    # Asked by applications

    async def add(self, project: str, draft: RuleDraft) -> Rule:
        """A rule that is not active yet. Raises TooManyRules, StoreUnavailable."""
        rule_id = str(uuid.uuid4())
        return await self._manage(lambda table: table.add_rule(project, rule_id, draft, at_most=MOST_RULES))

    def show(self, project: str, rule_id: str) -> Rule:
        """Raises UnknownRule, StoreUnavailable."""
        rule = self._store.rule(project, rule_id)
        if rule is None:
            raise UnknownRule(rule_id)
        return rule

    def find(self, project: str, search: RuleSearch) -> FoundRules:
        """Raises StoreUnavailable."""
        return self._store.find_rules(project, search)

    async def amend(self, project: str, rule_id: str, amendment: RuleAmendment) -> Rule:
        """Raises UnknownRule, StoreUnavailable."""
        return await self._manage(lambda table: table.amend_rule(project, rule_id, amendment))

    async def remove(self, project: str, rule_id: str) -> None:
        """With its actions. Raises UnknownRule, StoreUnavailable."""
        await self._manage(lambda table: table.remove_rule(project, rule_id))

    async def add_action(self, project: str, rule_id: str, url: str, secret: str | None) -> Action:
        """A new random secret for None. Raises UnknownRule, TooManyActions, StoreUnavailable."""
        action_id, key = str(uuid.uuid4()), secret or new_secret()
        return await self._manage(
            lambda table: table.add_action(project, rule_id, action_id, url, key, at_most=MOST_ACTIONS)
        )

    def show_action(self, project: str, action_id: str) -> Action:
        """Raises UnknownAction, StoreUnavailable."""
        action = self._store.action(project, action_id)
        if action is None:
            raise UnknownAction(action_id)
        return action

    def find_actions(self, project: str, search: ActionSearch) -> FoundActions:
        """Raises StoreUnavailable."""
        return self._store.find_actions(project, search)

    async def amend_action(
        self, project: str, action_id: str, amendment: ActionAmendment, *, rotate: bool = False
    ) -> Action:
        """`rotate`: with a new random secret as the current one. Raises UnknownAction, StoreUnavailable."""
        if rotate:
            amendment = dataclasses.replace(amendment, secret=new_secret())
        return await self._manage(lambda table: table.amend_action(project, action_id, amendment))

    async def remove_action(self, project: str, action_id: str) -> None:
        """Raises UnknownAction, StoreUnavailable."""
        await self._manage(lambda table: table.remove_action(project, action_id))

    async def _manage(self, change: Callable[[RuleTable], T]) -> T:
        """The change is made, and everybody acts on it, when this returns."""
        result = await self._store.manage(change)
        for settle in self._settle:
            await settle()
        return result

    # Heard from the store

    def _changed(self, rule_id: str) -> None:
        self._unread[rule_id] = None
        if self._timer is None:
            self._read()

    def _read(self) -> None:
        """What cannot be read now is read later: nobody will tell again."""
        self._timer = None
        try:
            for rule_id in list(self._unread):
                route = self._store.route(rule_id)
                del self._unread[rule_id]
                self._take(rule_id, route)
        except StoreUnavailable as error:
            _log.debug("changed rules not read yet", extra={"count": len(self._unread), "error": str(error)})
            self._timer = asyncio.get_running_loop().call_later(_RETRY, self._read)

    def _take(self, rule_id: str, route: Route | None) -> None:
        before = self._routes.put(rule_id, route)
        if before != route:
            for listener in self._listeners:
                try:
                    listener.rule_changed(before, route)
                except Exception:  # its defect; the others hear all the same, and no change is lost
                    _log.exception("a listener failed to take the change of a rule", extra={"rule": rule_id})


def new_secret() -> str:
    """A random signing secret, `whsec_…`, as Standard Webhooks writes it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
