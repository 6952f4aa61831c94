"""What a client publishes: each message taken once, acknowledged in order."""

from functools import partial

from bridge.broker.hub import Hub
from bridge.broker.receipts import Receipts
from bridge.broker.session import Line, Session
from bridge.mqtt import Puback, Pubcomp, Publish, Pubrec, Pubrel, ReasonCode, Version

_MOST_HELD = 262_144
"""Bytes of messages from one client that wait for their commit; beyond that it is not read until half of them have."""


class Inbound:
    """Of one connection."""

    __slots__ = ("_hub", "_line", "_receipts")

    def __init__(self, hub: Hub, line: Line) -> None:
        self._hub = hub
        self._line = line
        self._receipts: Receipts | None = None

    def publish(self, session: Session, publish: Publish) -> None:
        if "topic_alias" in publish.properties:  # ours is 0, so none may be used [MQTT-3.3.2-9]
            self._line.refuse(ReasonCode.TOPIC_ALIAS_INVALID, "topic alias")
            return
        if publish.retain and self._line.version is Version.V5:  # [MQTT-3.2.2-14]
            self._line.refuse(ReasonCode.RETAIN_NOT_SUPPORTED, "retained messages are not available")
            return
        if publish.qos == 2:
            self._publish_exactly_once(session, publish)
        else:
            self._accept(session, publish)

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
        elif len(session.incoming) >= self._hub.settings.receive_maximum:  # [MQTT-3.3.4-9]
            self._line.refuse(ReasonCode.RECEIVE_MAXIMUM_EXCEEDED, "too many QoS 2 messages not released")
        else:
            session.incoming.add(packet_id)
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
        reason = self._hub.router.accept(session, publish, self._kept)
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
        if reason is None and publish.qos == 2:
            session.storing[publish.packet_id] = self._line
        if receipts.held > _MOST_HELD and not self._line.stalled:
            self._line.stalled = True
            self._line.pause_reading()

    def _kept(self, publish: Publish, reason: ReasonCode) -> None:
        """What the client sent is durable, or cannot be."""
        receipts = self._receipts
        assert receipts is not None  # noqa: S101  it owes an acknowledgement
        for session, settled, code in receipts.settle(publish, reason):
            if settled.qos == 2 and session.storing.get(settled.packet_id) is self._line:
                del session.storing[settled.packet_id]
                if code >= 0x80:
                    _forget(session, settled)
            if not self._line.closing:
                self._acknowledge(settled, code)
        if self._line.stalled and receipts.held <= _MOST_HELD // 2:
            self._line.stalled = False
            self._line.resume_reading()

    def _acknowledge(self, publish: Publish, reason: ReasonCode) -> None:
        if publish.qos == 0:
            return
        if reason in _NOT_KEPT and self._line.version is not Version.V5:
            # Before 5 there is no other answer than yes: it is sent again on the next connection [MQTT-4.8.0-2]
            # [MQTT-4.4.0-1 of 3.1.1].
            self._line.refuse(reason, "a message of the client cannot be stored now")
            return
        self._line.send((Puback if publish.qos == 1 else Pubrec)(publish.packet_id, reason))

    def pubrel(self, session: Session, packet: Pubrel) -> None:
        known = packet.packet_id in session.incoming
        session.incoming.discard(packet.packet_id)
        pubcomp = Pubcomp(packet.packet_id, ReasonCode.SUCCESS if known else ReasonCode.PACKET_IDENTIFIER_NOT_FOUND)
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
        if session.kept is not None:
            session.kept.let_go(publish.packet_id)


_NOT_KEPT = frozenset((ReasonCode.QUOTA_EXCEEDED, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR))
"""What a keeper of uplinks answers when it would have kept a message and cannot."""
