"""What delivery remembers about one device: little, because the store is the queue."""

from bridge.model.device import Device


class Outbox:
    """One device's place in its queue of PENDING messages.

    `cursor`      every PENDING message up to this `seq` was offered to the present connection.
    `behind`      there may be messages after the cursor that nobody offered: the store has to be asked.
    `inflight`    seq → packet identifier of what was sent on the present connection and is not acknowledged.
    `sent_before` the same of earlier connections: what is sent again carries DUP and the old identifier.
    `uncached`    messages with ttl 0, which end with the connection.
    """

    __slots__ = ("behind", "cursor", "device", "inflight", "online", "pending", "queued", "sent_before", "uncached")

    def __init__(self, device: Device, pending: int) -> None:
        self.device = device
        self.pending = pending
        self.online = False
        self.behind = False
        self.queued = False
        self.cursor = 0
        self.inflight: dict[int, int] = {}
        self.sent_before: dict[int, int] = {}
        self.uncached: set[int] = set()

    def connect(self) -> None:
        """A new connection: everything not acknowledged is offered again, in order."""
        self.disconnect()
        self.online = True
        self.rewind()

    def disconnect(self) -> None:
        self.online = False
        self.behind = False
        self.sent_before.update(self.inflight)
        self.inflight.clear()

    def rewind(self) -> None:
        """Offer again what the present connection could not take; what is in flight is passed over."""
        self.cursor = 0
        self.behind = self.online

    def forget(self, seq: int) -> None:
        """The message is no longer PENDING, or about to be."""
        self.inflight.pop(seq, None)
        self.sent_before.pop(seq, None)
        self.uncached.discard(seq)
