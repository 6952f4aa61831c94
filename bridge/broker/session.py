"""A session: what a client and this server owe each other, whether the client is connected or not [MQTT-3.1.2.4]."""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from bridge.broker.grant import UNASKED, Grant
from bridge.broker.identity import Identity
from bridge.model.topics import is_system_downlink
from bridge.mqtt import Connect, Packet, Publish, ReasonCode, Version, Will, matches


@dataclass(slots=True)
class Flight:
    """A QoS 1 or 2 message on its way to the client."""

    publish: Publish | None
    """Kept for sending again; None for a Downlink, which the store keeps, and once the client has it (PUBREC).
    Not to be changed: other sessions hold the same. Its packet identifier is the key of the flight."""
    seq: int = 0
    """`Downlink.seq`; 0 for a message between clients."""
    qos: int = 1
    released: bool = False
    """QoS 2: PUBREC came, PUBREL was sent, PUBCOMP is missing."""
    expires: float = 0.0
    """Loop time [MQTT-3.3.2-6]; 0 for never."""
    share: str = ""
    """The `$share/name/filter` that chose this session for it."""


@dataclass(slots=True)
class Queued:
    """A message between clients that waits for the client or for room in its window."""

    publish: Publish
    """Not to be changed: other sessions hold the same."""
    expires: float
    """Loop time [MQTT-3.3.2-5]; 0 for never."""
    share: str = ""
    """The `$share/name/filter` that chose this session for it."""


class Absence(Protocol):
    """A look at the session that the wheel will take while its client is away."""

    tick: int


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
    version: Version
    congested: bool
    """The client does not read what it is sent."""
    stalled: bool
    """What it sent is not worked off yet; more is not read."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the client's certificate, in lower-case hexadecimal digits; empty when it showed none."""

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""

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
        """Keep what the client sends until `release`."""

    def release(self) -> None: ...

    @property
    def closing(self) -> bool: ...

    @property
    def peer(self) -> str: ...

    def refuse(self, reason: ReasonCode, message: str, *, client: str = "-", answer: bool = True) -> None:
        """End the connection for a reason that is logged, and told where the version can. `client`: the identifier it
        asked for, as long as it has no session."""

    def end(self, reason: ReasonCode) -> None: ...


class Session:
    """`line` is the live connection, None while the client is away."""

    __slots__ = (
        "absence",
        "client_id",
        "dropped",
        "expiry",
        "expiry_tick",
        "flights",
        "identity",
        "incoming",
        "line",
        "packet_id",
        "queue",
        "queued_bytes",
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
        self.subscriptions: dict[str, Grant] = {}
        """By topic filter, `$share/name/` included."""
        self.shares: tuple[Shared, ...] = ()
        """The shared subscriptions among them."""
        self.flights: dict[int, Flight] = {}
        """By packet identifier, in the order in which they were sent [MQTT-4.6.0-1]."""
        self.unsent: deque[int] = deque()
        """Flights of an earlier connection that were not yet sent again on this one."""
        self.incoming: set[int] = set()
        """Packet identifiers of QoS 2 messages from the client that it has not released [MQTT-4.3.3-10]."""
        self.storing: dict[int, Line] = {}
        """Those of them that are not durable yet, each with the connection it came on."""
        self.queue: deque[Queued] = deque()
        self.queued_bytes = 0
        self.dropped = 0
        self.packet_id = 0
        self.window = 1
        """Flights allowed at once: the smaller of the client's Receive Maximum and ours."""
        self.expiry = 0
        """Seconds the session outlives its connection."""
        self.expiry_tick = 0
        self.absence: Absence | None = None
        self.will: Will | None = None
        self.will_tick = 0
        """When the will is due; 0 while the client is connected."""
        self.starved = False
        """Delivery has more for this device and was told to wait."""

    @property
    def room(self) -> int:
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
        return line is not None and not (line.congested or self.queue) and self.room_between_clients > 0

    def next_packet_id(self, preferred: int = 0) -> int:
        """An identifier that is not in use [MQTT-2.2.1-4]; `preferred` if that one is free."""
        if preferred and preferred not in self.flights:
            return preferred
        while True:
            self.packet_id = self.packet_id % 0xFFFF + 1
            if self.packet_id not in self.flights:
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

    def enqueue(self, publish: Publish, expires: float, max_messages: int, max_bytes: int, share: str = "") -> None:
        """Beyond the bounds the newest message is dropped and counted."""
        size = len(publish.payload) + len(publish.topic)
        if len(self.queue) >= max_messages or self.queued_bytes + size > max_bytes:
            self.dropped += 1
            return
        self.queue.append(Queued(publish, expires, share))
        self.queued_bytes += size

    def dequeue(self, now: float) -> Queued | None:
        """The next message that has not expired [MQTT-3.3.2-5]."""
        while self.queue:
            queued = self.queue.popleft()
            self.queued_bytes -= len(queued.publish.payload) + len(queued.publish.topic)
            if not queued.expires or queued.expires > now:
                return queued
        return None

    def unqueue(self, waiting: list[Queued]) -> None:
        """Take these out of the queue."""
        gone = {id(queued) for queued in waiting}
        self.queue = deque(queued for queued in self.queue if id(queued) not in gone)
        self.queued_bytes -= sum(len(queued.publish.payload) + len(queued.publish.topic) for queued in waiting)

    def forget_downlinks(self) -> None:
        """The connection is gone: delivery hands its messages down again, those that the client has (PUBREC) aside."""
        for packet_id in [i for i, flight in self.flights.items() if flight.seq and not flight.released]:
            del self.flights[packet_id]
