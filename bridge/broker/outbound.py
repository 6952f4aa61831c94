"""What is owed to subscribers: sent within their windows, queued, sent again, acknowledged."""

import asyncio
import logging
from collections.abc import Callable, Container
from functools import partial

from bridge.broker.base import Downlink, DownlinkListener
from bridge.broker.fanout import Copy, Fanout, leaving
from bridge.broker.flight import Flight, Queued
from bridge.broker.keeping import weight
from bridge.broker.kept import KeptState
from bridge.broker.limits import Limits
from bridge.broker.plugins import Plugins
from bridge.broker.recall import count, fill
from bridge.broker.session import PAGE, Line, Session
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import StoreUnavailable
from bridge.model.message import AcknowledgedBy
from bridge.mqtt import Puback, Pubcomp, Publish, Pubrec, Pubrel, ReasonCode, encode_publish

_log = logging.getLogger(__name__)
_NOTE_EVERY = 10.0
"""Seconds between two lines about messages that were dropped."""


class Outbound:
    """`listener` is set before the first connection.

    A message between clients at QoS 1 or 2 passes up to four moments in a session: it is owed and waits (`_owe`), it
    gets its packet identifier (`_fly`), at QoS 2 it is released (`_release`), and it is settled (`_settle`).
    From a session without connection `take_back` takes it for another one.
    """

    listener: DownlinkListener

    pass_on: Callable[[Session, str, Publish, float], bool]
    """Give a message, which a session was chosen for by the shared subscription named and which expires at that loop
    time, to another member that is connected. False: there is none. The router's."""

    def __init__(self, limits: Limits, plugins: Plugins, clock: Clock) -> None:
        self._plugins = plugins
        self._steady = Timekeeper.of(clock).steady
        self._loop = asyncio.get_running_loop()
        self.limits = limits
        self._next_note = 0.0

    def forward(
        self,
        session: Session,
        publish: Publish,
        qos: int,
        expires: float,
        *,
        retain: bool = False,
        identifiers: tuple[int, ...] = (),
        share: str = "",
        allowed: bool = False,
    ) -> None:
        """Owe one session a message between clients from now on. `expires`: loop time, 0 for never; `retain`: the flag
        it gets; `identifiers`: of the subscriptions it comes from; `share`: the shared one among them;
        `allowed`: topic plug-ins need not be asked."""
        self.hand(session, Fanout(publish, expires).copy(qos, retain, identifiers), expires, share, allowed=allowed)

    def hand(self, session: Session, copy: Copy, expires: float, share: str = "", *, allowed: bool = False) -> None:
        """The same, of a message that goes to many. `allowed`: topic plug-ins need not be asked."""
        publish = copy.publish
        topics = self._plugins.topics
        if topics is not None and not allowed and topics.decide(session.identity, publish.topic):
            hand = partial(self._hand_late, session, copy, expires, share)
            topics.receive(session, publish.topic, len(publish.payload), hand)
            return
        line = session.line
        if not publish.qos:  # [MQTT-4.3.1-1]
            if line is not None and (line.congested or (session.holds_back and not self._may_line_up(session))):
                self._owe(session, publish, expires, share)  # [MQTT3-3.1.2-5] [MQTT-4.6.0-5] [MQTT-4.9.0-2]
            elif line is not None and session.holds_back:
                self._fly(line, session, publish, expires, share, copy=copy)
            elif line is not None:
                self.transmit(line, publish, 0, copy)
        elif line is not None and session.ready:
            self._fly(line, session, publish, expires, share, copy=copy)
        else:
            self._owe(session, publish, expires, share)

    def _hand_late(self, session: Session, copy: Copy, expires: float, share: str) -> None:
        """Topic plug-ins have allowed it, which took its time."""
        publish = copy.publish
        if expires and expires <= self._loop.time():  # [MQTT-3.3.2-5]
            return
        if share and session.line is None and self.pass_on(session, share, publish, expires):  # [MQTT-4.8.2-6]
            return
        if not session.ended:
            self.hand(session, copy, expires, share, allowed=True)

    def _may_line_up(self, session: Session) -> bool:
        """QoS 0: whether there is room behind what waits for the disk. No window bounds that."""
        waiting = session.unsent
        if len(waiting) >= session.window + PAGE:
            return False
        size = sum(weight(flight.publish) for _, flight in waiting if flight.publish is not None)
        return size <= self.limits.of(session.identity).queued_bytes

    def transmit(self, line: Line, publish: Publish, packet_id: int, copy: Copy | None = None) -> bool:
        """False: larger than what the client takes. Between clients that counts as delivered [MQTT-3.1.2-25].

        `packet_id`: 0 at QoS 0; the one in `publish` is not looked at. `copy`: what it is encoded once for."""
        if line.aliases is not None:
            return line.aliases.send(line, publish, packet_id)
        data = self._fitting(line, publish, packet_id, copy)
        if data is None:
            return False
        line.write(data)
        return True

    def hand_down(self, line: Line, session: Session, publish: Publish, downlink: Downlink) -> bool:
        """Send a message of an application; `publish` is the packet for it, of nobody else. False: larger than what the
        client takes."""
        kept = session.kept
        if kept is not None and (publish.qos == 2 or kept.holding):
            return self._hold_down(line, session, kept, publish, downlink)
        if not self.transmit(line, publish, publish.packet_id):
            return False
        if publish.qos:
            session.flights[publish.packet_id] = Flight(None, downlink.seq, publish.qos)
        else:
            line.confirm_when_written(downlink.seq)
        return True

    def _hold_down(self, line: Line, session: Session, kept: KeptState, publish: Publish, downlink: Downlink) -> bool:
        """It leaves when its packet identifier is durable: a crash must not make the daemon send it as a new one."""
        if self._fitting(line, publish, publish.packet_id) is None:
            return False
        if publish.qos == 2:
            kept.hand_down(publish.packet_id, downlink.seq, 2)
        if publish.qos:
            session.flights[publish.packet_id] = Flight(None, downlink.seq, publish.qos)
        kept.holding += 1
        kept.keeping.after_gains(partial(self._depart_down, line, session, publish, downlink))
        return True

    def _fitting(self, line: Line, publish: Publish, packet_id: int, copy: Copy | None = None) -> bytes | None:
        version = line.version
        data = encode_publish(publish, version, packet_id) if copy is None else copy.encode(version, packet_id)
        return data if line.fits(len(data)) else None

    def refill(self, session: Session) -> None:
        """The client took something, or is back: send what waits for it."""
        line = session.line
        if line is None or line.congested:
            return
        if session.releasing:
            self._send_releases(line, session)
        if session.unsent:
            self._send_unsent(line, session)
        now = self._loop.time()
        while session.room_between_clients and (session.queue or self._recalled(session)):
            queued = session.dequeue(now)
            if queued is not None:
                self._fly(line, session, queued.publish, queued.expires, queued.share, place=queued.place)
        # Half a window at a time: a page from the store rather than a row for each acknowledgement.
        if session.starved and len(session.flights) <= session.window // 2 and session.identity.device is not None:
            session.starved = False
            self.listener.writable(session.identity.device.key)
            if session.anything_waits or session.feed is not None:  # what the backlog leaves
                self._loop.call_soon(self.refill, session)
        elif session.feed is not None:
            session.feed.go_on()
        for share in session.shares:
            share.place(session)

    def _recalled(self, session: Session) -> bool:
        """Whether there is more in the queue now, from the store."""
        kept = session.kept
        if kept is None or not kept.behind:
            return False
        try:
            fill(session, kept, self.refill)
        except StoreUnavailable as error:
            if session.line is not None:
                session.line.refuse(ReasonCode.SERVER_UNAVAILABLE, str(error))
        return bool(session.queue)

    def take_back(self, session: Session, shares: Container[str]) -> list[Queued]:
        """Take from a session without connection what shared subscriptions chose it for and it did not acknowledge, in
        order, as far as somebody else may get it: not what it may have at QoS 2 [MQTT-4.8.2-4] [MQTT-4.8.2-5]."""
        back = []
        for packet_id, flight in list(session.flights.items()):
            if flight.qos == 1 and flight.share in shares and flight.publish is not None:
                self._settle(session, packet_id)
                back.append(Queued(flight.publish, flight.expires, flight.share))
        waiting = [queued for queued in session.queue if queued.share in shares]
        if waiting:
            waiting = session.unqueue(waiting)
        now = self._loop.time()
        return [queued for queued in back + waiting if not queued.expires or queued.expires > now]  # [MQTT-3.3.2-5]

    # Acknowledgements

    def puback(self, session: Session, packet: Puback) -> None:
        """Whatever the reason code: a message that is refused goes to nobody else [MQTT-4.8.2-6]."""
        flight = session.flights.get(packet.packet_id)
        if flight is None or not flight.sent:
            return
        if flight.qos != 1:
            _contradict(session, packet)
            return
        self._settle(session, packet.packet_id)  # [MQTT-4.3.2-3]
        if flight.seq:
            self._acknowledged(session, flight.seq, packet)
        self.refill(session)

    def pubrec(self, line: Line, session: Session, packet: Pubrec) -> None:
        flight = session.flights.get(packet.packet_id)
        if flight is None or not flight.sent:
            if packet.reason_code < 0x80:  # a refusal is the end of it [MQTT-4.3.3-4]
                line.send(Pubrel(packet.packet_id, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND))
            return
        if flight.qos != 2:
            _contradict(session, packet)
            return
        received = flight.released
        if flight.seq and not received:  # before it is written down as released: what is not finished is sent again
            self._acknowledged(session, flight.seq, packet)
        if packet.reason_code >= 0x80:  # [MQTT-4.3.3-4] [MQTT-4.8.2-6]
            self._settle(session, packet.packet_id)  # [MQTT-4.4.0-2]
        else:
            self._release(line, session, packet.packet_id, flight)
        self.refill(session)

    def pubcomp(self, session: Session, packet: Pubcomp) -> None:
        flight = session.flights.get(packet.packet_id)
        if flight is None:
            return
        if not flight.released:
            _contradict(session, packet)
            return
        self._settle(session, packet.packet_id)  # [MQTT-4.3.3-5]
        self.refill(session)

    def _acknowledged(self, session: Session, seq: int, packet: Puback | Pubrec) -> None:
        if session.identity.device is not None:
            self.listener.acknowledged(
                session.identity.device.key,
                seq,
                AcknowledgedBy.DEVICE,
                packet.reason_code,
                packet.properties.get("reason_string"),
            )

    def _send_unsent(self, line: Line, session: Session) -> None:
        """What an earlier connection left open, and what comes behind it, in the order of the first sending, up to what
        waits for the disk [MQTT-4.4.0-1] [MQTT-4.6.0-1]."""
        flights = session.flights
        waiting = sum(flights.get(packet_id) is flight for packet_id, flight in session.unsent)
        room = session.window - len(flights) + waiting
        while (following := session.take_unsent(room)) is not None:
            packet_id, flight = following
            self._depart(line, session, packet_id, flight)
            room -= flights.get(packet_id) is flight  # it has left, or it was settled

    def _send_releases(self, line: Line, session: Session) -> None:
        """[MQTT-4.6.0-4]"""
        while packet_id := session.take_release():
            line.send(Pubrel(packet_id))

    def _depart(self, line: Line, session: Session, packet_id: int, flight: Flight) -> None:
        """Nothing has to wait for anything any more. One that expired meanwhile does not leave."""
        publish, data = flight.publish, flight.data
        flight.data = None
        if publish is None:  # [MQTT-4.3.3-6]
            line.send(Pubrel(packet_id))
            return
        late = not flight.sent and flight.expires and flight.expires <= self._loop.time()  # [MQTT-3.3.2-5]
        if data is not None and not flight.expires:
            line.write(data)
        elif late or not self.transmit(
            line,
            leaving(publish, flight.expires, self._loop.time(), dup=flight.sent and packet_id > 0),  # [MQTT-3.3.1-1]
            packet_id,
        ):  # this connection may take less than the one before
            if packet_id:
                self._settle(session, packet_id)
            return
        flight.sent = True

    # The moments of a message between clients

    def _owe(self, session: Session, publish: Publish, expires: float, share: str) -> None:
        """It waits for the client, or for room in its window."""
        limits, kept = self.limits.of(session.identity), session.kept
        try:
            if kept is not None:
                count(session, kept)
        except StoreUnavailable:
            session.dropped += 1
            self._note_drop(session, "messages dropped, their session cannot be read")
            return
        before = session.dropped
        session.enqueue(publish, expires, limits.queued_messages, limits.queued_bytes, share)
        if session.dropped > before:
            self._note_drop(session)

    def _note_drop(self, session: Session, what: str = "messages dropped, too many wait") -> None:
        now = self._loop.time()
        if now >= self._next_note:
            self._next_note = now + _NOTE_EVERY
            _log.warning(what, extra={"client": session.client_id, "count": session.dropped})

    def _fly(
        self,
        line: Line,
        session: Session,
        publish: Publish,
        expires: float,
        share: str,
        *,
        place: int = 0,
        copy: Copy | None = None,
    ) -> None:
        """It is sent for the first time. Without a `copy` it has waited. What waits for the disk keeps what comes
        behind it waiting; a QoS 2 message does so itself, because a crash must not make the daemon send it as a new
        one."""
        kept = session.kept
        held = kept is not None and publish.qos > 0 and (publish.qos == 2 or kept.holding > 0 or session.holds_back)
        waits = held or (bool(session.unsent) if publish.qos else session.holds_back)
        packet_id = session.next_packet_id() if publish.qos else 0  # [MQTT-4.3.2-1] [MQTT-4.3.3-1]
        packet = publish if copy is not None else leaving(publish, expires, self._loop.time())
        data = self._fitting(line, packet, packet_id, copy) if waits else None
        if data is None and (waits or not self.transmit(line, packet, packet_id, copy)):  # [MQTT-3.1.2-25]
            if kept is not None and place:
                kept.settle(place)
            return
        # [MQTT-4.3.2-2] [MQTT-4.3.3-2] [MQTT-4.3.3-3] [MQTT-4.3.3-7]
        flight = Flight(publish, 0, publish.qos, False, expires, share, place, held, not waits, data)
        if waits:
            session.line_up(packet_id, flight)
        if not publish.qos:
            return
        session.flights[packet_id] = flight
        if kept is not None:
            if not place:
                place = flight.place = kept.cursor = kept.owe(publish, expires, share)
            kept.number(place, packet_id)
            if held:
                kept.when_numbered(place, partial(self._unhold, session, packet_id, flight))

    def _unhold(self, session: Session, packet_id: int, flight: Flight, stored: bool) -> None:
        """What it waited for is durable, or cannot be: then its sender was told so, and it does not leave."""
        flight.held = False
        if not (stored or flight.sent) and session.flights.get(packet_id) is flight:
            self._settle(session, packet_id)
        self.refill(session)

    def _depart_down(self, line: Line, session: Session, publish: Publish, downlink: Downlink, stored: bool) -> None:
        """What a message of an application waited for is durable, or cannot be. What became of the message meanwhile
        decides whether it leaves."""
        if session.kept is not None:
            session.kept.holding -= 1
        if session.line is not line:
            return
        if not stored:  # what is not acknowledged is handed down again on the next connection
            line.refuse(ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, "a message for the client cannot be stored now")
            return
        now = self._steady()
        if downlink.expires_at <= now or not self._is_wanted(session, downlink):
            if publish.packet_id in session.flights:
                self._settle(session, publish.packet_id)
            self.refill(session)
            return
        publish.properties["message_expiry_interval"] = downlink.seconds_left(now)
        line.write(encode_publish(publish, line.version, publish.packet_id))
        if not publish.qos:  # nobody acknowledges it
            line.confirm_when_written(downlink.seq)

    def _is_wanted(self, session: Session, downlink: Downlink) -> bool:
        device = session.identity.device
        return device is not None and self.listener.is_wanted(device.key, downlink.seq)

    def _release(self, line: Line, session: Session, packet_id: int, flight: Flight) -> None:
        """QoS 2: the client has it. The PUBREL of a session that is kept leaves when that is durable: behind it, the
        client would take the message for another one."""
        received, flight.released, flight.publish = flight.released, True, None
        kept = session.kept
        if received:
            if not flight.held:
                line.send(Pubrel(packet_id))
        elif kept is None:
            line.send(Pubrel(packet_id))
        else:
            flight.held = True
            session.line_up_release(packet_id, flight)
            unhold = partial(self._unhold, session, packet_id, flight, True)
            if flight.place:
                kept.release(flight.place, packet_id, lambda _: unhold())
            else:
                kept.release_downlink(packet_id, unhold)

    def _settle(self, session: Session, packet_id: int) -> None:
        """The client has it or will never have it; the packet identifier is free again."""
        flight, kept = session.flights.pop(packet_id), session.kept
        if kept is None:
            return
        if flight.place:
            kept.settle(flight.place)
        elif flight.qos == 2:
            kept.settle_downlink(packet_id)


def _contradict(session: Session, packet: Puback | Pubrec | Pubcomp) -> None:
    """The message is there, and this is not what can be said of it: inconsistent with the state [MQTT5 1.2]."""
    if session.line is not None:
        message = f"{type(packet).__name__.upper()} for a message that waits for another acknowledgement"
        session.line.refuse(ReasonCode.PROTOCOL_ERROR, message, clause="MQTT5 4.3")
