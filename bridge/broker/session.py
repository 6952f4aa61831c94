"""A session: what a client and this server owe each other, whether the client is connected or not [MQTT-3.1.2.4]."""

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from bridge.broker.flight import Flight, Queued, take
from bridge.broker.grant import UNASKED, Grant
from bridge.broker.identity import Identity
from bridge.broker.keeping import weight
from bridge.broker.kept import KeptState
from bridge.broker.listeners import Listener
from bridge.model.topics import is_system_downlink
from bridge.mqtt import Connect, Packet, Publish, ReasonCode, Version, Will, matches

if TYPE_CHECKING:
    import ssl

    from bridge.broker.authentication import Authentication
    from bridge.broker.plugin_session import PluginSession


_NONE: "deque[Any]" = deque(maxlen=0)
"""An empty deque takes 600 bytes, and most sessions have nothing that waits."""
MOST_RESERVED = 1024
"""Packet identifiers of messages that were cancelled or expired on their way, remembered for a client."""
PAGE = 64
"""Messages that wait in memory for the client of a session that is kept; more wait in the store."""


class Absence(Protocol):
    """A look at the session that the wheel will take while its client is away."""

    tick: int

    def due(self, now: int) -> int:
        """(`bridge.broker.wheel.Timed`)"""


class Aliases(Protocol):
    """`bridge.broker.aliases` has the one there is."""

    def send(self, line: "Line", publish: Publish, packet_id: int = 0) -> bool:
        """False: larger than what the client takes. `packet_id`: if it is not in `publish`."""


class Feed(Protocol):
    """Retained messages on their way to a session."""

    def go_on(self) -> None:
        """Send what the connection takes now."""


class Shared(Protocol):
    """A shared subscription as its members see it; `bridge.broker.shared` has the one there is."""

    filter: str

    @property
    def connected(self) -> bool:
        """Whether a member is connected."""

    def place(self, session: "Session") -> None:
        """The connection of the member, or its window, is another than before."""


class Line(Protocol):
    """A live connection, as sessions use it; `bridge.broker.link` is the one there is."""

    session: "Session | None"
    listener: Listener
    """Where it came in."""
    version: Version
    congested: bool
    """The client does not read what it is sent."""
    aliases: "Aliases | None"
    """Of topics towards the client, if it allows any."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the client's certificate, in lower-case hexadecimal digits; empty when it showed none."""

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""

    @property
    def ssl_object(self) -> "ssl.SSLObject | None":
        """The TLS connection, if it is one."""

    authentication: "Authentication | None"
    """What the client that named an authentication method in its CONNECT exchanges."""

    @property
    def descriptor(self) -> int:
        """The number of its file descriptor; -1 when it has none any more."""

    def abort(self) -> None:
        """Cut the connection off."""

    def begin(self, session: "Session", connect: Connect, keep_alive: int) -> None:
        """The CONNECT is accepted; from now on this is the session's connection."""

    def send(self, packet: Packet) -> None: ...

    def write(self, data: bytes) -> None: ...

    def fits(self, size: int) -> bool:
        """Whether the client takes packets of that size [MQTT-3.1.2-24]."""

    def confirm_when_written(self, seq: int) -> None:
        """QoS 0: report the Downlink as acknowledged once it is written."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def hold(self) -> None:
        """Keep what the client sends until `release`; who holds it twice releases it twice."""

    def release(self) -> None: ...

    @property
    def closing(self) -> bool: ...

    @property
    def peer(self) -> str: ...

    def refuse(
        self, reason: ReasonCode, message: str, *, client: str = "-", answer: bool = True, clause: str = ""
    ) -> None:
        """End the connection for a reason that is logged, and told where the version can. `client`: the identifier it
        asked for, as long as it has no session. `clause`: what it broke, if it broke the standard."""

    def complain(self, title: str, code: int | None, message: str, **more: Any) -> None:
        """Log that something of the client is refused."""

    def end(self, reason: ReasonCode, message: str = "") -> None: ...

    def close(self) -> None: ...


class Session:
    """`line` is the live connection, None while the client is away."""

    __slots__ = (
        "absence",
        "client_id",
        "dropped",
        "ended",
        "expendable",
        "expiry",
        "expiry_tick",
        "feed",
        "flights",
        "identity",
        "incoming",
        "kept",
        "landed",
        "line",
        "packet_id",
        "plugin_session",
        "queue",
        "queued",
        "queued_bytes",
        "releasing",
        "reserved",
        "resumed",
        "shares",
        "starved",
        "storing",
        "subscriptions",
        "unsent",
        "will",
        "will_tick",
        "window",
    )

    def __init__(self, client_id: str, identity: Identity) -> None:
        self.client_id = client_id
        self.identity = identity
        self.line: Line | None = None
        self.kept: KeptState | None = None
        """What the store knows of it; None: nothing, it ends with its connection or with the daemon."""
        self.subscriptions: dict[str, Grant] = {}
        """By topic filter, `$share/name/` included."""
        self.shares: tuple[Shared, ...] = ()
        """The shared subscriptions among them."""
        self.flights: dict[int, Flight] = {}
        """By packet identifier, in the order in which they were sent [MQTT-4.6.0-1]."""
        self.unsent: deque[tuple[int, Flight]] = _NONE
        """What is to leave on this connection next, in order, each with its packet identifier, 0 at QoS 0: flights of
        an earlier connection, and behind one that is `held` everything else."""
        self.releasing: deque[tuple[int, Flight]] = _NONE
        """Flights whose PUBREL leaves when that they are released is durable, in the order of the PUBRECs."""
        self.incoming: set[int] = set()
        """Packet identifiers of QoS 2 messages from the client that it has not released [MQTT-4.3.3-10]."""
        self.storing: dict[int, Line] = {}
        """Those of them that are not durable yet, each with the connection it came on."""
        self.queue: deque[Queued] = _NONE
        self.queued = 0
        """Messages that wait, those that wait in the store alone included."""
        self.queued_bytes = 0
        self.expendable = 0
        """Those of them at QoS 0."""
        self.dropped = 0
        self.landed: dict[int, int] = {}
        """`Downlink.seq` of what an earlier connection has sent and not settled → its packet identifier."""
        self.reserved: dict[int, int] = {}
        """Those packet identifiers → QoS: the client may know them still."""
        self.resumed = False
        """It was there before its present connection."""
        self.ended = False
        """It is no more. Who still holds it has nothing to send to it."""
        self.packet_id = 0
        self.window = 1
        """Flights allowed at once: the smaller of the client's Receive Maximum and ours."""
        self.expiry = 0
        """Seconds the session outlives its connection."""
        self.expiry_tick = 0
        self.absence: Absence | None = None
        self.feed: Feed | None = None
        """Retained messages that were not sent yet."""
        self.will: Will | None = None
        self.will_tick = 0
        """When the will is due; 0 while the client is connected."""
        self.plugin_session: PluginSession | None = None
        """The client as plug-ins know it; None until one has to."""
        self.starved = False
        """Delivery has more for this device and was told to wait."""

    @property
    def room(self) -> int:
        """How many more messages may be on their way to the client [MQTT-3.3.4-9]."""
        return max(0, self.window - len(self.flights))

    @property
    def room_between_clients(self) -> int:
        """While a device's backlog waits, messages between clients leave it the larger half of the window."""
        room = self.window - len(self.flights)
        return max(0, room - (self.window + 1) // 2 if self.starved else room)

    @property
    def ready(self) -> bool:
        """A message between clients can be sent to the client now: nothing waits before it."""
        line = self.line
        return line is not None and not (line.congested or self.anything_waits) and self.room_between_clients > 0

    @property
    def anything_waits(self) -> bool:
        """In memory, or in the store."""
        return bool(self.queue) or (self.kept is not None and self.kept.behind)

    @property
    def holds_back(self) -> bool:
        """Something that is to be sent waits for the disk, and what comes behind it waits, too."""
        return bool(self.unsent) and self.unsent[0][1].held

    def send_again(self) -> None:
        """There is a new connection: what is in flight is unsent on it."""
        self.unsent = deque(self.flights.items()) if self.flights else _NONE
        for flight in self.flights.values():
            flight.data = None

    def line_up(self, packet_id: int, flight: Flight) -> None:
        """It leaves behind what is unsent."""
        if self.unsent is _NONE:
            self.unsent = deque()
        self.unsent.append((packet_id, flight))

    def line_up_release(self, packet_id: int, flight: Flight) -> None:
        if self.releasing is _NONE:
            self.releasing = deque()
        self.releasing.append((packet_id, flight))

    def take_unsent(self, room: int) -> tuple[int, Flight] | None:
        """What leaves next, if it is not held, and goes into a window with so much `room`."""
        following = take(self.unsent, self.flights, room)
        if not self.unsent:
            self.unsent = _NONE
        return following

    def take_release(self) -> int:
        """The packet identifier of the next PUBREL; 0 when there is none, or it is held."""
        following = take(self.releasing, self.flights, room=1)
        if not self.releasing:
            self.releasing = _NONE
        return following[0] if following is not None else 0

    def next_packet_id(self, preferred: int = 0) -> int:
        """An identifier that is not in use [MQTT-2.2.1-4]; `preferred` if that one is free."""
        if preferred and preferred not in self.flights:
            self.reserved.pop(preferred, None)
            return preferred
        while True:
            self.packet_id = self.packet_id % 0xFFFF + 1
            if self.packet_id not in self.flights and self.packet_id not in self.reserved:
                return self.packet_id

    def granted(self, topic: str, downlink_qos: int) -> Grant | None:
        """How the client takes messages for it alone on the topic; None: it does not want them. What the client
        subscribed to itself, shared or not, goes before what a device is subscribed to without asking."""
        found = self.subscriptions.get(topic)
        if len(self.subscriptions) > (found is not None):
            exact = found
            for grant in self.subscriptions.values():
                if grant is not exact and matches(grant.topics, topic):
                    found = grant if found is None else found.with_(grant)
        if found is not None:
            return found
        device = self.identity.device
        if device is not None and is_system_downlink(device.device_id, topic):
            return UNASKED[downlink_qos]
        return None

    def enqueue(self, publish: Publish, expires: float, max_messages: int, max_bytes: int, share: str = "") -> bool:
        """Beyond the bounds the oldest message at QoS 0 makes room, or the new one is dropped; either is counted.
        False: the new one was."""
        size = weight(publish)
        while self.queued >= max_messages or self.queued_bytes + size > max_bytes:
            self.dropped += 1
            if not self._drop_expendable():
                return False
        self.queued += 1
        self.queued_bytes += size
        place, kept = 0, self.kept
        if not publish.qos:
            self.expendable += 1
        elif kept is not None:
            place = kept.owe(publish, expires, share)
            if not share:
                if kept.behind or self.line is None or len(self.queue) - self.expendable >= PAGE:
                    kept.behind = True
                    return True
                kept.cursor = place
        self.wait(Queued(publish, expires, share, place))
        return True

    def wait(self, queued: Queued) -> None:
        """It is counted already."""
        if self.queue is _NONE:
            self.queue = deque()
        self.queue.append(queued)

    def dequeue(self, now: float) -> Queued | None:
        """The next message that has not expired [MQTT-3.3.2-5]."""
        while self.queue:
            queued = self.queue.popleft()
            self._count_out(queued)
            if self._is_due(queued, now):
                return queued
        self.queue = _NONE
        return None

    def _is_due(self, queued: Queued, now: float) -> bool:
        """Whether it is still to be sent. One that has expired is settled."""
        kept = self.kept
        if kept is not None and queued.place in kept.unstored:
            kept.unstored.discard(queued.place)
            return False
        if not queued.expires or queued.expires > now:
            return True
        if queued.place and kept is not None:
            kept.settle(queued.place)
        return False

    def unqueue(self, waiting: list[Queued]) -> list[Queued]:
        """Take these out of the queue. Returns those whose senders were not told that they could not be stored."""
        gone = {id(queued) for queued in waiting}
        self.queue = deque(queued for queued in self.queue if id(queued) not in gone)
        kept = self.kept
        for queued in waiting:
            self._count_out(queued)
            if queued.place and kept is not None:
                kept.settle(queued.place)
        unstored = kept.unstored if kept is not None else ()
        return [queued for queued in waiting if not queued.place or queued.place not in unstored]

    def recount(self) -> None:
        """Everything that waits is in memory."""
        self.queued = len(self.queue)
        self.queued_bytes = sum(weight(queued.publish) for queued in self.queue)

    def rest(self) -> None:
        """The client is away: what waits for it at QoS 0 is dropped, and what the store has needs no memory."""
        staying: deque[Queued] = deque()
        for queued in self.queue:
            if not queued.publish.qos:
                self._count_out(queued)
                self.dropped += 1
            elif self.kept is None or queued.share:
                staying.append(queued)
            else:
                self.kept.cursor = min(self.kept.cursor, queued.place - 1)
                self.kept.behind = True
        self.queue = staying or _NONE
        self.dropped += sum(not packet_id for packet_id, _ in self.unsent)
        self.unsent = self.releasing = _NONE
        if self.kept is not None and self.kept.unstored:
            self.kept.forget_unstored({queued.place for queued in staying})

    def land(self) -> None:
        """The connection is gone: delivery hands its messages down again, those that the client has (PUBREC) aside. In
        a session that goes on, the client may know their packet identifiers still."""
        for packet_id in [i for i, flight in self.flights.items() if flight.seq and not flight.released]:
            flight = self.flights.pop(packet_id)
            if self.expiry:
                self.landed[flight.seq] = packet_id
                self.reserved[packet_id] = flight.qos
        while len(self.reserved) > MOST_RESERVED:
            del self.reserved[next(iter(self.reserved))]
        while len(self.landed) > MOST_RESERVED:
            del self.landed[next(iter(self.landed))]

    def _drop_expendable(self) -> bool:
        if not self.expendable:
            return False
        index = next(index for index, queued in enumerate(self.queue) if not queued.publish.qos)
        self._count_out(self.queue[index])
        del self.queue[index]
        return True

    def _count_out(self, queued: Queued) -> None:
        self.queued -= 1
        self.queued_bytes -= weight(queued.publish)
        self.expendable -= not queued.publish.qos
