"""One client's connection: what each packet from it means."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from bridge.broker import departure, explanations
from bridge.broker.aliases import OutboundAliases
from bridge.broker.authentication import Authentication
from bridge.broker.complaints import Complaint
from bridge.broker.departure import Departure
from bridge.broker.fitting import fitted
from bridge.broker.hub import Hub
from bridge.broker.inbound import Inbound
from bridge.broker.listeners import Listener
from bridge.broker.quota import Quota
from bridge.broker.recognition import Port, misplaced
from bridge.broker.session import Aliases, Session
from bridge.broker.wire import Wire
from bridge.model.message import AcknowledgedBy
from bridge.mqtt import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    PacketType,
    Pingreq,
    Pingresp,
    Properties,
    ProtocolError,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ReasonCode,
    Subscribe,
    Unsubscribe,
    Version,
    encode,
    is_allowed,
    return_code,
)

_KEEP_ALIVE_FACTOR = 1.5
"""[MQTT-3.1.2-22]"""


class Link(Wire):
    """`session` is None until a CONNECT is accepted, and again when the session is taken away from this connection."""

    __slots__ = (
        "_explains",
        "_held",
        "_holds",
        "_hub",
        "_inbound",
        "_look",
        "_opened",
        "_particular",
        "_patience",
        "_quota",
        "_refused",
        "_sent",
        "aliases",
        "authentication",
        "listener",
        "max_packet_size",
        "session",
        "user",
    )

    def __init__(self, hub: Hub, listener: Listener) -> None:
        super().__init__(hub.wheel, hub.turns, listener.max_packet_size)
        self._hub = hub
        self.listener = listener
        self._opened = hub.wheel.now
        self._patience = 0
        self._look = 0
        self._holds = 0
        self._held: deque[Packet] | None = None
        self._sent: list[int] = []
        self._inbound = Inbound(hub, self)
        self._quota: Quota | None = None
        self._refused = False
        self._explains = True
        self._particular = not hub.settings.reason_strings
        """Not every packet that can be encoded may be sent."""
        self.aliases: Aliases | None = None
        self.authentication: Authentication | None = None
        self.session: Session | None = None
        self.user = ""
        """The user name of its CONNECT."""
        self.max_packet_size = 0
        """The client's; 0 for no limit."""

    # Wire

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.watch(self.listener.connect_timeout)
        self._hub.opened(self)

    def received(self, packet: Packet) -> None:
        if self._held is not None:
            self._held.append(packet)
        elif self.session is not None:
            _HANDLERS[type(packet)](self, self.session, packet)  # [MQTT-3.3.4-10] [MQTT-4.9.0-3]
        else:
            self._greet(packet)

    def _greet(self, packet: Packet) -> None:
        """Before the CONNECT is accepted."""
        if self.authentication is not None:
            self.authentication.received(packet)
        else:
            self._connect(packet)

    def failed(self, error: ProtocolError, data: bytes) -> None:
        elsewhere = misplaced(data, Port.PLAIN) if self._decoder.version is None else ""
        clause = "" if elsewhere else error.clause
        self.refuse(error.reason_code, elsewhere or error.message, clause=clause)

    def lost(self, error: Exception | None) -> None:
        self._hub.closed(self)
        self._wheel.forget(self, self._look)
        self._wheel.forget(self, self.linger)
        self._hear_out()
        self._depart(departure.by_loss(error, ended=self.ended))

    def _hear_out(self) -> None:
        """A client that sends and leaves is still heard, its DISCONNECT above all."""
        held, self._held = self._held, None
        for packet in held or ():
            if self.session is not None:
                _HANDLERS[type(packet)](self, self.session, packet)

    def drained(self) -> None:
        if self.session is not None:
            self._hub.outbound.refill(self.session)

    def written(self) -> None:
        """QoS 0: written to the live connection is all there will ever be to know."""
        if self._sent and self.session is not None and self.session.identity.device is not None:
            sent, self._sent = self._sent, []
            for seq in sent:
                self._hub.listener.acknowledged(
                    self.session.identity.device.key, seq, AcknowledgedBy.SENT, ReasonCode.SUCCESS, None
                )

    def due(self, now: int) -> int:
        """The client was silent for too long, or did not take its last bytes [MQTT-3.1.2-22]."""
        if self.closing:
            return super().due(now)
        if not self._patience or self._look > now:
            return 0
        # A CONNECT may not trickle in; and who is not read is not silent.
        since = self._opened if self.session is None else now if self._holds else self.seen
        self._look = since + self._patience
        if now < self._look:
            return self._look
        if self.session is None and self._holds:
            self.refuse(ReasonCode.SERVER_UNAVAILABLE, "the login could not be finished in time")
        elif self.session is None:
            missing = "TLS handshake" if self.listener.tls is not None and not self.secure else "CONNECT"
            self.refuse(ReasonCode.KEEP_ALIVE_TIMEOUT, f"no {missing} in time", answer=False)
        else:
            self.refuse(ReasonCode.KEEP_ALIVE_TIMEOUT, "keep-alive expired", clause="MQTT-3.1.2-22")
        return 0

    # for the hub

    def watch(self, seconds: float) -> None:
        """Close the connection when the client is silent for so long; 0: never."""
        self._patience = self._wheel.ticks(seconds) if seconds else 0
        look = self.seen + self._patience
        if self._patience and not 0 < self._look <= look:
            self._look = look
            self._wheel.watch(self, look)

    def secured(self) -> None:
        """The TLS handshake is over; the CONNECT has its own time."""
        self._opened = self._wheel.now

    def begin(self, session: Session, connect: Connect, keep_alive: int) -> None:
        """The CONNECT is accepted; from now on this is the session's connection."""
        self.session = session
        rate = self._hub.limits.of(session.identity).publish_rate
        self._quota = Quota(rate) if rate else None
        aliases = min(connect.properties.get("topic_alias_maximum", 0), self._hub.settings.topic_alias_maximum)
        if aliases:  # [MQTT-3.1.2-26] [MQTT-3.1.2-27]
            self.aliases = OutboundAliases(aliases)
        self.watch(keep_alive * _KEEP_ALIVE_FACTOR)
        if not keep_alive:
            self.probe(self._hub.settings.max_keep_alive)

    def hold(self) -> None:
        """Keep what the client sends until `release`."""
        self._holds += 1
        if self._held is None:
            self._held = deque()
            self.pause_reading()

    def release(self) -> None:
        """What it sent is handled in order, up to a packet for which it is held again. It was not silent."""
        self._holds -= 1
        self.seen = self._wheel.now
        while self._held and not (self._holds or self.closing):
            packet = self._held.popleft()
            if self.session is not None:
                _HANDLERS[type(packet)](self, self.session, packet)
            else:
                self._greet(packet)
        if not self._holds:
            self._held = None
            self.resume_reading()

    def resume_reading(self) -> None:
        if self._held is None:
            super().resume_reading()

    def send(self, packet: Packet) -> None:
        if self._particular:
            self._send_fitting(packet)
        else:
            self.write(encode(packet, self.version))

    def confirm_when_written(self, seq: int) -> None:
        self._sent.append(seq)

    def fits(self, size: int) -> bool:
        """[MQTT-3.1.2-24]"""
        return not self.max_packet_size or size <= self.max_packet_size

    def refuse(
        self, reason: ReasonCode, message: str, *, client: str = "-", answer: bool = True, clause: str = ""
    ) -> None:
        """End the connection for a reason: CONNACK before the CONNECT is accepted, DISCONNECT afterwards, where the
        version has one."""
        why = explanations.of_end(reason, message, clause)
        if self.session is not None:
            self._end(reason, why, departure.by_us(reason, message, clause))
            return
        if not self._refused:
            self._refused = True
            self.complain("connection refused", reason, message, client=client, clause=clause)
        self.hang_up(linger=answer and self._refuse_connect(reason, why))

    def refuse_transport(self, title: str, message: str) -> None:
        """End a connection that does not get as far as MQTT."""
        self.complain(title, None, message)
        self.hang_up()

    def complain(
        self, title: str, code: int | None, message: str, *, client: str = "-", clause: str = "", **more: object
    ) -> None:
        """Log that something of the client is refused, if it is not one line too many. `more`: further keys."""
        client = self.session.client_id if self.session is not None else client
        user, listener = self.user or "-", self.listener.name
        self._hub.complaints.tell(Complaint(title, client, user, self.peer, listener, code, message, clause, more))

    def end(self, reason: ReasonCode, message: str = "") -> None:
        """Close, and say why where the version can [MQTT-4.13.1-1]."""
        self._end(reason, Properties(), departure.by_us(reason, message))

    def left(self, message: str) -> None:
        """The client has closed the connection in the way of what carries it, which is a WebSocket."""
        self.hang_up()
        self._depart(Departure(message))

    def _end(self, reason: ReasonCode, why: Properties, leaving: Departure) -> None:
        if self.session is not None and self.version is Version.V5:
            sayable = is_allowed(reason, PacketType.DISCONNECT)
            code = reason if sayable else _IN_OTHER_WORDS.get(reason, ReasonCode.PROTOCOL_ERROR)
            self.send(Disconnect(code, why))
        self.hang_up()
        self._depart(leaving)

    def _depart(self, leaving: Departure) -> None:
        """The session goes on, or ends, without this connection."""
        session = self.session
        if session is None:
            return
        if leaving.refusal:
            self.complain("client disconnected", leaving.code, leaving.reason, clause=leaving.clause)
        else:
            departure.tell(self, session, leaving)
        self._hub.sessions.detach(self, normal=leaving.normal)

    def _refuse_connect(self, reason: ReasonCode, why: Properties) -> bool:
        """Whether there is an answer to be read."""
        level = self._decoder.version or self._decoder.requested_level
        if level is None:
            return False  # nothing that looks like a CONNECT gets an answer [MQTT-3.1.4-1]
        self.version = Version.V5 if level >= Version.V5 else Version.V311
        code = reason if self.version is Version.V5 else return_code(reason)  # [MQTT3-3.1.2-2]
        sayable = self.version is Version.V5 or reason not in _NO_RETURN_CODE  # [MQTT3-3.1.4-1]
        if sayable:
            self.send(Connack(False, code, why))
        return sayable

    def _send_fitting(self, packet: Packet) -> None:
        """An answer that is too large, whatever is left out, cannot be given, and without it the client is lost."""
        explains = self._hub.settings.reason_strings
        data = fitted(packet, self.version, self.max_packet_size, explains=explains, wanted=self._explains)
        if self.fits(len(data)):
            self.write(data)
            return
        message = f"{type(packet).__name__.upper()} of {len(data):,} bytes is larger than the client takes"
        if isinstance(packet, Connack):
            self.hang_up()  # and without it no DISCONNECT may be sent [MQTT-3.14.0-1]
            self._depart(departure.by_us(ReasonCode.PACKET_TOO_LARGE, message, "MQTT-3.1.2-24"))
        elif self.session is not None and not isinstance(packet, Disconnect):
            self.refuse(ReasonCode.PACKET_TOO_LARGE, message, clause="MQTT-3.1.2-24")

    # Packets of a client

    def _connect(self, packet: Packet) -> None:
        assert isinstance(packet, Connect)  # noqa: S101  the decoder lets nothing else come first
        self.version = packet.version
        self.user = packet.username or ""
        if packet.properties:
            self.max_packet_size = packet.properties.get("maximum_packet_size", 0)
            self._explains = packet.properties.get("request_problem_information", 1) != 0
            self._particular = self._particular or self.max_packet_size > 0 or not self._explains
        self._hub.handshake.begin(self, packet)

    def _auth(self, session: Session, packet: Auth) -> None:
        if self.authentication is None:  # [MQTT-4.12.0-7]
            self._unexpected(session, packet)
        else:
            self.authentication.received(packet)

    def _unexpected(self, session: Session, packet: Packet) -> None:
        # [MQTT-3.1.0-2] a second CONNECT; AUTH without a method [MQTT-4.12.0-7] [MQTT-3.2.0-2]
        clause = "MQTT-3.1.0-2" if isinstance(packet, Connect) else "MQTT-4.12.0-7"
        self.refuse(ReasonCode.PROTOCOL_ERROR, f"{type(packet).__name__.upper()} not allowed now", clause=clause)

    def _publish(self, session: Session, packet: Publish) -> None:
        self._inbound.publish(session, packet)
        if self._quota is not None:
            loop = asyncio.get_running_loop()
            wait = self._quota.take(loop.time())
            if wait:
                self.hold()
                loop.call_later(wait, self._go_on)

    def _go_on(self) -> None:
        """What the client sent while it was not read is read now."""
        if not self.closing:
            self.release()

    def _pubrel(self, session: Session, packet: Pubrel) -> None:
        self._inbound.pubrel(session, packet)

    def _puback(self, session: Session, packet: Puback) -> None:
        self._hub.outbound.puback(session, packet)

    def _pubrec(self, session: Session, packet: Pubrec) -> None:
        self._hub.outbound.pubrec(self, session, packet)

    def _pubcomp(self, session: Session, packet: Pubcomp) -> None:
        self._hub.outbound.pubcomp(session, packet)

    def _subscribe(self, session: Session, packet: Subscribe) -> None:
        in_use = self._inbound.holds(session, packet.packet_id)
        self._hub.subscribing.subscribe(self, session, packet, in_use=in_use)

    def _unsubscribe(self, session: Session, packet: Unsubscribe) -> None:
        in_use = self._inbound.holds(session, packet.packet_id)
        self._hub.subscribing.unsubscribe(self, session, packet, in_use=in_use)

    def _pingreq(self, session: Session, packet: Pingreq) -> None:
        self.send(Pingresp())  # [MQTT-3.12.4-1]

    def _disconnect(self, session: Session, packet: Disconnect) -> None:
        expiry = packet.properties.get("session_expiry_interval")
        if expiry is not None:
            if expiry and not session.expiry:  # [MQTT-3.14.2.2.2]
                message = "session expiry set in DISCONNECT though it was 0 in CONNECT"
                self.refuse(ReasonCode.PROTOCOL_ERROR, message, clause="MQTT5 3.14.2.2.2")
                return
            session.expiry = min(expiry, self._hub.settings.max_session_expiry)
        self.hang_up()
        self._depart(departure.by_client(packet))


_IN_OTHER_WORDS = {ReasonCode.SERVER_UNAVAILABLE: ReasonCode.SERVER_BUSY}
"""What DISCONNECT says instead of a reason that only CONNACK has."""

_NO_RETURN_CODE = frozenset(
    (ReasonCode.MALFORMED_PACKET, ReasonCode.PROTOCOL_ERROR, ReasonCode.PACKET_TOO_LARGE, ReasonCode.KEEP_ALIVE_TIMEOUT)
)
"""Before 5, a CONNECT that breaks the protocol is not answered [MQTT-3.1.4-1]."""

_HANDLERS: dict[type, Callable[[Link, Session, Any], None]] = {
    Auth: Link._auth,
    Connect: Link._unexpected,
    Disconnect: Link._disconnect,
    Pingreq: Link._pingreq,
    Puback: Link._puback,
    Pubcomp: Link._pubcomp,
    Publish: Link._publish,
    Pubrec: Link._pubrec,
    Pubrel: Link._pubrel,
    Subscribe: Link._subscribe,
    Unsubscribe: Link._unsubscribe,
}
