"""Store, events, rules and webhooks, put together as the daemon does it, with devices that report."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from bridge.events import ChannelSettings, Events
from bridge.model.device import Device
from bridge.model.push import DeadLetter
from bridge.model.rule import DEVICE_MESSAGE, Action, AppType, Page, Rule, RuleAmendment, RuleDraft, Subject
from bridge.mqtt import Publish, ReasonCode
from bridge.rules import Rules
from bridge.store import Store
from bridge.webhooks.settings import WebhookSettings
from bridge.webhooks.webhooks import Webhooks
from tests.store.clock import HandClock
from tests.store.template import prepared

PROJECT = "plant"
PATIENCE = 20.0


class PushSite:
    """`async with PushSite(path) as site`; `settings` are those of the webhooks."""

    def __init__(self, path: Path, clock: HandClock | None = None, **settings: Any) -> None:
        self.clock = clock or HandClock()
        self.settings = WebhookSettings(**{"allow_private": True, "first_wait": 0.01, **settings})
        self._path = path

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        self.store = Store.open(prepared(self._path), clock=self.clock)
        self.events = Events(self.store, self.store, ChannelSettings(), self.clock)
        self.events.start()
        self.rules = Rules(self.store)
        self.rules.start()
        self.webhooks = Webhooks(self.store, self.events, self.rules, self.settings, self.clock)
        self.webhooks.start()

    async def stop(self) -> None:
        await self.webhooks.stop()
        self.rules.stop()
        self.events.stop()
        await self.store.close()

    async def restart(self) -> None:
        await self.stop()
        self.start()

    async def rule(self, *urls: str, subject: Subject = DEVICE_MESSAGE, app_id: str | None = None) -> Rule:
        """An active one."""
        app_type = AppType.APP if app_id else AppType.GLOBAL
        rule = await self.rules.add(PROJECT, RuleDraft(subject, app_type=app_type, app_id=app_id))
        for url in urls:
            await self.rules.add_action(PROJECT, rule.rule_id, url, None)
        return await self.activate(rule)

    async def activate(self, rule: Rule, active: bool = True) -> Rule:
        return await self.rules.amend(PROJECT, rule.rule_id, RuleAmendment(active=active))

    def actions(self, rule: Rule) -> tuple[Action, ...]:
        return next(route.actions for route in self.rules if route.rule.rule_id == rule.rule_id)

    def device(self, device_id: str) -> Device:
        return self.store.device(PROJECT, device_id) or self.store.add_device(PROJECT, device_id, "a-good-secret")

    async def report(self, device_id: str, *contents: str) -> None:
        """Returns when it is stored, if it has to be."""
        device = self.device(device_id)
        loop = asyncio.get_running_loop()
        stored = []
        for content in contents:
            future: asyncio.Future[ReasonCode] = loop.create_future()
            publish = Publish(f"$oc/devices/{device_id}/user/x", content.encode(), 1, packet_id=1)
            if self.events.uplinks.keep(device, publish, lambda _, code, f=future: f.set_result(code)) is None:  # type: ignore[misc]
                stored.append(future)
        assert all(code == ReasonCode.SUCCESS for code in await asyncio.gather(*stored))

    def dead(self, action: Action) -> list[DeadLetter]:
        """Oldest first."""
        return self.webhooks.dead_letters(PROJECT, action.action_id, Page(50)).letters[::-1]

    def outstanding(self, action: Action) -> int:
        return self.webhooks.status(PROJECT, action.action_id).outstanding

    async def settled(self, action: Action) -> None:
        """Nothing waits any more."""
        await until(lambda: self.outstanding(action) == 0)


async def until(condition: Callable[[], object]) -> None:
    """What nobody announces."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0)
