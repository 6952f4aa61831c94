"""What is owed to subscribers: sent within their windows, queued, sent again, acknowledged."""

import asyncio
from functools import partial

from bridge.broker.base import DownlinkListener
from bridge.broker.plugins import Plugins
from bridge.broker.session import Flight, Line, Session
from bridge.broker.settings import MqttSettings
from bridge.model.message import AcknowledgedBy
from bridge.mqtt import Properties, Puback, Pubcomp, Publish, Pubrec, Pubrel, ReasonCode, encode


class Outbound:
    """`listener` is set before the first connection."""

    listener: DownlinkListener

    def __init__(self, settings: MqttSettings, plugins: Plugins) -> None:
        self._plugins = plugins
        self._loop = asyncio.get_running_loop()
        self._settings = settings

    def forward(self, session: Session, publish: Publish, qos: int, expires: float, *, allowed: bool = False) -> None:
        """Owe the session a message between clients from now on. `expires`: loop time, 0 for never; `allowed`: topic
        plug-ins need not be asked."""
        topics = self._plugins.topics
        if topics is not None and not allowed and topics.decide(session.identity, publish.topic):
            forward = partial(self.forward, session, publish, qos, expires, allowed=True)
            topics.receive(session, publish.topic, len(publish.payload), forward)
            return
        line = session.line
        onward = Publish(publish.topic, publish.payload, qos, properties=_forwarded(publish.properties))
        if qos == 0:
            if line is not None and not line.congested:
                self.transmit(line, onward)
            elif line is not None:
                session.dropped += 1
        elif line is not None and not line.congested and not session.queue and self._room_between_clients(session):
            self._fly(line, session, onward)
        else:
            session.enqueue(onward, expires, self._settings.max_queued_messages, self._settings.max_queued_bytes)

    def transmit(self, line: Line, publish: Publish) -> bool:
        """False: larger than what the client takes. Between clients that counts as delivered [MQTT-3.1.2-25]."""
        if line.aliases is not None:
            return line.aliases.send(line, publish)
        data = encode(publish, line.version)
        if not line.fits(len(data)):
            return False
        line.write(data)
        return True

    def refill(self, session: Session) -> None:
        """The client took something: send what waits for it."""
        line = session.line
        if line is None or line.congested:
            return
        self._resend(line, session)
        now = self._loop.time()
        while session.queue and self._room_between_clients(session):
            queued = session.dequeue(now)
            if queued is not None:
                publish, expires = queued
                if expires:  # [MQTT-3.3.2-6]
                    publish.properties["message_expiry_interval"] = max(1, int(expires - now))
                self._fly(line, session, publish)
        # Half a window at a time: a page from the store rather than a row for each acknowledgement.
        if session.starved and len(session.flights) <= session.window // 2 and session.identity.device is not None:
            session.starved = False
            self.listener.writable(session.identity.device.key)
            if session.queue:  # what the backlog leaves
                self._loop.call_soon(self.refill, session)

    # Acknowledgements

    def puback(self, session: Session, packet: Puback) -> None:
        flight = session.flights.get(packet.packet_id)
        if flight is None:
            return
        if flight.qos != 1:
            _contradict(session, packet)
            return
        del session.flights[packet.packet_id]
        if flight.seq:
            self._acknowledged(session, flight.seq, packet)
        self.refill(session)

    def pubrec(self, line: Line, session: Session, packet: Pubrec) -> None:
        flight = session.flights.get(packet.packet_id)
        if flight is None:
            if packet.reason_code < 0x80:  # a refusal is the end of it [MQTT-4.3.3-4]
                line.send(Pubrel(packet.packet_id, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND))
            return
        if flight.qos != 2:
            _contradict(session, packet)
            return
        if packet.reason_code >= 0x80:  # [MQTT-4.3.3-4]
            del session.flights[packet.packet_id]
        else:
            line.send(Pubrel(packet.packet_id))
        if flight.seq and not flight.released:
            self._acknowledged(session, flight.seq, packet)
        flight.released = True
        flight.publish = None
        self.refill(session)

    def pubcomp(self, session: Session, packet: Pubcomp) -> None:
        flight = session.flights.get(packet.packet_id)
        if flight is None:
            return
        if not flight.released:
            _contradict(session, packet)
            return
        del session.flights[packet.packet_id]
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

    def _room_between_clients(self, session: Session) -> int:
        """While a device's backlog waits, messages between clients leave it the larger half of the window."""
        return max(0, session.room - (session.window + 1) // 2) if session.starved else session.room

    def _resend(self, line: Line, session: Session) -> None:
        """What an earlier connection left open, in the order of the first sending [MQTT-4.4.0-1] [MQTT-4.6.0-1]."""
        while session.unsent and len(session.flights) - len(session.unsent) < session.window:
            packet_id = session.unsent.popleft()
            flight = session.flights.get(packet_id)
            if flight is None:
                continue
            if flight.publish is None:
                line.send(Pubrel(packet_id))
            else:
                flight.publish.dup = True  # [MQTT-3.3.1-1]
                if not self.transmit(line, flight.publish):  # this connection takes less than the one before
                    del session.flights[packet_id]

    def _fly(self, line: Line, session: Session, publish: Publish) -> None:
        publish.packet_id = session.next_packet_id()
        if self.transmit(line, publish):
            session.flights[publish.packet_id] = Flight(publish, qos=publish.qos)


def _contradict(session: Session, packet: Puback | Pubrec | Pubcomp) -> None:
    """The message is there, and this is not what can be said of it: inconsistent with the state [MQTT5 1.2]."""
    if session.line is not None:
        message = f"{type(packet).__name__.upper()} for a message that waits for another acknowledgement"
        session.line.refuse(ReasonCode.PROTOCOL_ERROR, message, clause="MQTT5 4.3")


_FORWARDED = (
    "payload_format_indicator",
    "message_expiry_interval",
    "content_type",
    "response_topic",
    "correlation_data",
    "user_properties",
)
"""[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20]"""


def _forwarded(properties: Properties) -> Properties:
    """What a receiver is told of the sender's properties, unaltered and in order."""
    forwarded = Properties()
    for name in _FORWARDED:
        if name in properties:
            forwarded[name] = properties[name]  # type: ignore[literal-required]
    return forwarded
