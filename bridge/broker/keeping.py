"""What the store is told of sessions that are kept, and when.

Changes are gathered in a batch while the last write is under way, and what cancels out is not written at all: a message
that its client acknowledges within a commit's time costs the disk nothing. A batch carries all that was gathered before
it, and the end of any write starts the next one, so nothing waits for more than the write under way and its own. The
store works off writes in order: of two batches that say something about the same thing the later one counts.

What is gained (sessions, subscriptions, messages) and what is lost (acknowledged, unsubscribed, ended) are two writes,
because the second has to get through on a full disk. Whoever waits for a change waits for the write that carries it.

A write that fails: sessions, subscriptions and losses are tried again until they are stored. Messages are not; whoever
sent them is told so.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from bridge.broker.base import SessionStore
from bridge.broker.session_batch import Again, SessionBatch, Unstored
from bridge.model.clock import Clock, Timekeeper
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
_MOST_ENDED = 2_000
"""Rows that go with the sessions that end in one write, roughly."""
_RETRY = 1.0
"""Seconds after a write that failed."""


class Keeping:
    """One for all sessions. Nothing of it is used for a session that ends with its connection."""

    def __init__(self, clock: Clock, store: SessionStore) -> None:
        """Raises StoreUnavailable."""
        self._loop = asyncio.get_running_loop()
        self._steady = Timekeeper.of(clock).steady
        self.store = store
        self._gathered = SessionBatch()
        self._under_way: list[SessionBatch] = []
        """In the order in which they were given to the store."""
        self._again = Again()
        self._ending: dict[int, tuple[int, Callable[[], None]]] = {}
        """Sessions that end, in no batch yet: how many rows they have, and whom to tell."""
        self._last_session, self._last_message = store.last_session_keys()
        self._due = False
        """Something was gathered since the last batch."""
        self._scheduled = False
        self._retry: asyncio.TimerHandle | None = None
        self._idle: asyncio.Future[None] | None = None
        self._refused = False
        """A write failed."""
        self.owed = 0
        """Counts what sessions were owed, ever."""

    def new_key(self) -> int:
        self._last_session += 1
        return self._last_session

    @property
    def busy(self) -> bool:
        """Something is not written yet."""
        return bool(self._under_way or self._gathered or self._again or self._ending)

    # What happens

    def keep_session(self, row: StoredSession) -> None:
        self._again.sessions.pop(row.key, None)
        self._gathered.gains.sessions[row.key] = row
        self._schedule()

    def end_session(self, key: int, rows: int, ended: Callable[[], None]) -> None:
        """`rows`: how much is stored of it, roughly. `ended` is called when nothing is."""
        self._again.end(key)
        self._gathered.gains.sessions.pop(key, None)
        self._ending[key] = rows, ended
        self._schedule()

    def subscribe(self, row: StoredSubscription) -> None:
        name = (row.session, row.filter)
        self._again.subscriptions.pop(name, None)
        self._gathered.losses.subscriptions.discard(name)
        self._gathered.gains.subscriptions[name] = row
        self._schedule()

    def unsubscribe(self, session: int, topic_filter: str) -> None:
        self._again.subscriptions.pop((session, topic_filter), None)
        self._gathered.gains.subscriptions.pop((session, topic_filter), None)
        self._gathered.losses.subscriptions.add((session, topic_filter))
        self._schedule()

    def owe(self, place: Place, publish: Publish, expires: float, share: str, owner: Unstored) -> None:
        """`publish` is not changed by anybody; the next session may hold the same. `owner` is told when the copy could
        not be stored."""
        self.owed += 1
        batch = self._gathered
        known = batch.messages.get(id(publish))
        if known is None:
            self._last_message += 1
            known = batch.messages[id(publish)] = (publish, self._last_message)
            row = StoredMessage(known[1], self._stored_time(expires), packed(publish))
            batch.gains.messages[row.key] = row
        batch.gains.copies[place] = StoredCopy(*place, known[1], weight(publish), 0, False, share)
        batch.owners[place[0]] = owner
        self._schedule()

    def move(self, place: Place, packet_id: int, *, released: bool) -> None:
        """A copy got its packet identifier, or was released."""
        batch = self._gathered
        copy = batch.gains.copies.get(place)
        if copy is not None:
            batch.gains.copies[place] = copy._replace(packet_id=packet_id, released=released)
        else:
            batch.losses.moved[place] = packet_id, released
        self._schedule()

    def settle(self, place: Place) -> None:
        """Nothing of the copy is owed any more."""
        if self._gathered.gains.copies.pop(place, None) is None:
            self._gathered.losses.moved.pop(place, None)
            self._gathered.losses.copies.add(place)
            self._schedule()

    def receive(self, session: int, packet_id: int) -> None:
        """A QoS 2 message came, which its sender will release."""
        self.owed += 1
        self._gathered.losses.received.discard((session, packet_id))
        self._gathered.gains.received.add((session, packet_id))
        self._schedule()

    def let_go(self, session: int, packet_id: int) -> None:
        self._gathered.gains.received.discard((session, packet_id))
        self._gathered.losses.received.add((session, packet_id))
        self._schedule()

    def send_downlink(self, row: StoredDownlink) -> None:
        name = (row.session, row.packet_id)
        self._gathered.losses.downlinks.discard(name)
        self._gathered.losses.released.discard(name)
        self._gathered.gains.downlinks[name] = row
        self._schedule()

    def release_downlink(self, session: int, packet_id: int) -> None:
        """Its device has it."""
        self._gathered.losses.released.add((session, packet_id))
        self._schedule()

    def settle_downlink(self, session: int, packet_id: int) -> None:
        self._gathered.gains.downlinks.pop((session, packet_id), None)
        self._gathered.losses.downlinks.add((session, packet_id))
        self._schedule()

    # Who waits for it

    def after_gains(self, told: Callable[[bool], None]) -> None:
        """`told(True)` when what was gained up to now is committed, `told(False)` when what was gathered of it cannot
        be stored."""
        self._gathered.gains.told.append(told)
        self._schedule()

    def after_losses(self, told: Callable[[], None]) -> None:
        """`told()` when what was lost up to now is committed."""
        self._gathered.losses.told.append(told)
        self._schedule()

    def after_copy(self, place: Place, told: Callable[[bool], None]) -> None:
        """`told(True)` when what was said of a copy is committed, `told(False)` when the copy cannot be stored."""
        if place in self._gathered.gains.copies:
            self.after_gains(told)
        else:
            self.after_losses(partial(told, True))

    def commit(self, publish: Publish, kept: Callable[[Publish, ReasonCode], None], *, joined: bool) -> None:
        """`kept` is called when what sessions owe because of a message is durable, or cannot be. `joined`: in one
        transaction with what was given to the store just before, or not at all."""
        self.after_gains(partial(_tell, publish, kept))
        if joined:
            self._flush(joined=True)

    async def finish(self) -> None:
        """Returns when everything is stored that can be. The store tries on with the rest until it is closed."""
        while self.busy:
            self._refused = False
            if not (self._under_way and self._due):
                self._write_again()
            self._idle = self._loop.create_future()
            await self._idle
            if self._refused and not self._due:
                break
        self._leave_rest()

    def _leave_rest(self) -> None:
        """Give the store what the disk refused: it tries on until it is closed, and says what it could not write."""
        if self._retry is not None:
            self._retry.cancel()
        self._again.move_to(self._gathered.gains)
        while self._ending:
            self._take_ending()
        rest, self._gathered = self._gathered, SessionBatch()
        rest.trim()
        if rest.gains:
            self.store.keep_gains(rest.gains, partial(_rest_gained, rest.gains), owed=True)
        if rest.losses:
            self.store.keep_losses(rest.losses, partial(_rest_lost, rest.losses), owed=True)

    # Writing

    def _schedule(self) -> None:
        self._due = True
        if not (self._scheduled or self._under_way):
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self, *, joined: bool = False) -> None:
        """Give the store everything that was gathered."""
        self._scheduled = self._scheduled and joined
        self._due = False
        self._take_ending()
        batch = self._gathered
        if not batch:
            return
        self._gathered = SessionBatch()
        batch.trim()
        gains, losses = batch.gains, batch.losses
        batch.writes = bool(gains) + bool(losses)
        self._under_way.append(batch)
        if gains:
            self.store.keep_gains(gains, partial(self._gained, batch), joined=joined)
        if losses:
            self.store.keep_losses(losses, partial(self._lost, batch))

    def _take_ending(self) -> None:
        """A session may have a full queue: a write takes no more of them than it can remove in a short time."""
        rows, losses = 0, self._gathered.losses
        while self._ending and rows < _MOST_ENDED:
            key = next(iter(self._ending))
            more, ended = self._ending.pop(key)
            rows += more + 1
            losses.sessions.add(key)
            losses.told.append(ended)
        self._due = bool(self._ending)

    def _lost(self, batch: SessionBatch, error: BridgeError | None) -> None:
        if error is None:
            for told in batch.losses.told:
                told()
        else:
            self._gathered.take_over_losses(batch.losses, self._behind(batch))
        self._written(batch, error)

    def _gained(self, batch: SessionBatch, error: BridgeError | None) -> None:
        gains = batch.gains
        if error is not None:
            _log.debug("not written for kept sessions", extra={"count": len(gains.copies), "error": str(error)})
            self._again.add(gains, self._behind(batch), self._ending)
            for (session, place), copy in gains.copies.items():
                batch.owners[session].not_stored(place, copy.share)
        for told in gains.told:
            told(error is None)
        self._written(batch, error)

    def _behind(self, batch: SessionBatch) -> list[SessionBatch]:
        return [*self._under_way[self._under_way.index(batch) + 1 :], self._gathered]

    def _written(self, batch: SessionBatch, error: BridgeError | None) -> None:
        batch.writes -= 1
        if not batch.writes:
            self._under_way.remove(batch)
        if error is not None:
            self._refused = True
            if self._retry is None:
                self._retry = self._loop.call_later(_RETRY, self._write_again)
        if self._due and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)
        if self._idle is not None and not (self._under_way or self._idle.done()):
            self._idle.set_result(None)

    def _write_again(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._again.move_to(self._gathered.gains)
        self._flush()

    def _stored_time(self, expires: float) -> int:
        return self._steady() + max(1, int((expires - self._loop.time()) * 1000)) if expires else 0

    def loop_time(self, expires_at: int) -> float:
        return self._loop.time() + (expires_at - self._steady()) / 1000 if expires_at else 0.0

    def now(self) -> int:
        """Steady time."""
        return self._steady()


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


def _rest_gained(gains: Gains, error: BridgeError | None) -> None:
    """With an error the store was closed before the disk took it, and says so."""
    for told in gains.told:
        told(error is None)


def _rest_lost(losses: Losses, error: BridgeError | None) -> None:
    if error is None:
        for told in losses.told:
            told()
