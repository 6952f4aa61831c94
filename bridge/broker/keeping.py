"""What the store is told of sessions that are kept, and when.

Everything that changes is gathered while the last write is under way, and what cancels out is not written at all: a
message that its client acknowledges within a commit's time costs the disk nothing. What is gained (sessions,
subscriptions, messages) and what is lost (acknowledged, unsubscribed, ended) are two writes, because the second has to
get through on a full disk.

A write that fails: sessions, subscriptions and losses are tried again until they are stored. Messages are not; whoever
sent them is told so.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from bridge.broker.base import SessionStore
from bridge.model.clock import Clock
from bridge.model.errors import BridgeError
from bridge.model.session import (
    Gains,
    Losses,
    Place,
    StoredCopy,
    StoredDownlink,
    StoredMessage,
    StoredSession,
    StoredSubscription,
)
from bridge.mqtt import Decoder, Packet, Publish, ReasonCode, Side, Version, encode

_log = logging.getLogger(__name__)
_MOST_ENDED = 16
"""Sessions that end in one write: each may have a full queue."""
_RETRY = 1.0
"""Seconds after a write that failed."""


class Keeping:
    """One for all sessions. Nothing of it is used for a session that ends with its connection."""

    def __init__(self, clock: Clock, store: SessionStore) -> None:
        """Raises StoreUnavailable."""
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self.store = store
        self._gains = Gains()
        self._losses = Losses()
        self._messages: dict[int, tuple[Publish, int]] = {}
        """The messages in `_gains` by the identity of what the sessions hold: it is the same for many of them."""
        self._last_session, self._last_message = store.last_session_keys()
        self._writing = 0
        self._flush_scheduled = False
        self._idle: asyncio.Future[bool] | None = None
        self.owed = 0
        """Counts what sessions were owed, ever."""

    def new_key(self) -> int:
        self._last_session += 1
        return self._last_session

    @property
    def busy(self) -> bool:
        """Something is not written yet."""
        return bool(self._writing or self._gains or self._losses)

    # What happens

    def keep_session(self, row: StoredSession) -> None:
        self._gains.sessions[row.key] = row
        self._schedule()

    def end_session(self, key: int) -> None:
        self._gains.sessions.pop(key, None)
        self._losses.sessions.add(key)
        self._schedule()

    def subscribe(self, row: StoredSubscription) -> None:
        name = (row.session, row.filter)
        self._losses.subscriptions.discard(name)
        self._gains.subscriptions[name] = row
        self._schedule()

    def unsubscribe(self, session: int, topic_filter: str) -> None:
        self._gains.subscriptions.pop((session, topic_filter), None)
        self._losses.subscriptions.add((session, topic_filter))
        self._schedule()

    def owe(self, place: Place, publish: Publish, expires: float, share: str) -> None:
        """`publish` is not changed by anybody; the next session may hold the same."""
        self.owed += 1
        known = self._messages.get(id(publish))
        if known is None:
            self._last_message += 1
            known = self._messages[id(publish)] = (publish, self._last_message)
            row = StoredMessage(known[1], self._wall_time(expires), packed(publish))
            self._gains.messages[row.key] = row
        self._gains.copies[place] = StoredCopy(*place, known[1], weight(publish), 0, False, share)
        self._schedule()

    def move(self, place: Place, packet_id: int, released: bool) -> None:
        """A copy got its packet identifier, or was released."""
        copy = self._gains.copies.get(place)
        if copy is not None:
            self._gains.copies[place] = copy._replace(packet_id=packet_id, released=released)
        else:
            self._losses.moved[place] = packet_id, released
        self._schedule()

    def gains_copy(self, place: Place) -> bool:
        """Whether it was not given to the store yet."""
        return place in self._gains.copies

    def settle(self, place: Place) -> None:
        """Nothing of the copy is owed any more."""
        if self._gains.copies.pop(place, None) is None:
            self._losses.moved.pop(place, None)
            self._losses.copies.add(place)
            self._schedule()

    def receive(self, session: int, packet_id: int) -> None:
        """A QoS 2 message came, which its sender will release."""
        self.owed += 1
        self._losses.received.discard((session, packet_id))
        self._gains.received.add((session, packet_id))
        self._schedule()

    def let_go(self, session: int, packet_id: int) -> None:
        self._gains.received.discard((session, packet_id))
        self._losses.received.add((session, packet_id))
        self._schedule()

    def send_downlink(self, row: StoredDownlink) -> None:
        self._losses.downlinks.discard((row.session, row.packet_id))
        self._gains.downlinks[row.session, row.packet_id] = row
        self._schedule()

    def settle_downlink(self, session: int, packet_id: int) -> None:
        self._gains.downlinks.pop((session, packet_id), None)
        self._losses.downlinks.add((session, packet_id))
        self._schedule()

    # Who waits for it

    def after_gains(self, told: Callable[[bool], None]) -> None:
        """`told(True)` when all that is gathered as a gain is committed, `told(False)` when it failed."""
        self._gains.told.append(told)
        self._schedule()

    def after_losses(self, told: Callable[[], None]) -> None:
        self._losses.told.append(told)
        self._schedule()

    def commit(self, publish: Publish, kept: Callable[[Publish, ReasonCode], None], *, joined: bool) -> None:
        """`kept` is called when what sessions owe because of a message is durable, or cannot be. `joined`: together
        with what else is kept of the message, or not at all."""
        self.after_gains(partial(_tell, publish, kept))
        if joined:
            self._write_gains(joined=True)

    async def finish(self) -> None:
        """Returns when everything is stored that can be."""
        self._flush()
        while self.busy:
            self._idle = self._loop.create_future()
            if not await self._idle:
                break

    # Writing

    def _schedule(self) -> None:
        if not (self._flush_scheduled or self._writing):
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._writing:
            return
        losses = self._losses
        if losses:
            self._losses = _left_for_later(losses)
            self._writing += 1
            self.store.keep_losses(losses, partial(self._lost, losses))
        if self._gains:
            self._write_gains(ended=losses.sessions)

    def _write_gains(self, *, ended: set[int] = frozenset(), joined: bool = False) -> None:  # type: ignore[assignment]
        gains, self._gains, self._messages = self._gains, Gains(), {}
        if ended:
            _forget(gains, ended)
        used = {copy.message for copy in gains.copies.values()}
        if len(used) < len(gains.messages):
            gains.messages = {key: row for key, row in gains.messages.items() if key in used}
        self._writing += 1
        self.store.keep_gains(gains, partial(self._gained, gains), joined=joined)

    def _lost(self, losses: Losses, error: BridgeError | None) -> None:
        if error is None:
            for told in losses.told:
                told()
        else:
            self._take_back(losses)
        self._written(error)

    def _gained(self, gains: Gains, error: BridgeError | None) -> None:
        if error is not None:
            _log.error(
                "messages for kept sessions not written", extra={"count": len(gains.copies), "error": str(error)}
            )
            for key, row in gains.sessions.items():
                if key not in self._losses.sessions:
                    self._gains.sessions.setdefault(key, row)
            for name, subscription in gains.subscriptions.items():
                if name not in self._losses.subscriptions and name[0] not in self._losses.sessions:
                    self._gains.subscriptions.setdefault(name, subscription)
        for told in gains.told:
            told(error is None)
        self._written(error)

    def _written(self, error: BridgeError | None) -> None:
        self._writing -= 1
        if self._writing:
            return
        if error is None:
            self._flush()
        elif self._gains or self._losses:
            self._flush_scheduled = True
            self._loop.call_later(_RETRY, self._flush)
        if self._idle is not None and (error is not None or not self._writing):
            idle, self._idle = self._idle, None
            idle.set_result(error is None)

    def _take_back(self, losses: Losses) -> None:
        """A write has failed: what it was about is lost still, unless it has come back meanwhile."""
        ours, gains = self._losses, self._gains
        ours.sessions |= losses.sessions
        ours.subscriptions |= losses.subscriptions - gains.subscriptions.keys()
        ours.moved = {**losses.moved, **ours.moved}
        ours.copies |= losses.copies
        ours.received |= losses.received - gains.received
        ours.downlinks |= losses.downlinks - gains.downlinks.keys()
        ours.told[:0] = losses.told

    def _wall_time(self, expires: float) -> int:
        return self._clock() + max(1, int((expires - self._loop.time()) * 1000)) if expires else 0

    def loop_time(self, expires_at: int) -> float:
        return self._loop.time() + (expires_at - self._clock()) / 1000 if expires_at else 0.0

    def now(self) -> int:
        return self._clock()


def weight(publish: Publish) -> int:
    """Bytes that count for the bounds of a session."""
    return len(publish.payload) + len(publish.topic)


def packed(publish: Publish) -> bytes:
    """As it is stored, without its packet identifier."""
    placeholder = 1 if publish.qos else 0
    return encode(
        Publish(publish.topic, publish.payload, publish.qos, publish.retain, False, placeholder, publish.properties),
        Version.V5,
    )


def unpacked(packet: bytes) -> Publish:
    found: Packet = next(Decoder(version=Version.V5, side=Side.CLIENT).feed(packet))
    assert isinstance(found, Publish)  # noqa: S101  nothing else is stored
    found.packet_id = 0
    return found


def _tell(publish: Publish, kept: Callable[[Publish, ReasonCode], None], stored: bool) -> None:
    kept(publish, ReasonCode.SUCCESS if stored else ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR)


def _forget(gains: Gains, ended: set[int]) -> None:
    """What was gathered for sessions that ended before it was written."""
    gains.subscriptions = {name: row for name, row in gains.subscriptions.items() if name[0] not in ended}
    gains.copies = {place: row for place, row in gains.copies.items() if place[0] not in ended}
    gains.received = {each for each in gains.received if each[0] not in ended}
    gains.downlinks = {each: row for each, row in gains.downlinks.items() if each[0] not in ended}


def _left_for_later(losses: Losses) -> Losses:
    """Takes sessions out of it that are too many for one write."""
    later = Losses()
    while len(losses.sessions) > _MOST_ENDED:
        later.sessions.add(losses.sessions.pop())
    return later
