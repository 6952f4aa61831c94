"""What MQTT 5 and 3.1.1 demand of a server towards a few clients; slow, and simple on purpose.

It shares nothing with the broker but the packets. Whatever the standard leaves open is decided as the README promises:
overlapping subscriptions bring one copy, QoS 0 is not kept for a client that is away, what is shared goes to a member
that can take it now.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bridge.mqtt import (
    Connack,
    Disconnect,
    Packet,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ReasonCode,
    Suback,
    Subscription,
    Unsuback,
    Version,
    Will,
)

RECEIVE_MAXIMUM = 3
"""What the server announces."""
MAX_INFLIGHT = 4
"""What the server sends at once to a client that names no maximum of its own, or a larger one."""
ALIAS_MAXIMUM = 2
"""Topic aliases that the server takes."""
V5 = Version.V5


@dataclass
class Wanted(Subscription):
    """A subscription, and the Subscription Identifier it came with; 0 for none."""

    identifier: int = 0

    @property
    def share(self) -> str:
        """`$share/name/…` itself, if it is one."""
        return self.filter if self.filter.startswith("$share/") else ""

    @property
    def topics(self) -> str:
        return self.filter.split("/", 2)[2] if self.share else self.filter


@dataclass(frozen=True)
class Message:
    """One copy, for one session."""

    topic: str
    payload: bytes
    qos: int
    retain: bool = False
    identifiers: tuple[int, ...] = ()
    share: str = ""

    def packet(self, packet_id: int = 0, *, dup: bool = False) -> Publish:
        properties = Properties(subscription_identifiers=list(self.identifiers)) if self.identifiers else Properties()
        return Publish(self.topic, self.payload, self.qos, self.retain, dup, packet_id, properties)


@dataclass(eq=False)
class Flight:
    message: Message
    packet_id: int = 0
    """0 until it was seen."""
    released: bool = False


@dataclass(eq=False)
class Session:
    client_id: str
    kept: bool = False
    """Whether it outlives its connection."""
    will: Will | None = None
    line: "Line | None" = None
    subscriptions: dict[str, Wanted] = field(default_factory=dict)
    flights: list[Flight] = field(default_factory=list)
    queue: list[Message] = field(default_factory=list)
    incoming: set[int] = field(default_factory=set)
    """Packet identifiers of QoS 2 messages that the client has not released."""

    @property
    def room(self) -> int:
        assert self.line is not None
        return max(0, self.line.window - len(self.flights))

    @property
    def ready(self) -> bool:
        return self.line is not None and not self.queue and self.room > 0

    def flight(self, packet_id: int) -> Flight | None:
        return next((flight for flight in self.flights if flight.packet_id == packet_id), None)


@dataclass(eq=False)
class Line:
    """A connection, with what it must bring next and has not brought yet."""

    session: Session
    version: Version
    window: int
    expected: list[Packet] = field(default_factory=list)
    started: list[Flight] = field(default_factory=list)
    """Those among the expected that come for the first time, under an identifier that the server chooses."""
    unsent: list[Flight] = field(default_factory=list)
    """Of an earlier connection, not sent again on this one."""
    open: set[int] = field(default_factory=set)
    """QoS 2 messages that came on this connection and are not complete."""
    resumed: bool = False
    """The session was there before the connection."""
    aliases: dict[int, str] = field(default_factory=dict)
    over: bool = False

    def must(self, packet: Packet) -> None:
        self.expected.append(packet)


@dataclass
class Choice:
    """A message of a shared subscription that exactly one of these sessions gets."""

    copies: list[tuple[Session, Message]]


class Model:
    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, tuple[bytes, int, str]] = {}
        """Topic → payload, QoS, client identifier of the sender."""
        self.choices: list[Choice] = []

    # Connections

    def connect(
        self, client_id: str, version: Version, *, clean: bool, kept: bool, receive_maximum: int, will: Will | None
    ) -> Line:
        """`receive_maximum`: 0 for none."""
        before = self.sessions.get(client_id)
        if before is not None and before.line is not None:  # [MQTT-3.1.4-3]
            self.end(before.line, ReasonCode.SESSION_TAKEN_OVER)
        before = self.sessions.get(client_id)
        if before is not None and clean:  # [MQTT-3.1.2-4]
            self._discard(before)
            before = None
        session = before or Session(client_id)
        self.sessions[client_id] = session
        session.kept, session.will = kept, will
        line = session.line = Line(session, version, min(receive_maximum or 0xFFFF, MAX_INFLIGHT))
        line.resumed = before is not None
        line.must(Connack(before is not None, 0))  # [MQTT-3.2.2-2] [MQTT-3.2.2-3]
        line.unsent = list(session.flights)
        self._refill(session)
        return line

    def disconnect(self, line: Line, reason: int = 0, expiry: int | None = None) -> None:
        if expiry and not line.session.kept:  # [MQTT5 3.14.2.2.2]
            self.end(line, ReasonCode.PROTOCOL_ERROR)
            return
        if expiry is not None:
            line.session.kept = expiry > 0
        self._lost(line, normal=reason == 0)  # [MQTT-3.14.4-3]

    def cut(self, line: Line) -> None:
        self._lost(line, normal=False)

    def end(self, line: Line, reason: ReasonCode) -> None:
        """The server closes the connection and says why, where it can [MQTT-4.13.1-1]."""
        if line.version is V5:
            line.must(Disconnect(reason))
        self._lost(line, normal=False)

    def _lost(self, line: Line, *, normal: bool) -> None:
        session = line.session
        line.over, session.line = True, None
        will, session.will = session.will, None
        for share in [each for each in session.subscriptions if each.startswith("$share/")]:
            if any(other.line for other in self._members(share)):  # [MQTT5 4.8.2] as soon as the connection is lost
                self._pass_on(session, share)
        if not session.kept:
            self._discard(session)
        if will is not None and not normal:  # [MQTT-3.1.2-8] [MQTT-3.1.2-10]
            self._keep(will.topic, will.payload, will.qos, will.retain, session.client_id)
            self._route(will.topic, will.payload, will.qos, will.retain, session.client_id)

    def _discard(self, session: Session) -> None:
        del self.sessions[session.client_id]
        for share in {flight.message.share for flight in session.flights} | {each.share for each in session.queue}:
            if share:
                self._pass_on(session, share)

    def _pass_on(self, session: Session, share: str) -> None:
        """What the session did not acknowledge goes to another member, but not what it may have at QoS 2
        [MQTT-4.8.2-4] [MQTT-4.8.2-5]."""
        flying = [each for each in session.flights if each.message.share == share and each.message.qos == 1]
        waiting = [each for each in session.queue if each.share == share]
        session.flights = [each for each in session.flights if each not in flying]
        session.queue = [each for each in session.queue if each.share != share]
        for message in [flight.message for flight in flying] + waiting:
            self._share_out(share, message.topic, message.payload, message.qos, message.retain, besides=session)

    # What a client publishes

    def publish(self, line: Line, publish: Publish) -> None:
        session, v5, packet_id = line.session, line.version is V5, publish.packet_id
        topic = self._topic(line, publish)
        if not topic:
            return
        if v5 and publish.qos and len(line.open) >= RECEIVE_MAXIMUM and packet_id not in line.open:
            self.end(line, ReasonCode.RECEIVE_MAXIMUM_EXCEEDED)  # [MQTT-3.3.4-7]
            return
        if publish.qos == 2:
            line.open.add(packet_id)
            if packet_id in session.incoming:  # [MQTT-4.3.3-10]
                line.must(Pubrec(packet_id))
                return
            session.incoming.add(packet_id)
        if publish.retain:
            self._keep(topic, publish.payload, publish.qos, True, session.client_id)
        reached = self._route(topic, publish.payload, publish.qos, publish.retain, session.client_id)
        reason = ReasonCode.NO_MATCHING_SUBSCRIBERS if v5 and not reached else ReasonCode.SUCCESS
        if publish.qos:
            line.must((Puback if publish.qos == 1 else Pubrec)(packet_id, reason))

    def _topic(self, line: Line, publish: Publish) -> str:
        """Empty: that was no topic, and the connection is over."""
        alias = publish.properties.get("topic_alias")
        if alias is None:
            return publish.topic
        if alias > ALIAS_MAXIMUM:  # [MQTT-3.3.2-9]
            self.end(line, ReasonCode.TOPIC_ALIAS_INVALID)
            return ""
        if publish.topic:
            line.aliases[alias] = publish.topic
        elif alias not in line.aliases:
            self.end(line, ReasonCode.PROTOCOL_ERROR)
        return line.aliases.get(alias, "")

    def pubrel(self, line: Line, packet_id: int) -> None:
        known = packet_id in line.session.incoming
        line.session.incoming.discard(packet_id)
        line.open.discard(packet_id)
        unknown = line.version is V5 and not (known or line.resumed)  # [MQTT-4.4.0-1]
        line.must(Pubcomp(packet_id, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND if unknown else 0))

    def _keep(self, topic: str, payload: bytes, qos: int, retain: bool, sender: str) -> None:
        if retain and payload:  # [MQTT-3.3.1-5]
            self.retained[topic] = (payload, qos, sender)
        elif retain:  # [MQTT-3.3.1-6]
            self.retained.pop(topic, None)

    # Who gets it

    def _route(self, topic: str, payload: bytes, qos: int, retain: bool, sender: str) -> bool:
        """Whether there is a subscription that matches."""
        reached = False
        for session in list(self.sessions.values()):
            matching = [
                each for each in session.subscriptions.values() if not each.share and is_match(each.filter, topic)
            ]
            reached = reached or bool(matching)
            found = [each for each in matching if not (each.no_local and session.client_id == sender)]  # [MQTT-3.8.3-3]
            if found:
                as_published = any(each.retain_as_published for each in found)  # [MQTT-3.3.1-12] [MQTT-3.3.1-13]
                granted = max(each.qos for each in found)  # [MQTT-3.3.4-2]
                identifiers = tuple(sorted(each.identifier for each in found if each.identifier))  # [MQTT-3.3.4-4]
                self._owe(session, Message(topic, payload, min(qos, granted), retain and as_published, identifiers))
        for share in self.shares_of(topic):
            reached = True
            self._share_out(share, topic, payload, qos, retain)
        return reached

    def shares_of(self, topic: str) -> list[str]:
        found = {
            each.filter: None
            for session in self.sessions.values()
            for each in session.subscriptions.values()
            if each.share and is_match(each.topics, topic)
        }
        return list(found)

    def takers(self, share: str, qos: int, besides: Session | None = None) -> list[Session]:
        """Those of whom exactly one gets a message [MQTT-4.8.2-1..3]."""
        members = [each for each in self._members(share) if each is not besides]
        connected = [each for each in members if each.line is not None]
        away = [each for each in members if qos and each.subscriptions[share].qos]
        return [each for each in connected if each.ready] or connected or away

    def _share_out(
        self, share: str, topic: str, payload: bytes, qos: int, retain: bool, besides: Session | None = None
    ) -> None:
        copies = []
        for session in self.takers(share, qos, besides):
            wanted = session.subscriptions[share]
            identifiers = (wanted.identifier,) if wanted.identifier else ()
            as_published = retain and wanted.retain_as_published
            copies.append((session, Message(topic, payload, min(qos, wanted.qos), as_published, identifiers, share)))
        if len(copies) == 1:
            self._owe(*copies[0])
        elif copies:
            self.choices.append(Choice(copies))

    def chosen(self, choice: Choice, client_id: str) -> None:
        """The message went to that one."""
        self.choices.remove(choice)
        for session, message in choice.copies:
            if session.client_id == client_id:
                self._owe(session, message)

    def _members(self, share: str) -> list[Session]:
        return [session for session in self.sessions.values() if share in session.subscriptions]

    # What a client is owed

    def _owe(self, session: Session, message: Message) -> None:
        if message.qos == 0:
            if session.line is not None:
                session.line.must(message.packet())
        elif session.ready:
            self._fly(session, message)
        else:
            session.queue.append(message)

    def _fly(self, session: Session, message: Message) -> None:
        assert session.line is not None
        flight = Flight(message)
        session.flights.append(flight)
        session.line.started.append(flight)

    def _refill(self, session: Session) -> None:
        """In the order of the first sending [MQTT-4.4.0-1] [MQTT-4.6.0-1], within the window [MQTT-3.3.4-9]."""
        line = session.line
        assert line is not None
        while line.unsent and len(session.flights) - len(line.unsent) < line.window:
            flight = line.unsent.pop(0)
            again = flight.message.packet(flight.packet_id, dup=True)  # [MQTT-3.3.1-1]
            line.must(Pubrel(flight.packet_id) if flight.released else again)
        while session.queue and session.room:
            self._fly(session, session.queue.pop(0))

    def acknowledge(self, line: Line, packet: Puback | Pubrec | Pubcomp) -> None:
        session = line.session
        flight = session.flight(packet.packet_id)
        if flight is None:
            if isinstance(packet, Pubrec) and packet.reason_code < 0x80:
                reason = ReasonCode.PACKET_IDENTIFIER_NOT_FOUND if line.version is V5 else 0
                line.must(Pubrel(packet.packet_id, reason))
            return
        if not self._fits(packet, flight):
            self.end(line, ReasonCode.PROTOCOL_ERROR)
            return
        if isinstance(packet, Pubrec) and packet.reason_code < 0x80:
            flight.released = True
            line.must(Pubrel(packet.packet_id))
        else:
            session.flights.remove(flight)
        self._refill(session)

    @staticmethod
    def _fits(packet: Puback | Pubrec | Pubcomp, flight: Flight) -> bool:
        """Whether the acknowledgement is one that the message can get."""
        if isinstance(packet, Puback):
            return flight.message.qos == 1
        return flight.message.qos == 2 and (isinstance(packet, Pubrec) or flight.released)

    # Subscriptions

    def subscribe(self, line: Line, packet_id: int, asked: Iterable[Wanted]) -> None:
        session, codes, fed = line.session, [], []
        for wanted in asked:
            new = wanted.filter not in session.subscriptions
            session.subscriptions[wanted.filter] = wanted  # [MQTT-3.8.4-3]
            codes.append(wanted.qos)
            handling = wanted.retain_handling
            if not wanted.share and (handling == 0 or (handling == 1 and new)):  # [MQTT-3.3.1-9..11]
                fed.append(wanted)
        line.must(Suback(packet_id, codes))
        for wanted in fed:
            for message in self.retained_for(session, wanted):
                self._owe(session, message)

    def retained_for(self, session: Session, wanted: Wanted) -> list[Message]:
        identifiers = (wanted.identifier,) if wanted.identifier else ()
        return [
            Message(topic, payload, min(qos, wanted.qos), True, identifiers)  # [MQTT-3.3.1-8]
            for topic, (payload, qos, sender) in self.retained.items()
            if is_match(wanted.filter, topic) and not (wanted.no_local and sender == session.client_id)
        ]

    def unsubscribe(self, line: Line, packet_id: int, filters: Iterable[str]) -> None:
        session = line.session
        known = [session.subscriptions.pop(each, None) is not None for each in filters]
        absent = ReasonCode.NO_SUBSCRIPTION_EXISTED
        line.must(Unsuback(packet_id, [0 if each else absent for each in known] if line.version is V5 else []))


def is_match(topic_filter: str, topic: str) -> bool:
    """[MQTT5 4.7] for topics that do not begin with $."""
    levels, names = topic_filter.split("/"), topic.split("/")
    for index, level in enumerate(levels):
        if level == "#":
            return True
        if index >= len(names) or level not in ("+", names[index]):
            return False
    return len(levels) == len(names)
