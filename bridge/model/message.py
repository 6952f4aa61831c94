"""A message for one device, and the states it can be in."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Legal moves: PENDING to each of the others, once. Nothing leaves a final state."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"


class AcknowledgedBy(StrEnum):
    """Who vouches for DELIVERED."""

    DEVICE = "device"
    """The device itself: PUBACK at QoS 1, PUBREC at QoS 2."""
    SENT = "sent"
    """Nobody can: the device subscribed at QoS 0, so the bytes were written to its live connection."""


class Failure(StrEnum):
    """Why a message is FAILED. Each dialect has its own code for each of these."""

    OFFLINE = "offline"
    """Not to be cached (ttl 0), and the device was not connected, or left before it acknowledged."""
    NOT_SUBSCRIBED = "not_subscribed"
    """Not to be cached (ttl 0), and the device had not subscribed to the topic."""
    BUSY = "busy"
    """Not to be cached (ttl 0), and the device's window was full, or other messages were in front."""
    REFUSED = "refused"
    """The device answered with an MQTT 5 reason code of 0x80 or above."""
    TOO_LARGE = "too_large"
    """Larger than the Maximum Packet Size the device announced."""
    UNSENDABLE = "unsendable"
    """MQTT cannot express it, for example a topic name with wildcards."""
    DISPLACED = "displaced"
    """Pushed out of a full queue (policy drop_oldest)."""
    REMOVED = "device_removed"
    """Its device was removed, and the message with it: applications are told, and nothing is left to ask for."""


@dataclass(slots=True)
class Draft:
    """What an application asks for; its dialect has checked every field."""

    message_id: str
    content: str
    """The message as JSON text, exactly as the application sent it: anything but null."""
    ttl: int
    """Minutes; 0 means: deliver on the live connection or not at all."""
    name: str | None = None
    encoding: str | None = None
    """"none" or "base64"; None: not given, which means "none"."""
    payload_format: str | None = None
    """"standard" or "raw"; None: not given, which means "standard"."""
    topic: str | None = None
    """Full topic name; None: the default downlink topic, or what the suffix says."""
    correlation_data: str | None = None
    response_topic: str | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    """In order, repeats kept."""
    send_at: int | None = None
    """Not sent before, and its ttl counts from there. None: at once. Wall time, in the store steady time."""
    suffix: str | None = None
    """Of a topic below the user topics of the device whose connection carries the message. Not together with `topic`,
    which it becomes when the message is accepted."""


@dataclass(slots=True)
class Outcome:
    """How a message ended: its final state, and what there is to say about it."""

    status: Status
    finished_at: int
    """Milliseconds since the epoch."""
    acknowledged_by: AcknowledgedBy | None = None
    failure: Failure | None = None
    detail: str | None = None
    """One sentence for people, with the failure."""


@dataclass(slots=True)
class Message:
    """An accepted message. `seq` orders all messages by acceptance; the store assigns it when it is added."""

    device: int
    """`Device.key`."""
    draft: Draft
    created_at: int
    """Milliseconds since the epoch."""
    expires_at: int
    """Steady time (`bridge.model.clock`); from this moment on it is never sent."""
    seq: int = 0
    outcome: Outcome | None = None
    """None while PENDING."""

    @property
    def status(self) -> Status:
        return self.outcome.status if self.outcome else Status.PENDING
