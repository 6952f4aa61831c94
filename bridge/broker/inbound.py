"""What a client publishes: each message taken once, acknowledged in order."""

from functools import partial
from typing import Final

from bridge.broker import explanations
from bridge.broker.aliases import InboundAliases
from bridge.broker.complaints import shortened
from bridge.broker.hub import Hub
from bridge.broker.receipts import Receipts
from bridge.broker.session import Line, Session
from bridge.mqtt import (
    Properties,
    ProtocolError,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ReasonCode,
    Version,
    is_as_indicated,
)

_V5: Final = Version.V5
_MOST_HELD = 262_144
"""Bytes of messages from one client that wait for their commit; beyond that it is not heard until half of them have."""


class Inbound:
    """Of one connection.

    What waits for our disk is our business: a client that has more than `receive_maximum` of that is not heard for a
    while. Against its Receive Maximum counts what it left open itself."""

    __slots__ = ("_aliases", "_holding", "_hub", "_left_open", "_line", "_receipts", "_waiting")

    def __init__(self, hub: Hub, line: Line) -> None:
        self._hub = hub
        self._line = line
        self._receipts: Receipts | None = None
        self._aliases: InboundAliases | None = None
        self._holding = False
        """The client is not heard until some of what it sent is durable."""
        self._waiting: set[int] | None = None
        """Packet identifiers of messages that came on this connection and are not acknowledged yet. Only of MQTT 5, as
        the next one: before, there is no Receive Maximum, and a client may use an identifier as it likes."""
        self._left_open: set[int] | None = None
        """Those at QoS 2 that are acknowledged (PUBREC) and not released by the client (PUBREL)."""

    def holds(self, session: Session, packet_id: int) -> bool:
        """Whether an MQTT 5 client uses the identifier for a message that is not done [MQTT-2.2.1-3]."""
        if self._line.version is not _V5:
            return False
        return packet_id in session.incoming or (self._waiting is not None and packet_id in self._waiting)

    def publish(self, session: Session, publish: Publish) -> None:
        if publish.properties and not self._understands(publish):
            return
        if publish.retain and not self._hub.settings.retain_available:
            if self._line.version is _V5:  # [MQTT-3.2.2-14]
                message = "retained messages are not available"
                self._line.refuse(ReasonCode.RETAIN_NOT_SUPPORTED, message, clause="MQTT-3.2.2-14")
                return
            publish.retain = False  # older clients cannot be told
        if self._left_open and self._exceeds(publish, self._left_open):
            message = f"more than {self._hub.settings.receive_maximum} messages not released"
            self._line.refuse(ReasonCode.RECEIVE_MAXIMUM_EXCEEDED, message, clause="MQTT-3.3.4-7")
        elif publish.properties and not is_as_indicated(publish.payload, publish.properties):
            self._refuse_payload(session, publish)
        elif publish.qos == 2:
            self._publish_exactly_once(session, publish)
        elif publish.qos and self.holds(session, publish.packet_id):
            self._answer(session, publish, ReasonCode.PACKET_IDENTIFIER_IN_USE)
        else:
            self._accept(session, publish)

    def _understands(self, publish: Publish) -> bool:
        """Resolve what the client abbreviated."""
        if "topic_alias" not in publish.properties:
            return True
        if self._aliases is None:
            self._aliases = InboundAliases(self._hub.settings.topic_alias_maximum)
        try:
            self._aliases.resolve(publish)
        except ProtocolError as error:
            self._line.refuse(error.reason_code, error.message, clause=error.clause)
            return False
        return True

    def _exceeds(self, publish: Publish, left_open: set[int]) -> bool:
        """One more than our Receive Maximum [MQTT5 3.3.4]."""
        if not publish.qos or len(left_open) < self._hub.settings.receive_maximum:
            return False
        return publish.packet_id not in left_open

    def _refuse_payload(self, session: Session, publish: Publish) -> None:
        """[MQTT5 3.3.2.3.2] at QoS 0 nothing but a DISCONNECT tells the client."""
        if publish.qos:
            self._answer(session, publish, ReasonCode.PAYLOAD_FORMAT_INVALID)
        else:
            message = "payload is not UTF-8, as its Payload Format Indicator says"
            self._line.refuse(ReasonCode.PAYLOAD_FORMAT_INVALID, message, clause="MQTT5 3.3.2.3.2")

    def _publish_exactly_once(self, session: Session, publish: Publish) -> None:
        """[MQTT-4.3.3] routed when it comes, and not again until it is released."""
        packet_id = publish.packet_id
        storing = session.storing.get(packet_id)
        if storing is self._line:
            return  # its PUBREC is on its way
        if storing is not None:  # whether it needs to be stored again is not known yet
            self._line.refuse(ReasonCode.SERVER_BUSY, "a message of an earlier connection is not stored yet")
        elif packet_id in session.incoming:
            self._answer(session, publish, ReasonCode.SUCCESS)
        elif self.holds(session, packet_id):  # at QoS 1
            self._answer(session, publish, ReasonCode.PACKET_IDENTIFIER_IN_USE)
        else:
            session.incoming.add(packet_id)  # [MQTT-4.3.3-13]
            self._accept(session, publish)

    def _accept(self, session: Session, publish: Publish) -> None:
        topics = self._hub.plugins.topics
        if topics is None or not topics.decide(session.identity, publish.topic):
            self._take(session, publish)
            return
        if publish.qos == 2:
            session.storing[publish.packet_id] = self._line
        topics.publish(self._line, session, publish.topic, partial(self._judged, session, publish))

    def _judged(self, session: Session, publish: Publish, allowed: bool) -> None:
        """The topic plug-ins have decided. What a client that is gone sent last is not acknowledged, so not taken."""
        packet_id = publish.packet_id if publish.qos == 2 else 0
        if session.storing.get(packet_id) is self._line:
            del session.storing[packet_id]
        if self._line.closing:
            session.incoming.discard(packet_id)
        elif allowed:
            self._take(session, publish)
        else:
            session.incoming.discard(packet_id)
            self._answer(session, publish, ReasonCode.NOT_AUTHORIZED)

    def _take(self, session: Session, publish: Publish) -> None:
        reason = self._hub.router.accept(session, publish, partial(self._kept, session))
        if reason is not None and reason >= 0x80:
            _forget(session, publish)
        self._answer(session, publish, reason)

    def _answer(self, session: Session, publish: Publish, reason: ReasonCode | None) -> None:
        """Acknowledge it, after those before it. None: it is not known yet with what."""
        receipts = self._receipts
        if reason is not None and not receipts:
            self._acknowledge(publish, reason)
            return
        if receipts is None:
            receipts = self._receipts = Receipts()
        receipts.owe(session, publish, reason)
        if publish.qos and self._line.version is _V5:
            if self._waiting is None:
                self._waiting = set()
            self._waiting.add(publish.packet_id)
        if reason is None and publish.qos == 2:
            session.storing[publish.packet_id] = self._line
        if not self._holding and (receipts.held > _MOST_HELD or receipts.owed > self._hub.settings.receive_maximum):
            self._holding = True
            self._line.hold()

    def _kept(self, session: Session, publish: Publish, reason: ReasonCode) -> None:
        """What the client sent is durable, or cannot be."""
        if reason >= 0x80 and publish.qos == 2 and session.kept is not None:
            # [MQTT-4.3.3-9] the packet identifier may mean another message from then on
            session.kept.let_go(publish.packet_id)
            session.kept.keeping.after_losses(partial(self._settle, publish, reason))
        else:
            self._settle(publish, reason)

    def _settle(self, publish: Publish, reason: ReasonCode) -> None:
        receipts = self._receipts
        assert receipts is not None  # noqa: S101  it owes an acknowledgement
        for session, settled, code in receipts.settle(publish, reason):
            if settled.qos == 2 and session.storing.get(settled.packet_id) is self._line:
                del session.storing[settled.packet_id]
                if code >= 0x80:
                    _forget(session, settled)
            if not self._line.closing:
                self._acknowledge(settled, code)
        few = receipts.held <= _MOST_HELD // 2 and receipts.owed <= self._hub.settings.receive_maximum // 2
        if self._holding and few:
            self._holding = False
            self._line.release()

    def _acknowledge(self, publish: Publish, reason: ReasonCode) -> None:
        if reason >= 0x80:
            self._complain(publish, reason)
        if publish.qos == 0:  # [MQTT-3.3.4-1]
            return
        if self._line.version is not _V5:
            self._acknowledge_before_5(publish, reason)
            return
        if self._waiting is not None and reason is not ReasonCode.PACKET_IDENTIFIER_IN_USE:
            self._waiting.discard(publish.packet_id)
        if publish.qos == 2 and reason < 0x80:
            if self._left_open is None:
                self._left_open = set()
            self._left_open.add(publish.packet_id)
        why = explanations.of_message(reason) if reason >= 0x80 else Properties()
        # [MQTT-2.2.1-5] [MQTT-4.3.2-4] [MQTT-4.3.2-5] [MQTT-4.3.3-8]
        self._line.send((Puback if publish.qos == 1 else Pubrec)(publish.packet_id, reason, why))

    def _complain(self, publish: Publish, reason: ReasonCode) -> None:
        if publish.qos and reason in _NOT_KEPT and self._line.version is not _V5:
            return  # the end of the connection is the answer, and has a line of its own
        topic = shortened(publish.topic)
        self._line.complain("publish refused", reason, explanations.in_words(reason), topic=topic, qos=publish.qos)

    def _acknowledge_before_5(self, publish: Publish, reason: ReasonCode) -> None:
        """There is no other answer than yes. What is not allowed is taken and goes nowhere [MQTT3-3.3.5-2]; what could
        not be stored is sent again on the next connection [MQTT3-4.8.0-2] [MQTT-4.4.0-1 of 3.1.1]."""
        if reason in _NOT_KEPT:
            self._line.refuse(reason, "a message of the client cannot be stored now")
            return
        self._line.send((Puback if publish.qos == 1 else Pubrec)(publish.packet_id))

    def pubrel(self, session: Session, packet: Pubrel) -> None:
        """In a session that was there before, an exchange that is not known is one that was finished: the client asks
        again because our PUBCOMP was lost with its last connection [MQTT-4.4.0-1]."""
        known = packet.packet_id in session.incoming or session.resumed
        session.incoming.discard(packet.packet_id)
        if self._left_open is not None:
            self._left_open.discard(packet.packet_id)
        reason = ReasonCode.SUCCESS if known else ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
        if reason >= 0x80 and self._line.version is _V5:
            message = f"no message with packet identifier {packet.packet_id} waits"
            self._line.complain("release refused", reason, message)
        pubcomp = Pubcomp(packet.packet_id, reason, explanations.of_message(reason))  # [MQTT-4.3.3-11]
        kept = session.kept
        if kept is None:
            self._line.send(pubcomp)
        else:  # [MQTT-4.3.3-12] the packet identifier may mean another message from then on
            kept.let_go(packet.packet_id)
            kept.keeping.after_losses(partial(self._line.send, pubcomp))


def _forget(session: Session, publish: Publish) -> None:
    """A QoS 2 message that is refused is not waited for [MQTT-4.3.3-9]."""
    if publish.qos == 2:
        session.incoming.discard(publish.packet_id)


_NOT_KEPT = frozenset((ReasonCode.QUOTA_EXCEEDED, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR))
"""What a keeper of uplinks answers when it would have kept a message and cannot."""
