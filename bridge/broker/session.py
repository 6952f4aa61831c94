"""A session: what a client and this server owe each other, whether the client is connected or not [MQTT-3.1.2.4]."""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bridge.broker.identity import Identity
from bridge.broker.listeners import Listener
from bridge.model.topics import is_system_downlink
from bridge.mqtt import Connect, Packet, Publish, ReasonCode, Subscription, Version, Will, matches

if TYPE_CHECKING:
    import ssl

    from bridge.broker.authentication import Authentication
    from bridge.broker.plugin_session import PluginSession


@dataclass(slots=True)
class Flight:
    """A QoS 1 or 2 message on its way to the client."""

    publish: Publish | None
    """Kept for sending again; None for a Downlink, which the store keeps, and once the client has it (PUBREC)."""
    seq: int = 0
    """`Downlink.seq`; 0 for a message between clients."""
    qos: int = 1
    released: bool = False
    """QoS 2: PUBREC came, PUBREL was sent, PUBCOMP is missing."""


@dataclass(slots=True)
class Queued:
    """A message between clients that waits for the client or for room in its window."""

    publish: Publish
    expires: float
    """Loop time [MQTT-3.3.2-5]; 0 for never."""


class Absence(Protocol):
    """A look at the session that the wheel will take while its client is away."""

    tick: int


class Aliases(Protocol):
    """`bridge.broker.aliases` has the one there is."""

    def send(self, line: "Line", publish: Publish, packet_id: int = 0) -> bool:
        """False: larger than what the client takes. `packet_id`: if it is not in `publish`."""


class Line(Protocol):
    """A live connection, as sessions use it; `bridge.broker.link` is the one there is."""

    session: "Session | None"
    listener: Listener
    """Where it came in."""
    version: Version
    congested: bool
    """The client does not read what it is sent."""
    stalled: bool
    """What it sent is not worked off yet; more is not read."""
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
        "plugin_session",
        "queue",
        "queued_bytes",
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
        self.subscriptions: dict[str, Subscription] = {}
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
        self.plugin_session: PluginSession | None = None
        """The client as plug-ins know it; None until one has to."""
        self.starved = False
        """Delivery has more for this device and was told to wait."""

    @property
    def room(self) -> int:
        return max(0, self.window - len(self.flights))

    def next_packet_id(self, preferred: int = 0) -> int:
        """An identifier that is not in use [MQTT-2.2.1-4]; `preferred` if that one is free."""
        if preferred and preferred not in self.flights:
            return preferred
        while True:
            self.packet_id = self.packet_id % 0xFFFF + 1
            if self.packet_id not in self.flights:
                return self.packet_id

    def granted(self, topic: str, downlink_qos: int) -> int | None:
        """The QoS at which the client takes messages on the topic; None: it does not want them. What the client
        subscribed to itself goes before what a device is subscribed to without asking."""
        exact = self.subscriptions.get(topic)
        qos = exact.qos if exact else -1
        if len(self.subscriptions) > (exact is not None):
            wildcards = (s.qos for f, s in self.subscriptions.items() if s is not exact and matches(f, topic))
            qos = max(qos, max(wildcards, default=-1))
        if qos >= 0:
            return qos
        device = self.identity.device
        if device is not None and is_system_downlink(device.device_id, topic):
            return downlink_qos
        return None

    def enqueue(self, publish: Publish, expires: float, max_messages: int, max_bytes: int) -> None:
        """Beyond the bounds the newest message is dropped and counted."""
        size = len(publish.payload) + len(publish.topic)
        if len(self.queue) >= max_messages or self.queued_bytes + size > max_bytes:
            self.dropped += 1
            return
        self.queue.append(Queued(publish, expires))
        self.queued_bytes += size

    def dequeue(self, now: float) -> tuple[Publish, float] | None:
        """The next message that has not expired, and when it will."""
        while self.queue:
            queued = self.queue.popleft()
            self.queued_bytes -= len(queued.publish.payload) + len(queued.publish.topic)
            if not queued.expires or queued.expires > now:
                return queued.publish, queued.expires
        return None

    def forget_downlinks(self) -> None:
        """The connection is gone: delivery hands its messages down again, those that the client has (PUBREC) aside."""
        for packet_id in [i for i, flight in self.flights.items() if flight.seq and not flight.released]:
            del self.flights[packet_id]
