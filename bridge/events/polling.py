"""Applications that poll: a subscriber is a cursor in the log of its channel, so an event is stored once for all."""

import asyncio
from functools import partial
from typing import NamedTuple

from bridge.events.base import EventStore
from bridge.events.channel import Channel, Subscriber, release
from bridge.events.commits import committed
from bridge.events.register import Register
from bridge.model.clock import Clock, Timekeeper
from bridge.model.event import ChannelInfo, Event, Polled, StoredEvent

NOTHING = Polled()
SHARED_FOR = 1.0
"""Seconds after which what was read is not kept in memory any more."""


class _Shared(NamedTuple):
    """What was read last."""

    question: tuple[int, ...]
    oldest: int
    polled: Polled

    def answers(self, question: tuple[int, ...], since: int) -> bool:
        """Whether it is the answer to this question, and nothing of it has expired."""
        return self.question == question and self.oldest >= since


class PollingSubscribers:
    """Implements `bridge.api.base.Channels`."""

    def __init__(self, store: EventStore, register: Register, clock: Clock) -> None:
        self._store = store
        self._register = register
        self._time = Timekeeper.of(clock)
        self._closed = False
        self._shared: _Shared | None = None

    async def subscribe(self, project: str, channel: str, subscriber: str) -> None:
        await self._register.subscribe(project, channel, subscriber)

    async def unsubscribe(self, project: str, channel: str, subscriber: str) -> None:
        await self._register.unsubscribe(project, channel, subscriber)

    async def poll(
        self, project: str, channel: str, subscriber: str, *, at_most: int, wait: float, after: int = 0
    ) -> Polled:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while True:
            log, reader = self._register.visit(project, channel, subscriber)
            found = self._read(log, max(reader.position, after), at_most)
            if found.events or not at_most or self._closed or loop.time() >= deadline:
                return found
            await self._woken(log, reader, deadline)

    async def acknowledge(self, project: str, channel: str, subscriber: str, position: int) -> None:
        log, reader = self._register.visit(project, channel, subscriber)
        upto = min(position, log.last)
        if upto > reader.position:
            await committed(
                partial(self._store.acknowledge, log.key, reader.name, upto, reader.seen),
                lambda _: reader.advance(upto),
            )

    def acknowledged(self, project: str, channel: str, subscriber: str) -> int:
        log = self._register.channel(project, channel)
        known = log.subscribers.get(subscriber) if log is not None else None
        return 0 if known is None else known.position

    async def publish(self, project: str, channel: str, message_id: str, content: str) -> bool:
        log = self._register.channel(project, channel)
        if log is None or not log.subscribers:
            return True
        write = partial(self._store.publish, log.key, message_id, self._time(), content)
        return await committed(write, lambda _: None)

    def knows(self, project: str, channel: str, subscriber: str) -> bool:
        log = self._register.channel(project, channel)
        return log is not None and log.present(subscriber, self._time.steady()) is not None

    def channel(self, project: str, channel: str) -> ChannelInfo | None:
        log = self._register.channel(project, channel)
        return log.info(self._time) if log is not None else None

    def channels(self, project: str) -> list[ChannelInfo]:
        logs = [log for log in self._register.channels() if log.project == project]
        return [log.info(self._time) for log in sorted(logs, key=lambda log: log.name)]

    def close(self) -> None:
        self._closed = True
        self._shared = None
        now = self._time.steady()
        for log in self._register.channels():
            log.wake(now)

    def _read(self, log: Channel, position: int, at_most: int) -> Polled:
        if log.behind(position) <= 0:
            return NOTHING
        if not at_most:
            return Polled(more=True)
        # Those who waited for the same event ask the same question in the same turn: it is read once.
        since = self._time.now_within(log.lifetime) - log.lifetime
        question = (log.key, position, at_most, log.last)
        if self._shared is not None and self._shared.answers(question, since):
            return self._shared.polled
        found = self._store.events(log.key, after=position, since=since, limit=at_most)
        # The store sees a commit before the loop hears of it. What is given out is what can be acknowledged.
        found = [each for each in found if each.position <= log.last]
        if not found:
            return NOTHING
        if self._shared is None:
            asyncio.get_running_loop().call_later(SHARED_FOR, self._forget)
        polled = Polled([_event(each) for each in found], found[-1].position < log.last)
        self._shared = _Shared(question, found[0].at, polled)
        return polled

    async def _woken(self, log: Channel, reader: Subscriber, deadline: float) -> None:
        """Until there may be something to read, or the time is over, or the subscriber is gone."""
        loop = asyncio.get_running_loop()
        poll = loop.create_future()
        log.waiting.setdefault(reader, []).append(poll)
        timer = loop.call_at(deadline, release, [poll])
        try:
            await poll
        finally:
            timer.cancel()
            log.leave(reader, poll, self._time.steady())

    def _forget(self) -> None:
        self._shared = None


def _event(stored: StoredEvent) -> Event:
    """What the daemon published has no id of its own: its position is as good."""
    return Event(stored.position, stored.message_id or str(stored.position), stored.content)
