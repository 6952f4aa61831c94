"""All channels, as they are in the store: a look into a dict here decides whether anybody wants an event."""

from collections.abc import Mapping
from functools import partial

from bridge.events.base import EventStore
from bridge.events.bodies import status_text
from bridge.events.channel import OWN, Channel, Subscriber
from bridge.events.commits import committed
from bridge.events.settings import ChannelSettings
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import TooManySubscribers, UnknownSubscriber
from bridge.model.event import BUILT_IN, Extent, StoredChannel, Subscribed

SEEN_EVERY = 60_000
"""Milliseconds: how much later a subscriber may have been seen than the store knows, at most a quarter of its
lifetime."""


class Register:
    """Changes when the store says that a change is committed, in the order of the commits.

    A channel is here from its first subscriber until it has neither subscribers nor events.
    """

    def __init__(self, store: EventStore, settings: ChannelSettings, clock: Clock) -> None:
        """Reads what is stored; to be made before anything else writes. Raises StoreUnavailable."""
        self._store = store
        self._settings = settings
        self._steady = Timekeeper.of(clock).steady
        self._channels: dict[tuple[str, str], Channel] = {}
        self._count = 0
        self._by_key: dict[int, Channel] = {}
        self._wanting: dict[str, dict[str, int]] = {name: {} for name in BUILT_IN}
        for stored in store.stored_channels():
            self._restore(stored)
        store.tell_status_with(status_text)
        store.on_events(self._appended)

    def wanting(self, name: str) -> Mapping[str, int]:
        """The projects in which somebody subscribed to this built-in channel, each with the key of the channel. It is
        kept up to date."""
        return self._wanting[name]

    def channel(self, project: str, name: str) -> Channel | None:
        return self._channels.get((project, name))

    def channels(self) -> list[Channel]:
        return list(self._channels.values())

    def visit(self, project: str, name: str, subscriber: str) -> tuple[Channel, Subscriber]:
        """The subscriber has come. Raises UnknownSubscriber."""
        now = self._steady()
        channel = self.channel(project, name)
        known = channel.present(subscriber, now) if channel is not None else None
        if channel is None or known is None:
            raise UnknownSubscriber(f"the channel {name} has no subscriber {subscriber}")
        known.seen = now
        return channel, known

    async def subscribe(self, project: str, name: str, subscriber: str) -> None:
        """Durable when this returns. Raises TooManySubscribers, StoreUnavailable."""
        now = self._steady()
        channel = self.channel(project, name)
        known = channel.present(subscriber, now) if channel is not None else None
        if known is not None:
            known.seen = now
        else:
            self._make_place(subscriber)
            self.forget(project, name, subscriber)  # it may still be there, though it was away for too long
        await committed(
            partial(self._store.subscribe, project, name, subscriber, now, anew=known is None),
            partial(self._subscribed, project, name, subscriber, now),
        )

    async def unsubscribe(self, project: str, name: str, subscriber: str) -> None:
        """Durable when this returns. Raises StoreUnavailable."""
        await committed(
            partial(self._store.unsubscribe, project, name, [subscriber]),
            lambda _: self.forget(project, name, subscriber),
        )

    def _make_place(self, subscriber: str) -> None:
        """The daemon's own always have one."""
        most = self._settings.max_subscribers
        if not subscriber.startswith(OWN) and self._count >= most:
            raise TooManySubscribers(f"there are {most} subscribers")

    def forget(self, project: str, name: str, subscriber: str) -> None:
        """There is no such subscriber any more; its polls end."""
        channel = self.channel(project, name)
        gone = channel.subscribers.pop(subscriber, None) if channel is not None else None
        if channel is None or gone is None:
            return
        self._count -= 1
        channel.dismiss(gone)
        if not channel.subscribers and name in self._wanting:
            self._wanting[name].pop(project, None)

    def drop(self, channel: Channel) -> None:
        """There is no such channel any more."""
        self._by_key.pop(channel.key, None)
        if self._channels.get((channel.project, channel.name)) is channel:
            del self._channels[channel.project, channel.name]

    def _restore(self, stored: StoredChannel) -> None:
        now = self._steady()
        channel = self._add(stored.key, stored.project, stored.name, stored.extent)
        channel.dropped = stored.dropped
        unwritten = min(SEEN_EVERY, channel.lifetime // 4)
        for each in stored.subscribers:
            self._admit(channel, Subscriber(each.name, each.position, min(each.seen + unwritten, now)))

    def _add(self, key: int, project: str, name: str, extent: Extent) -> Channel:
        lifetime = self._settings.lifetime_of(name)
        channel = Channel(key, project, name, extent, lifetime=lifetime, most=self._settings.max_size)
        self._channels[project, name] = self._by_key[key] = channel
        return channel

    def _admit(self, channel: Channel, subscriber: Subscriber) -> None:
        channel.subscribers[subscriber.name] = subscriber
        self._count += 1
        if channel.name in self._wanting:
            self._wanting[channel.name][channel.project] = channel.key

    def _subscribed(self, project: str, name: str, subscriber: str, now: int, result: Subscribed) -> None:
        channel = self._by_key.get(result.channel)
        if channel is None:
            channel = self._add(result.channel, project, name, Extent(result.last + 1, result.last, None))
        known = channel.subscribers.get(subscriber)
        if known is None:
            self._admit(channel, Subscriber(subscriber, result.position, now))
        else:
            known.position = result.position
            known.seen = max(known.seen, now)

    def _appended(self, extents: Mapping[int, Extent]) -> None:
        now = self._steady()
        for key, extent in extents.items():
            channel = self._by_key.get(key)
            if channel is not None:
                channel.appended(extent)
                channel.wake(now)
