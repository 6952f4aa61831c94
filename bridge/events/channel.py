"""A channel as it is kept in memory: who reads it, how far, and how far it goes. The events are in the store."""

import asyncio

from bridge.model.clock import Timekeeper
from bridge.model.event import ChannelInfo, Extent, Pruned, SubscriberInfo

OWN = "daemon:"
"""How the names of the daemon's own subscribers begin; no application can have such a name."""


class Subscriber:
    __slots__ = ("name", "own", "position", "seen", "written")

    def __init__(self, name: str, position: int, seen: int) -> None:
        self.name = name
        self.own = name.startswith(OWN)
        """It never stays away for too long, and what it has not read is kept for it."""
        self.position = position
        """Everything up to it is acknowledged."""
        self.seen = seen
        """Steady time."""
        self.written = seen
        """What the store knows of `seen`."""

    def advance(self, position: int) -> None:
        """It has acknowledged everything up to there."""
        self.position = max(self.position, position)


class Channel:
    """`waiting`: the polls that wait for an event, by subscriber."""

    __slots__ = (
        "dropped",
        "first",
        "key",
        "last",
        "lifetime",
        "most",
        "name",
        "oldest",
        "project",
        "pruning",
        "size",
        "subscribers",
        "waiting",
    )

    def __init__(self, key: int, project: str, name: str, extent: Extent, *, lifetime: int, most: int) -> None:
        self.key = key
        self.project = project
        self.name = name
        self.lifetime = lifetime
        """Milliseconds."""
        self.most = most
        """Characters of content; of more the oldest go early."""
        self.size = extent.size
        self.dropped = 0
        """Events that went early."""
        self.subscribers: dict[str, Subscriber] = {}
        self.waiting: dict[Subscriber, list[asyncio.Future[None]]] = {}
        self.pruning = False
        self.first, self.last, self.oldest = extent.first, extent.last, extent.oldest

    def pruned(self, pruned: Pruned, now: int) -> None:
        """What was appended since then is known already. `now` is wall time, as in `oldest`."""
        self.first, self.oldest = pruned.left.first, pruned.left.oldest
        self.size -= pruned.freed
        self.dropped += pruned.dropped
        if self.oldest is None and self.first <= self.last:
            self.oldest = now

    def appended(self, extent: Extent) -> None:
        if self.first > self.last:
            self.first, self.oldest = extent.first, extent.oldest
        self.last = extent.last
        self.size += extent.size

    def behind(self, position: int) -> int:
        """How many events there are behind a position."""
        return self.last - max(position, self.first - 1)

    def is_absent(self, subscriber: Subscriber, now: int) -> bool:
        """Whether it has stayed away for too long. `now` is steady time, here and in `present`, `wake` and `leave`."""
        return not subscriber.own and subscriber.seen + self.lifetime <= now and subscriber not in self.waiting

    def kept_behind(self) -> int | None:
        """What is behind this position stays, however old it is; None: nothing has to."""
        return min((each.position for each in self.subscribers.values() if each.own), default=None)

    def present(self, name: str, now: int) -> Subscriber | None:
        subscriber = self.subscribers.get(name)
        return None if subscriber is None or self.is_absent(subscriber, now) else subscriber

    def is_due(self, before: int) -> bool:
        """Whether there is something to prune; what was published before `before` is."""
        if not self.subscribers:
            return True
        return self.is_full or (self.oldest is not None and self.oldest < before)

    @property
    def is_full(self) -> bool:
        return self.size > self.most

    def wake(self, now: int) -> None:
        """Every poll looks again. Who waited was there all the time."""
        waiting, self.waiting = self.waiting, {}
        for subscriber, polls in waiting.items():
            subscriber.seen = now
            release(polls)

    def leave(self, subscriber: Subscriber, poll: "asyncio.Future[None]", now: int) -> None:
        """The poll does not wait any more."""
        subscriber.seen = now
        polls = self.waiting.get(subscriber, [])
        if poll in polls:
            polls.remove(poll)
            if not polls:
                del self.waiting[subscriber]

    def dismiss(self, subscriber: Subscriber) -> None:
        """It is gone, and its polls end."""
        release(self.waiting.pop(subscriber, []))

    def info(self, time: Timekeeper) -> ChannelInfo:
        now = time.steady()
        subscribers = [
            SubscriberInfo(subscriber.name, self.behind(subscriber.position), time.wall_of(subscriber.seen))
            for subscriber in sorted(self.subscribers.values(), key=lambda subscriber: subscriber.name)
            if not self.is_absent(subscriber, now)
        ]
        return ChannelInfo(self.name, self.last - self.first + 1, self.oldest, subscribers, self.dropped)


def release(polls: list[asyncio.Future[None]]) -> None:
    for poll in polls:
        if not poll.done():
            poll.set_result(None)
