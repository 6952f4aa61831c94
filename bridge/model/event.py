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
