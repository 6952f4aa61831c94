"""What a device answers to a message."""

from dataclasses import dataclass

from bridge.model.message import Message


@dataclass(frozen=True, slots=True)
class Reply:
    topic: str
    payload: bytes
    latency: int
    """Milliseconds from the acceptance of the message to this."""
    content_type: str | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    """In order, repeats kept."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A message, as it is when the waiting is over, and the reply if one came."""

    message: Message
    reply: Reply | None = None
