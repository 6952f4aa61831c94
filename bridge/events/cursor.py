"""A part of the daemon that reads a channel: its place is durable, it is never forgotten, and nothing it has not read
expires."""

import asyncio

from bridge.events.base import EventStore
from bridge.events.channel import OWN, Channel, Subscriber
from bridge.events.register import Register
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import UnknownSubscriber
from bridge.model.event import StoredEvent


class Cursor:
    def __init__(
        self, store: EventStore, register: Register, clock: Clock, *, project: str, channel: str, who: str
    ) -> None:
        self._store = store
        self._register = register
        self._steady = Timekeeper.of(clock).steady
        self._project = project
        self._channel = channel
        self.name = OWN + who
        """As a subscriber."""

    async def open(self) -> None:
        """From now on the channel stores what happens; where it has read up to stays if it was open before. Durable
        when this returns. Raises StoreUnavailable."""
        await self._register.subscribe(self._project, self._channel, self.name)

    async def close(self) -> None:
        """What it has not read is not kept for it any more. Raises StoreUnavailable."""
        await self._register.unsubscribe(self._project, self._channel, self.name)

    @property
    def key(self) -> int:
        """Of the channel. Raises UnknownSubscriber unless it is open."""
        return self._place()[0].key

    async def read(self, at_most: int) -> list[StoredEvent]:
        """What comes next, at least one event: it waits for it. Raises UnknownSubscriber, StoreUnavailable."""
        while True:
            log, reader = self._place()
            if log.behind(reader.position) > 0:
                found = self._store.events(log.key, after=reader.position, since=0, limit=at_most)
                if found:
                    return found
            await self._appended(log, reader)

    def advance(self, position: int) -> None:
        """Everything up to there is read, as the store knows already. Without effect when it is closed."""
        log = self._register.channel(self._project, self._channel)
        if log is not None and self.name in log.subscribers:
            log.subscribers[self.name].advance(position)

    def _place(self) -> tuple[Channel, Subscriber]:
        log = self._register.channel(self._project, self._channel)
        reader = log.subscribers.get(self.name) if log is not None else None
        if log is None or reader is None:
            raise UnknownSubscriber(f"the channel {self._channel} has no subscriber {self.name}")
        return log, reader

    async def _appended(self, log: Channel, reader: Subscriber) -> None:
        waiting = asyncio.get_running_loop().create_future()
        log.waiting.setdefault(reader, []).append(waiting)
        try:
            await waiting
        finally:
            log.leave(reader, waiting, self._steady())
