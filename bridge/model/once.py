"""A request that its sender may repeat, and that is carried out once."""

from dataclasses import dataclass

REMEMBERED = 86_400_000
"""Milliseconds: so long after the first request the same key means the same request."""


@dataclass(frozen=True, slots=True)
class Once:
    """What a sender says of a request."""

    key: str
    """Its Idempotency-Key; one device knows it once."""
    digest: bytes
    """SHA-256 of the body: the same key with another body is a mistake."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a request that was carried out."""

    digest: bytes
    seq: int
    message_id: str
    created_at: int
    """Of its message; milliseconds since the epoch."""
