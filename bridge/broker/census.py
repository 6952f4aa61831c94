"""How many clients there are, and what is owed to them."""

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.broker.session import Session


@dataclass(frozen=True, slots=True)
class Census:
    connected: int = 0
    away: int = 0
    """Sessions that are kept for clients which are not connected."""
    subscriptions: int = 0
    inflight_in: int = 0
    """QoS 2 messages from clients that they have not released."""
    inflight_out: int = 0
    """QoS 1 and 2 messages on their way to clients."""
    queued: int = 0
    """Messages between clients that wait for their turn."""

    @classmethod
    def take(cls, sessions: Iterable[Session]) -> "Census":
        """One walk over all of them: some 25 ms for 100,000."""
        connected = away = subscriptions = inflight_in = inflight_out = queued = 0
        for session in sessions:
            if session.line is None:
                away += 1
            else:
                connected += 1
            subscriptions += len(session.subscriptions)
            inflight_in += len(session.incoming)
            inflight_out += len(session.flights)
            queued += session.queued
        return cls(connected, away, subscriptions, inflight_in, inflight_out, queued)
