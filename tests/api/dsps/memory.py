"""The smallest core of channels that satisfies `bridge.api.base`: one log a channel, and nothing expires."""

import asyncio
from dataclasses import dataclass, field

from bridge.model.errors import UnknownSubscriber
from bridge.model.event import ChannelInfo, Event, Polled, SubscriberInfo
from tests.api.memory import NOW


@dataclass
class Log:
    events: list[Event] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def change(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class MemoryChannels:
    def __init__(self) -> None:
        self.logs: dict[tuple[str, str], Log] = {}
        self.fails: Exception | None = None
        self.waiting = 0
        self.waits = asyncio.Event()
        """Somebody waits."""
        self._closed = False

    async def subscribe(self, project: str, channel: str, subscriber: str) -> None:
        log = self._log(project, channel)
        log.acknowledged.setdefault(subscriber, len(log.events))

    async def unsubscribe(self, project: str, channel: str, subscriber: str) -> None:
        log = self._log(project, channel)
        log.acknowledged.pop(subscriber, None)
        log.change()

    async def poll(
        self, project: str, channel: str, subscriber: str, *, at_most: int, wait: float, after: int = 0
    ) -> Polled:
        log = self._log(project, channel)
        try:
            async with asyncio.timeout(wait):
                while True:
                    if subscriber not in log.acknowledged:
                        raise UnknownSubscriber
                    events = log.events[max(log.acknowledged[subscriber], after) :]
                    if events or self._closed or not wait:
                        return Polled(events[:at_most], len(events) > at_most)
                    await self._wait(log)
        except TimeoutError:
            return Polled()

    async def acknowledge(self, project: str, channel: str, subscriber: str, position: int) -> None:
        log = self._log(project, channel)
        if subscriber not in log.acknowledged:
            raise UnknownSubscriber
        log.acknowledged[subscriber] = max(log.acknowledged[subscriber], position)

    def acknowledged(self, project: str, channel: str, subscriber: str) -> int:
        return self._log(project, channel).acknowledged.get(subscriber, 0)

    async def publish(self, project: str, channel: str, message_id: str, content: str) -> bool:
        log = self._log(project, channel)
        if any(event.message_id == message_id for event in log.events):
            return False
        log.events.append(Event(len(log.events) + 1, message_id, content))
        log.change()
        return True

    def knows(self, project: str, channel: str, subscriber: str) -> bool:
        return subscriber in self._log(project, channel).acknowledged

    def channel(self, project: str, channel: str) -> ChannelInfo | None:
        log = self.logs.get((project, channel))
        if log is None:
            return None
        subscribers = [SubscriberInfo(name, len(log.events) - seen, NOW) for name, seen in log.acknowledged.items()]
        return ChannelInfo(channel, len(log.events), NOW if log.events else None, subscribers)

    def channels(self, project: str) -> list[ChannelInfo]:
        found = [self.channel(*place) for place in sorted(self.logs) if place[0] == project]
        return [info for info in found if info]

    def close(self) -> None:
        self._closed = True
        for log in self.logs.values():
            log.change()

    async def _wait(self, log: Log) -> None:
        self.waiting += 1
        self.waits.set()
        try:
            await log.changed.wait()
        finally:
            self.waiting -= 1
            if not self.waiting:
                self.waits.clear()

    def _log(self, project: str, channel: str) -> Log:
        if self.fails is not None:
            raise self.fails
        return self.logs.setdefault((project, channel), Log())


class MemoryRevocations:
    def __init__(self) -> None:
        self.revoked: dict[str, int] = {}

    async def revoke_jwt(self, jti: str, until: int) -> None:
        self.revoked[jti] = until

    def is_revoked(self, jti: str) -> bool:
        return jti in self.revoked
