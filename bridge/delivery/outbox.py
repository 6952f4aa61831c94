"""What delivery remembers about one device: little, because the store is the queue."""

from collections.abc import Iterator

from bridge.delivery.riders import Riders
from bridge.model.device import Device


class Outbox:
    """One device's place in its queue of PENDING messages.

    `carrier`     the outbox of the device whose connection carries them: this one, or that of its gateway.
    `riders`      on the outbox of a gateway: the devices behind it.
    `boarded`     the riders with messages of the daemon's last run are there, too.
    `cursor`      every PENDING message up to this `seq` was offered to the present connection.
    `behind`      there may be messages after the cursor that nobody offered: the store has to be asked.
    `inflight`    seq → packet identifier of what was sent on the present connection and is not acknowledged.
    `sent_before` the same of earlier connections: what is sent again carries DUP and the old identifier.
    `uncached`    messages with ttl 0, which end with the connection.
    """

    __slots__ = (
        "behind",
        "boarded",
        "carrier",
        "cursor",
        "device",
        "inflight",
        "listed",
        "online",
        "pending",
        "queued",
        "riders",
        "sent_before",
        "uncached",
    )

    def __init__(self, device: Device, pending: int, carrier: "Outbox | None" = None) -> None:
        self.device = device
        self.pending = pending
        self.carrier = carrier or self
        self.riders: Riders[Outbox] | None = None
        self.boarded = False
        self.online = False
        self.behind = False
        self.listed = False
        self.queued = False
        self.cursor = 0
        self.inflight: dict[int, int] = {}
        self.sent_before: dict[int, int] = {}
        self.uncached: set[int] = set()

    def aboard(self) -> Iterator["Outbox"]:
        """Everybody whose messages this one's connection carries."""
        yield self
        if self.riders is not None:
            yield from list(self.riders.outboxes.values())

    def take_aboard(self, rider: "Outbox") -> None:
        if self.riders is None:
            self.riders = Riders()
            if self.behind:
                self.riders.enlist(self)
        self.riders.outboxes[rider.device.key] = rider

    def leave(self) -> None:
        """The device is gone."""
        riders = self.carrier.riders
        if riders is not None and self.carrier is not self:
            riders.leave(self)

    def connect(self) -> None:
        """A new connection: everything not acknowledged is offered again, in order."""
        self.disconnect()
        self.online = True
        self.rewind()

    def disconnect(self) -> None:
        self.online = False
        self.behind = False
        self.sent_before.update(self.inflight)
        for seq in self.inflight:
            self._land(seq)
        self.inflight.clear()

    def rewind(self) -> None:
        """Offer again what the present connection could not take; what is in flight is passed over."""
        self.cursor = 0
        if self.online:
            self.fall_behind()

    def reach_back(self, seq: int) -> None:
        """A message that the cursor may have passed while it was held can be sent now. Its successors are offered
        again, in order; nobody else's message comes between."""
        if self.online and seq not in self.inflight:
            self.cursor = min(self.cursor, seq - 1)
            self.fall_behind()

    def fall_behind(self) -> None:
        self.behind = True
        if self.carrier.riders is not None:
            self.carrier.riders.enlist(self)

    def any_behind(self) -> bool:
        """Whether something waits for this one's connection that was not offered to it yet. A new message stands behind
        that, whoever it is for: otherwise a busy device would keep the others behind its gateway waiting."""
        return self.behind if self.riders is None else self.riders.any_behind()

    def next_behind(self) -> "Outbox":
        """Whose backlog the connection is to be offered next. To be asked when `any_behind`."""
        return self if self.riders is None else self.riders.next_behind()

    def sent(self, seq: int, packet_id: int) -> None:
        self.inflight[seq] = packet_id
        if self.carrier is not self and self.carrier.riders is not None:
            self.carrier.riders.flights[seq] = self

    def carries(self, seq: int) -> bool:
        """Whether the message is on its way on this one's connection."""
        owner = self if self.riders is None else self.riders.flights.get(seq, self)
        return seq in owner.inflight

    def acknowledged(self, seq: int) -> "Outbox | None":
        """Whose message it is that this one's connection has acknowledged; None: nobody waits for that."""
        owner = self if self.riders is None else self.riders.flights.pop(seq, self)
        return owner if owner.inflight.pop(seq, None) is not None else None

    def forget(self, seq: int) -> None:
        """The message is no longer PENDING, or about to be."""
        self._land(seq)
        self.inflight.pop(seq, None)
        self.sent_before.pop(seq, None)
        self.uncached.discard(seq)

    def _land(self, seq: int) -> None:
        if self.carrier.riders is not None:
            self.carrier.riders.flights.pop(seq, None)
