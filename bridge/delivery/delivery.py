"""Messages from acceptance to their final state.

| from    | to        | when                                                   | here                        |
|---------|-----------|--------------------------------------------------------|-----------------------------|
| -       | PENDING   | accepted and committed                                 | submit, submit_once         |
| PENDING | DELIVERED | the device acknowledged, or took it at QoS 0           | acknowledged                |
| PENDING | FAILED    | the device refused it                                  | acknowledged                |
|         |           | ttl 0, and not deliverable now or the connection ended | _send, _pass_backlog,       |
|         |           |                                                        | disconnected, start         |
|         |           | too large for the device, or for MQTT                  | _send                       |
|         |           | pushed out of the full queue                           | _make_room                  |
|         |           | its device was removed; told, and then gone            | device_changed              |
| PENDING | TIMEOUT   | its ttl passed                                         | _expire                     |
| PENDING | (gone)    | cancelled by its sender                                | cancel                      |

Everything here runs in the event loop's thread and nothing waits inside a decision, so each message's end is decided
exactly once (`Moves`), whatever the order in which acknowledgement, expiry and cancellation arrive.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from bridge.broker.base import Downlinks, Handed
from bridge.delivery.answers import Answers, Followed
from bridge.delivery.base import NO_CHANNELS, MessageStore
from bridge.delivery.drains import Drains
from bridge.delivery.expiry import Expiry
from bridge.delivery.moves import Moves
from bridge.delivery.orphans import Orphans
from bridge.delivery.outbox import Outbox
from bridge.delivery.payload import downlink_of
from bridge.delivery.reading import Reading
from bridge.delivery.repeats import Repeats
from bridge.delivery.schedule import Released, Schedule
from bridge.delivery.settings import DeliverySettings
from bridge.delivery.topics import settle_topic
from bridge.model.batch import Claim
from bridge.model.clock import Clock, Timekeeper
from bridge.model.device import Device
from bridge.model.errors import BridgeError, QueueFull, StoreUnavailable, UnknownMessage
from bridge.model.message import AcknowledgedBy, Draft, Failure, Message, Outcome, Status
from bridge.model.once import Once

_log = logging.getLogger(__name__)
_MINUTE = 60_000
Done: TypeAlias = Callable[[Message | BridgeError], None]
"""Called with the message as it is then, or with the error because of which it was not stored."""

_LEFT_OVER = "the daemon stopped before it had recorded that the device acknowledged it"
_PAGES_IN_FRONT = 4
"""Pages of a backlog that are offered for the sake of a message with ttl 0 behind it."""
_WINDOW_FULL = "the device takes no more now: its window is full, and the message is not to be cached"
_OTHERS_IN_FRONT = "other messages wait for the device's connection, and the message is not to be cached"


class Delivery(Reading):
    """Implements `bridge.broker.base.DownlinkListener` towards the broker and the use cases towards the API."""

    def __init__(
        self,
        store: MessageStore,
        downlinks: Downlinks,
        settings: DeliverySettings,
        clock: Clock,
        channels: Mapping[str, int] = NO_CHANNELS,
    ) -> None:
        """`channels`: by project, where changes of messages are told, as it is at the time of the change."""
        time = Timekeeper.of(clock)
        super().__init__(store, Moves(store, tell_early=settings.tell == "acknowledged"), time)
        self._downlinks = downlinks
        self._settings = settings
        self._clock = clock
        self._steady = time.steady
        self._channels = channels
        self._outboxes: dict[int, Outbox] = {}
        self._answers = Answers(settings.ack_wait)
        self._drains = Drains(self._drain_page, settings.max_concurrent_drains)
        self._expiry = Expiry(store, time.steady, self._expire)
        self._schedule = Schedule(store, time.steady, self._release)
        self._repeats = Repeats(store, time)
        self._orphans = Orphans(store, channels)

    def start(self) -> None:
        """To be called before the first device connects."""
        left = Outcome(Status.FAILED, self._clock(), None, Failure.OFFLINE, _LEFT_OVER)
        self._store.fail_uncached(left, _uncached_ended, self._channels)
        self._expiry.start()
        self._schedule.start()
        self._orphans.tell()

    def stop(self) -> None:
        self._expiry.stop()
        self._schedule.stop()
        self._orphans.stop()
        self._answers.close()

    # What applications ask for

    async def submit(self, project: str, device_id: str, draft: Draft) -> Message:
        """Accept a message: it is committed when this returns, and `outcome` is set if it ended within `ack_wait`.

        Raises UnknownDevice, ForeignTopic, DuplicateMessage, QueueFull, StoreUnavailable; then nothing was stored.
        """
        result: asyncio.Future[Message | BridgeError] = asyncio.get_running_loop().create_future()
        self.begin(project, device_id, draft, partial(_settle, result))
        message = await result
        if isinstance(message, BridgeError):
            raise message
        return message

    async def submit_once(self, project: str, device_id: str, once: Once, draft: Callable[[], Draft]) -> Message:
        """`submit`, unless the request was carried out before: then its message, as it is now.

        Raises KeyReused, RepeatedTooLate, what `submit` raises, and what `draft` raises, which a repeat is not asked.
        """

        def begin(draft: Draft, once: Once, done: Done) -> None:
            self.begin(project, device_id, draft, done, once)

        key = self._device(project, device_id).key
        return await self._repeats.submit(key, once, draft, begin, partial(self.message, project, device_id))

    def begin(self, project: str, device_id: str, draft: Draft, done: Done, once: Once | None = None) -> None:
        """`submit` without a task: `done` is called once, later, with what `submit` returns or raises.

        Raises UnknownDevice, ForeignTopic, QueueFull; then `done` is not called.
        """
        message = self._accept(project, device_id, draft, once=once)
        self._answers.open(message.seq, partial(_tell, message, done))

    def follow(self, project: str, device_id: str, draft: Draft, followed: Followed) -> Message:
        """`begin` for who wants to know everything that becomes of the message, until `unfollow`.

        Raises UnknownDevice, ForeignTopic, QueueFull; then `followed` is not called.
        """
        message = self._accept(project, device_id, draft)
        self._answers.follow(message.seq, followed)
        return message

    def unfollow(self, seq: int) -> None:
        self._answers.unfollow(seq)

    def carry(
        self, project: str, device_id: str, draft: Draft, claim: Claim, done: Callable[[BridgeError | None], None]
    ) -> None:
        """Accept a message for a target of a batch task. `done` is called once, later: after the commit of both, with
        None, or with DuplicateMessage, UnknownDevice, Withdrawn or StoreUnavailable. How the message ends is told to
        who has asked with `watch_ends`.

        Raises UnknownDevice, QueueFull, StoreUnavailable; then `done` is not called.
        """
        self._accept(project, device_id, draft, claim=claim, carried=done)

    def watch_ends(self, ended: Callable[[int], None] | None) -> None:
        """`ended(seq)` is called for every message, whoever sent it, after the commit of its end; but not for one that
        is removed. None: nobody watches any more."""
        self._moves.ended = ended

    async def cancel(self, project: str, device_id: str, message_id: str) -> None:
        """Forget a message. One that was PENDING is not sent from now on. Raises UnknownDevice, UnknownMessage,
        StoreUnavailable."""
        outbox = self._outbox(self._device(project, device_id))
        message = self._store.message(outbox.device.key, message_id)
        if message is None or self._moves.removing(message.seq):
            raise UnknownMessage(message_id)
        self._moves.begin_removal(message.seq)
        removed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done = partial(self._removed, outbox, message.seq, removed)
        self._store.remove(message.seq, done, self._channels.get(project), self._clock())
        await asyncio.shield(removed)

    def device_changed(self, key: int) -> None:
        """The device was removed, with its messages, or changed otherwise."""
        if self._store.device_by_key(key) is not None:
            return
        if outbox := self._outboxes.pop(key, None):
            outbox.leave()
        self._orphans.tell()

    # What the broker reports (DownlinkListener)

    def connected(self, device: int) -> None:
        known = self._store.device_by_key(device)
        if known is None:
            return
        outbox = self._outbox(known)
        for each in outbox.aboard():
            each.connect()
        self._drains.schedule(outbox)

    def disconnected(self, device: int) -> None:
        outbox = self._outboxes.get(device)
        if outbox is None:
            return
        for each in outbox.aboard():
            each.disconnect()
            for seq in list(each.uncached):
                self._fail(each, seq, Failure.OFFLINE, "the device disconnected before it acknowledged")

    def subscribed(self, device: int) -> None:
        outbox = self._outboxes.get(device)
        if outbox is None:
            return
        for each in outbox.aboard():
            if each.pending:
                each.rewind()
                self._drains.schedule(outbox)

    def writable(self, device: int) -> None:
        outbox = self._outboxes.get(device)
        if outbox is not None and (outbox.behind or outbox.riders is not None):
            self._drains.schedule(outbox)

    def is_wanted(self, device: int, seq: int) -> bool:
        carrier = self._outboxes.get(device)
        if carrier is None or not carrier.carries(seq):
            return False  # cancelled, expired or otherwise ended
        if seq not in self._moves:
            return True
        carrier.acknowledged(seq)  # it is being removed: offered again if that is refused
        return False

    def acknowledged(self, device: int, seq: int, by: AcknowledgedBy, reason_code: int, reason: str | None) -> None:
        carrier = self._outboxes.get(device)
        outbox = carrier.acknowledged(seq) if carrier is not None else None
        if outbox is None:
            return  # cancelled or expired while it was on its way
        if reason_code < 0x80:
            self._finish(outbox, seq, Outcome(Status.DELIVERED, self._clock(), by))
        else:
            text = f"the device refused it with reason code 0x{reason_code:02X}"
            self._fail(outbox, seq, Failure.REFUSED, f"{text}: {reason}" if reason else text)

    # One message

    def _accept(
        self,
        project: str,
        device_id: str,
        draft: Draft,
        *,
        once: Once | None = None,
        claim: Claim | None = None,
        carried: Callable[[BridgeError | None], None] | None = None,
    ) -> Message:
        """Give it its place in the queue, and put it into the store. Raises UnknownDevice, ForeignTopic, QueueFull."""
        outbox = self._outbox(self._device(project, device_id))
        settle_topic(draft, outbox.device, outbox.carrier.device)
        if outbox.pending >= self._settings.max_pending_per_device:
            self._make_room(outbox)
        if draft.send_at is not None:
            draft.send_at = self._time.steady_of(draft.send_at)
        lifetime = draft.ttl * _MINUTE or int(self._settings.uncached_wait * 1000)
        expires_at = (draft.send_at or self._steady()) + lifetime
        message = Message(outbox.device.key, draft, self._clock(), expires_at)
        outbox.pending += 1
        channel = self._channels.get(project) if draft.ttl else None  # without a ttl it is not cached
        if carried is not None:
            added = partial(self._carried, outbox, message, carried)
        else:
            added = partial(self._added if draft.send_at is None else self._held, outbox, message)
        self._store.add(message, added, channel, once=once, claim=claim)
        if not draft.ttl:
            outbox.uncached.add(message.seq)
        return message

    def _carried(
        self,
        outbox: Outbox,
        message: Message,
        done: Callable[[BridgeError | None], None],
        error: BridgeError | None,
    ) -> None:
        self._added(outbox, message, error)
        done(error)

    def _added(self, outbox: Outbox, message: Message, error: BridgeError | None) -> None:
        """The commit that holds the message is done, or failed. Called in the order of `seq`."""
        if error is not None:
            outbox.uncached.discard(message.seq)
            outbox.pending -= message.seq not in self._moves
            self._answers.give(message.seq, error)
            return
        if message.seq <= outbox.cursor or message.seq in self._moves:
            self._answers.start(message.seq)  # the backlog's reader saw it first, or it is cancelled already
            return
        if message.expires_at <= self._steady():
            self._expire(message.seq, message.device, message.expires_at)
            self._answers.start(message.seq)
            return
        if not message.draft.ttl and outbox.carrier.any_behind():
            self._pass_backlog(outbox, message.seq)
            self._answers.start(message.seq)
            return
        handed = Handed.BUSY if outbox.carrier.any_behind() else self._send(outbox, message)
        if handed is Handed.BUSY:
            outbox.fall_behind()
            self._answers.start(message.seq)
        elif handed is Handed.SENT or message.seq in self._moves:
            self._answers.start(message.seq)
        else:
            self._answers.give(message.seq, None)

    def _pass_backlog(self, outbox: Outbox, seq: int) -> None:
        """A message with ttl 0 is sent now or not at all: offer the connection what is in front of the message, and
        perhaps it is reached in its turn."""
        with contextlib.suppress(StoreUnavailable):
            for _ in range(_PAGES_IN_FRONT):
                if not self._drain_page(outbox.carrier):
                    break
        if seq > outbox.cursor:
            self._fail(outbox, seq, Failure.BUSY, _OTHERS_IN_FRONT)

    def _held(self, outbox: Outbox, message: Message, error: BridgeError | None) -> None:
        """`_added` for a message that is not to be sent yet."""
        if error is not None:
            self._added(outbox, message, error)
            return
        self._schedule.expect(message.draft.send_at or 0)
        self._answers.give(message.seq, None)

    def _release(self, released: Released) -> None:
        """These may be sent from now on: they are in the backlog of their devices."""
        for seq, device in released:
            outbox = self._outbox_of(device)
            if outbox is not None:
                outbox.reach_back(seq)
                self._drains.schedule(outbox.carrier)

    def _send(self, outbox: Outbox, message: Message) -> Handed:
        """Offer a message to the device's connection. The cursor passes it unless it has to be offered again."""
        seq, line = message.seq, outbox.carrier.device
        behind = None if outbox.carrier is outbox else outbox.device.device_id
        downlink = downlink_of(message, line.device_id, outbox.sent_before.get(seq, 0), behind=behind)
        handed = self._downlinks.send(line.key, downlink) if outbox.online else Handed.OFFLINE
        if handed is Handed.BUSY and message.draft.ttl:
            return handed
        if handed is Handed.SENT:
            outbox.sent(seq, downlink.packet_id)
        elif handed is Handed.TOO_LARGE:
            self._fail(outbox, seq, Failure.TOO_LARGE, "larger than the Maximum Packet Size of the device")
        elif handed is Handed.UNSENDABLE:
            self._fail(outbox, seq, Failure.UNSENDABLE, "MQTT cannot express it")
        elif not message.draft.ttl:
            self._not_deliverable_now(outbox, seq, handed)
        outbox.cursor = seq
        return handed

    def _not_deliverable_now(self, outbox: Outbox, seq: int, handed: Handed) -> None:
        if handed is Handed.OFFLINE:
            self._fail(outbox, seq, Failure.OFFLINE, "the device is not online and the message is not to be cached")
        elif handed is Handed.BUSY:
            self._fail(outbox, seq, Failure.BUSY, _WINDOW_FULL)
        else:
            self._fail(outbox, seq, Failure.NOT_SUBSCRIBED, "the device has not subscribed to the topic")

    def _fail(self, outbox: Outbox, seq: int, failure: Failure, detail: str) -> None:
        self._finish(outbox, seq, Outcome(Status.FAILED, self._clock(), None, failure, detail))

    def _finish(self, outbox: Outbox, seq: int, outcome: Outcome) -> None:
        if self._moves.removing(seq):
            self._moves.postpone(seq, outcome)
            return
        if seq in self._moves:
            return
        outbox.forget(seq)
        outbox.pending -= 1
        self._moves.finish(seq, outcome, self._answers.give, self._channels.get(outbox.device.project))

    def _expire(self, seq: int, device: int, expires_at: int) -> None:
        outbox = self._outbox_of(device)
        if outbox is not None:
            self._finish(outbox, seq, Outcome(Status.TIMEOUT, self._time.wall_of(expires_at)))

    def _removed(
        self, outbox: Outbox, seq: int, removed: asyncio.Future[None], was: Status | BridgeError | None
    ) -> None:
        meanwhile = self._moves.end_removal(seq)
        if isinstance(was, BridgeError):
            if meanwhile is not None:
                self._finish(outbox, seq, meanwhile)
            else:  # the backlog's reader may have passed it over
                outbox.rewind()
                self._drains.schedule(outbox.carrier)
            removed.set_exception(was)
            return
        self._answers.give(seq, meanwhile)
        self._answers.removed(seq)
        outbox.forget(seq)
        if was is Status.PENDING and not self._moves.counted(seq):
            outbox.pending -= 1
        removed.set_result(None)

    # A device's queue

    def _drain_page(self, carrier: Outbox) -> bool:
        """Offer a connection the next PENDING messages of one device, as many as it takes. True: there are more, and it
        takes them."""
        if carrier.online and not carrier.boarded:
            self._board(carrier)
        room = self._downlinks.room(carrier.device.key) if carrier.online and carrier.any_behind() else 0
        if not room:
            return False
        outbox, now = carrier.next_behind(), self._steady()
        page = self._store.pending(outbox.device.key, after=outbox.cursor, limit=room)
        for message in page:
            if message.seq in outbox.inflight or message.seq in self._moves or message.expires_at <= now:
                outbox.cursor = message.seq
            elif not message.draft.ttl and message.seq not in outbox.uncached:
                self._fail(outbox, message.seq, Failure.OFFLINE, _LEFT_OVER)  # its connection ended with the last run
            elif self._send(outbox, message) is Handed.BUSY:
                return False
        outbox.behind = bool(page)
        return carrier.any_behind()

    def _board(self, gateway: Outbox) -> None:
        """Bring in the devices behind it that have messages waiting since the last run of the daemon."""
        for device in self._store.carried_pending(gateway.device.key):
            self._outbox(device)
        gateway.boarded = True

    def _make_room(self, outbox: Outbox) -> None:
        if self._settings.when_full == "reject" or not self._displace(outbox):
            limit = self._settings.max_pending_per_device
            raise QueueFull(f"the device has {limit} messages waiting")

    def _displace(self, outbox: Outbox) -> bool:
        """End the oldest message that is not on its way to the device."""
        after, page = 0, self._store.pending(outbox.device.key, after=0, limit=64)
        while page:
            for message in page:
                if message.seq not in outbox.inflight and message.seq not in self._moves:
                    self._fail(
                        outbox, message.seq, Failure.DISPLACED, "a newer message pushed it out of the full queue"
                    )
                    return True
            after = page[-1].seq
            page = self._store.pending(outbox.device.key, after=after, limit=64)
        return False

    def _outbox_of(self, key: int) -> Outbox | None:
        """None: there is no such device any more."""
        outbox = self._outboxes.get(key)
        if outbox is None and (known := self._store.device_by_key(key)) is not None:
            outbox = self._outbox(known)
        return outbox

    def _outbox(self, device: Device) -> Outbox:
        outbox = self._outboxes.get(device.key)
        if outbox is None:
            gateway = self._store.device_by_key(device.carrier) if device.carrier is not None else None
            carrier = self._outbox(gateway) if gateway is not None else None
            pending = self._store.count_pending(device.key, at_most=self._settings.max_pending_per_device)
            outbox = self._outboxes[device.key] = Outbox(device, pending, carrier)
            if carrier is not None:
                carrier.take_aboard(outbox)
                if carrier.online:
                    outbox.connect()
                    self._drains.schedule(carrier)
        return outbox


def _tell(message: Message, done: Done, answer: Outcome | BridgeError | None) -> None:
    if isinstance(answer, BridgeError):
        done(answer)
        return
    message.outcome = answer
    done(message)


def _settle(result: asyncio.Future[Message | BridgeError], message: Message | BridgeError) -> None:
    if not result.done():  # whoever waited is gone
        result.set_result(message)


def _uncached_ended(count: int | BridgeError) -> None:
    """What could not be ended now is ended when its device connects, or by its expiry."""
    if isinstance(count, BridgeError):
        _log.debug("messages with ttl 0 of the last run are not ended yet", extra={"error": str(count)})
    elif count:
        _log.warning("messages with ttl 0 ended with the last run of the daemon", extra={"count": count})
