"""What happened, as applications hear of it: events in channels, and who reads them."""

from dataclasses import dataclass, field

MESSAGE_STATUS = "device-message-status"
DEVICE_STATUS = "device-status"
MESSAGE_REPORT = "device-message-report"
SERVICE_MESSAGE = "service-message"
BUILT_IN = frozenset((MESSAGE_STATUS, DEVICE_STATUS, MESSAGE_REPORT, SERVICE_MESSAGE))
"""Channels in which only the daemon publishes."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a channel."""

    position: int
    """Its place in the channel: greater than that of every earlier event, also of a channel that was there before under
    the same name."""
    message_id: str
    content: str
    """JSON text; what an application published is exactly as it came."""


@dataclass(frozen=True, slots=True)
class Polled:
    events: list[Event] = field(default_factory=list)
    """In the order of publication. The position of the last one acknowledges all of them."""
    more: bool = False
    """There are more events than these."""


@dataclass(frozen=True, slots=True)
class SubscriberInfo:
    name: str
    lag: int
    """Stored events that it has not acknowledged."""
    seen: int
    """When it subscribed, polled or acknowledged last, milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    name: str
    events: int
    """Stored ones."""
    oldest: int | None
    """When the oldest of them was published, milliseconds since the epoch; None: there are none."""
    subscribers: list[SubscriberInfo]
    """By name."""
    dropped: int = 0
    """Events that had to go early, because the channel was full."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The device that an event is about."""

    device_id: str
    node_id: str
    product_id: str
    gateway_id: str | None = None
    """The device it is behind; None: it connects itself."""
    app_id: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A message has come into a state."""

    subject: Subject
    message_id: str
    name: str | None
    topic: str | None
    """None: the default downlink topic of the device, which connects itself."""
    status: str
    """One of `Status`, or CANCELLED."""
    at: int
    """Milliseconds since the epoch."""
    failure: str | None = None
    """One of `Failure`."""
    detail: str | None = None


CANCELLED = "CANCELLED"
"""What a PENDING message is that its sender took back; such a message is not stored any more."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    position: int
    at: int
    """When it was published, milliseconds since the epoch."""
    message_id: str | None
    """None: the daemon published it."""
    content: str


@dataclass(frozen=True, slots=True)
class StoredSubscriber:
    name: str
    position: int
    """Everything up to it is acknowledged."""
    seen: int
    """Not later than when it was last seen, steady time."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Which events of a channel are stored: those from `first` to `last`, none if `first` is greater."""

    first: int
    last: int
    oldest: int | None
    """When the first of them was published."""
    size: int = 0
    """Characters of their contents."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed from a channel."""

    left: Extent
    """What is stored after that."""
    freed: int
    """Characters of content."""
    dropped: int
    """How many of the removed were not old enough to go: there were too many of them."""


@dataclass(frozen=True, slots=True)
class StoredChannel:
    key: int
    """Never used again when the channel is gone."""
    project: str
    name: str
    extent: Extent
    dropped: int = 0
    """Events that had to go early, because the channel was full."""
    subscribers: tuple[StoredSubscriber, ...] = ()


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What became of a subscription."""

    channel: int
    """`StoredChannel.key`."""
    last: int
    position: int
