"""What goes by itself: events and subscribers that have had their time."""

import asyncio
import logging
from functools import partial

from bridge.events.base import EventStore
from bridge.events.channel import Channel
from bridge.events.register import SEEN_EVERY, Register
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import BridgeError
from bridge.model.event import Pruned

_log = logging.getLogger(__name__)
_EVERY = 1.0
"""Seconds. What is expired is not given out in between; this is when it is removed."""
_END = 1 << 62
"""Milliseconds: later than any event."""
_AT_ONCE = 200
"""Subscribers in one write."""


class Upkeep:
    def __init__(self, store: EventStore, register: Register, clock: Clock) -> None:
        self._store = store
        self._register = register
        self._time = Timekeeper.of(clock)
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        self.sweep()

    def stop(self) -> None:
        """To be called before the store is closed: what it does not know yet is written."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        self._note_seen(now=True)

    def sweep(self) -> None:
        """Look at every channel, and plan the next look."""
        now = self._time.steady()
        for channel in self._register.channels():
            self._end_absent(channel, now)
            if channel.is_due(self._expired_before(channel)):
                self._prune(channel)
        self._note_seen()
        self._timer = asyncio.get_running_loop().call_later(_EVERY, self.sweep)

    def _end_absent(self, channel: Channel, now: int) -> None:
        absent = [each.name for each in channel.subscribers.values() if channel.is_absent(each, now)][:_AT_ONCE]
        if absent:
            for name in absent:
                self._register.forget(channel.project, channel.name, name)
            self._store.unsubscribe(channel.project, channel.name, absent, partial(_complain, "end subscribers"))

    def _prune(self, channel: Channel) -> None:
        """A piece, and then the next one, until nothing is due."""
        if channel.pruning or self._stopped:
            return
        channel.pruning = True
        before = self._expired_before(channel) if channel.subscribers else _END
        pruned = partial(self._pruned, channel, channel.first)
        self._store.prune_channel(channel.key, before, pruned, upto=channel.kept_behind(), most=channel.most)

    def _pruned(self, channel: Channel, first: int, result: Pruned | BridgeError | None) -> None:
        channel.pruning = False
        if isinstance(result, BridgeError):
            _complain("prune events", result)
        elif result is None:
            self._register.drop(channel)
        else:
            channel.pruned(result, self._time())
            if result.dropped:
                _log.warning("channel is full", extra={"channel": channel.name, "dropped": result.dropped})
            if (
                channel.is_due(self._expired_before(channel)) and result.left.first > first
            ):  # else it waits for a reader of our own
                self._prune(channel)

    def _expired_before(self, channel: Channel) -> int:
        """Wall time: what was published before that has had its time."""
        return self._time.now_within(channel.lifetime) - channel.lifetime

    def _note_seen(self, *, now: bool = False) -> None:
        seen = []
        for channel in self._register.channels():
            every = 1 if now else min(SEEN_EVERY, channel.lifetime // 4)
            for subscriber in channel.subscribers.values():
                if subscriber.seen >= subscriber.written + every:
                    subscriber.written = subscriber.seen
                    seen.append((channel.key, subscriber.name, subscriber.seen))
        for start in range(0, len(seen), _AT_ONCE):
            self._store.note_seen(seen[start : start + _AT_ONCE], partial(_complain, "note who was seen"))


def _complain(what: str, error: BridgeError | None) -> None:
    """What was not written is written the next time."""
    if error is not None:
        _log.debug("cannot %s", what, extra={"error": str(error)})
