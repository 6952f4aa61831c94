"""One session's part of what is kept: which rows are its own, and how far they are in memory."""

from collections.abc import Callable, Container

from bridge.broker.grant import Grant
from bridge.broker.keeping import Keeping
from bridge.broker.session_batch import Unstored
from bridge.model.session import StoredDownlink, StoredSubscription
from bridge.mqtt import Publish


class KeptState(Unstored):
    """Of a session that outlives its connection. A session that does not has none, and costs the store nothing.

    What a client that is away is owed waits in the store alone (`behind`), and so does what a slow one is owed beyond a
    page: everything up to `cursor` was sent or is in the queue. What shared subscriptions chose the session for is
    always in the queue, because it may have to go to somebody else.
    """

    __slots__ = (
        "asleep",
        "behind",
        "cursor",
        "delivered",
        "holding",
        "keeping",
        "key",
        "left_at",
        "looking",
        "place",
        "unstored",
        "written",
    )

    def __init__(self, keeping: Keeping, key: int) -> None:
        self.keeping = keeping
        self.key = key
        self.place = 0
        """Of the last copy; negative: not read yet."""
        self.cursor = 0
        self.behind = False
        self.asleep = False
        """Restored, and its client was not there yet: its exchanges were not read."""
        self.left_at: int | None = None
        """Steady time (`bridge.model.clock`); None while the client is connected."""
        self.written = 0
        """Every copy up to this place is committed, or could not be stored."""
        self.holding = 0
        """Messages of applications that leave when their packet identifiers are durable; what comes behind them waits,
        too."""
        self.looking = False
        """Somebody waits for the store to have all that waits for the client."""
        self.unstored: set[int] = set()
        """Places of messages in the queue that could not be stored: their senders were told so."""
        self.delivered: set[int] = set()
        """`Downlink.seq` of what the client has (PUBREC) and an earlier run of the daemon may not have told."""

    def owe(self, publish: Publish, expires: float, share: str) -> int:
        """A message waits for the client. Returns its place."""
        self.place += 1
        self.keeping.owe((self.key, self.place), publish, expires, share, self)
        return self.place

    def not_stored(self, place: int, share: str) -> None:
        if share or place <= self.cursor:  # otherwise it is not in memory
            self.unstored.add(place)

    def forget_unstored(self, waiting: Container[int]) -> None:
        """`waiting`: the places that are left in the queue."""
        self.unstored = {place for place in self.unstored if place in waiting}

    def number(self, place: int, packet_id: int) -> None:
        """It is being sent, or about to be."""
        self.keeping.move((self.key, place), packet_id, released=False)

    def when_numbered(self, place: int, told: Callable[[bool], None]) -> None:
        """`told(True)` once its packet identifier is durable, `told(False)` when it cannot be stored."""
        self.keeping.after_copy((self.key, place), told)

    def release(self, place: int, packet_id: int, told: Callable[[bool], None]) -> None:
        """QoS 2: the client has it. `told(True)` when that is durable [MQTT-4.3.3-4]."""
        self.keeping.move((self.key, place), packet_id, released=True)
        self.keeping.after_copy((self.key, place), told)

    def settle(self, place: int) -> None:
        self.keeping.settle((self.key, place))

    def receive(self, packet_id: int) -> None:
        """A QoS 2 message came from the client."""
        self.keeping.receive(self.key, packet_id)

    def let_go(self, packet_id: int) -> None:
        """The client has released it, or it was refused."""
        self.keeping.let_go(self.key, packet_id)

    def subscribe(self, grant: Grant) -> None:
        options = grant.qos | grant.no_local << 2 | grant.retain_as_published << 3 | grant.retain_handling << 4
        identifier = grant.identifiers[0] if grant.identifiers else 0
        self.keeping.subscribe(StoredSubscription(self.key, grant.filter, options, identifier))

    def unsubscribe(self, topic_filter: str) -> None:
        self.keeping.unsubscribe(self.key, topic_filter)

    # Messages of applications, which wait in their device's queue

    def hand_down(self, packet_id: int, seq: int, qos: int) -> None:
        self.keeping.send_downlink(StoredDownlink(self.key, packet_id, seq, qos))

    def release_downlink(self, packet_id: int, told: Callable[[], None]) -> None:
        """QoS 2: the device has it. `told` is called when that is durable [MQTT-4.3.3-4]."""
        self.keeping.release_downlink(self.key, packet_id)
        self.keeping.after_losses(told)

    def settle_downlink(self, packet_id: int) -> None:
        self.keeping.settle_downlink(self.key, packet_id)
