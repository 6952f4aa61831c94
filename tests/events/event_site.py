"""Store, broker, delivery and events, put together as the daemon does it, without HTTP."""

import json
from pathlib import Path
from typing import Any

from bridge.broker import MqttBroker
from bridge.delivery import Delivery
from bridge.events import ChannelSettings, Events
from bridge.inbox import Inbox, InboxSettings, Reports
from bridge.model.device import DEFAULT_PROJECT
from bridge.model.event import Polled
from bridge.model.notification import Selection
from bridge.registry import Presence
from tests.broker.heard import Heard
from tests.broker.site import Site

APP = "app"


class EventSite(Site):
    """Its subscribers are in the project `default` and called `app` unless something else is said."""

    events: Events
    presence: Presence

    def __init__(
        self, path: Path, settings: ChannelSettings | None = None, inbox: InboxSettings | None = None, **others: Any
    ) -> None:
        """With an inbox if there are settings for it."""
        super().__init__(path, **others)
        self._channels = settings or ChannelSettings()
        self._inbox_settings = inbox
        self.inbox: Inbox | None = None

    async def _start(self) -> None:
        self.events = Events(self.store, self.store, self._channels, self.clock)
        self.events.start()
        self.broker = MqttBroker(self._settings, self.store, self.clock)
        channels = self.events.message_status
        self.delivery = Delivery(self.store, self.broker.hub, self._delivery, self.clock, channels)
        self.heard = Heard(self.delivery)
        self.broker.listen(self.heard)
        self.store.on_device_change(self.broker.hub.device_changed)
        self.store.on_device_change(self.delivery.device_changed)
        self.presence = Presence(self.store, self.clock)
        self.hub.watch(self.presence)
        self.hub.keep_with(self.events.uplinks)
        if self._inbox_settings is not None:
            self.inbox = Inbox(self.store, self._inbox_settings, self.clock)
            self.inbox.start()
            self.events.uplinks.reader = Reports(self.inbox.rules, self.inbox.enter)
        self.delivery.start()
        self.presence.start()
        await self.broker.start()

    async def stop(self) -> None:
        for client in self._clients:
            client.abort()
        self.events.channels.close()
        self.delivery.stop()
        await self.broker.stop()
        self.presence.stop()
        self.events.stop()
        if self.inbox is not None:
            await self.inbox.stop()
        await self.store.close()

    async def subscribe(self, channel: str, subscriber: str = APP, project: str = DEFAULT_PROJECT) -> None:
        await self.events.channels.subscribe(project, channel, subscriber)

    async def publish(self, channel: str, message_id: str, content: str = "1") -> bool:
        return await self.events.channels.publish(DEFAULT_PROJECT, channel, message_id, content)

    async def poll(self, channel: str, subscriber: str = APP, *, at_most: int = 100, wait: float = 0) -> Polled:
        return await self.events.channels.poll(DEFAULT_PROJECT, channel, subscriber, at_most=at_most, wait=wait)

    async def acknowledge(self, channel: str, position: int, subscriber: str = APP) -> None:
        await self.events.channels.acknowledge(DEFAULT_PROJECT, channel, subscriber, position)

    async def contents(self, channel: str, subscriber: str = APP) -> list[str]:
        """What the subscriber has not acknowledged."""
        return [event.content for event in (await self.poll(channel, subscriber)).events]

    async def told(self, channel: str, project: str = DEFAULT_PROJECT) -> list[dict[str, Any]]:
        """The same, as documents, once everything that was decided is committed; and it is acknowledged."""
        await self.settled()
        await self.store.flush()
        found = (await self.events.channels.poll(project, channel, APP, at_most=10_000, wait=0)).events
        if found:
            await self.events.channels.acknowledge(project, channel, APP, found[-1].position)
        return [json.loads(event.content) for event in found]

    def notified(self) -> list[str]:
        """What entered the inbox, oldest first."""
        entered = self.store.notifications(DEFAULT_PROJECT, Selection(limit=10_000), history=True)
        return [notification.notice.text for notification in reversed(entered)]

    async def settled(self) -> None:
        """What was seen of connections is written, page by page, or refused."""
        while self.presence._busy:
            await self.store.flush()
            if self.store.refusal is not None:
                break

    async def bodies(self, channel: str, project: str = DEFAULT_PROJECT) -> list[dict[str, Any]]:
        return [event["notify_data"]["body"] for event in await self.told(channel, project)]
