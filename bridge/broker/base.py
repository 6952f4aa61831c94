"""The seam between delivery and MQTT: how a message is handed down, and what comes back up."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from bridge.model.device import Device
from bridge.model.errors import BridgeError
from bridge.model.message import AcknowledgedBy
from bridge.model.principal import Principal
from bridge.model.retained import RetainedMessage
from bridge.model.session import Backlog, Exchange, Gains, Losses, Owed, StoredSession, StoredSubscription
from bridge.mqtt import Properties, Publish, ReasonCode


@dataclass(slots=True)
class Downlink:
    """One stored message on its way to one device."""

    seq: int
    """`Message.seq`; comes back with the acknowledgement."""
    topic: str
    payload: bytes
    properties: Properties
    """MQTT 5 properties except the Message Expiry Interval; ignored for 3.1 and 3.1.1 clients."""
    expires_at: int
    """Steady time (`bridge.model.clock`); what is left until then becomes the Message Expiry Interval."""
    packet_id: int = 0
    """Set by the broker when it is sent at QoS 1 or 2. A second `send` of the same Downlink carries DUP and, if it is
    free, the same packet identifier [MQTT-3.3.1-1] [MQTT-4.4.0-1]."""

    def seconds_left(self, now: int) -> int:
        """The Message Expiry Interval of a Downlink that leaves `now`, in steady time; at least 1 [MQTT-3.3.2-6]."""
        return max(1, (self.expires_at - now) // 1000)


class Handed(Enum):
    """What became of a Downlink that was handed to the broker."""

    SENT = auto()
    """On its way; `acknowledged` will follow, or `disconnected`."""
    OFFLINE = auto()
    NOT_SUBSCRIBED = auto()
    BUSY = auto()
    """The window is full or the connection is not drained: `writable` will follow."""
    TOO_LARGE = auto()
    """Larger than the Maximum Packet Size of the client [MQTT-3.1.2-24]."""
    UNSENDABLE = auto()
    """MQTT cannot express it."""


class Downlinks(Protocol):
    """A broker as delivery sees it."""

    def send(self, device: int, downlink: Downlink) -> Handed: ...

    def room(self, device: int) -> int:
        """How many Downlinks the device's connection takes right now. After 0 for a connected device `writable` will
        follow."""


class ConnectionListener(Protocol):
    """Who wants to know which devices are connected. Called from the packet path: returns at once, never raises."""

    def connected(self, device: int) -> None:
        """The device has a new connection."""

    def disconnected(self, device: int) -> None: ...


class DownlinkListener(ConnectionListener, Protocol):
    """Delivery as a broker sees it. Called from the packet path: returns at once."""

    def connected(self, device: int) -> None:
        """The device has a new connection. Whatever was sent to it and is not acknowledged needs sending again.

        Raises StoreUnavailable: then the connection is of no use, and the broker ends it. The others never raise."""

    def subscribed(self, device: int) -> None:
        """The device subscribed to something: what was NOT_SUBSCRIBED may be deliverable now."""

    def writable(self, device: int) -> None:
        """After BUSY: there is room again."""

    def is_wanted(self, device: int, seq: int) -> bool:
        """Whether a Downlink that was handed down and has waited is to leave now. False: it was cancelled or has ended
        meanwhile; it is not sent, and nothing more is reported of it."""

    def acknowledged(self, device: int, seq: int, by: AcknowledgedBy, reason_code: int, reason: str | None) -> None:
        """The device took the message, or refused it with a `reason_code` >= 0x80 and perhaps a Reason String."""


class UplinkListener(Protocol):
    """Who hears what devices say. Called from the packet path: returns at once, never raises."""

    def published(self, device: Device, publish: Publish) -> None:
        """The device sent a message that it was allowed to send, at QoS 2 once. A gateway also speaks for the devices
        behind it: whose message it is, the topic says."""


class UplinkKeeper(Protocol):
    """Who keeps what devices say. Called from the packet path: returns at once, never raises."""

    def keep(self, device: Device, publish: Publish, done: Callable[[Publish, ReasonCode], None]) -> ReasonCode | None:
        """SUCCESS: it is not to be kept. 0x80 and above: it was, and cannot be. None: `done` is called later, when it
        is durable or cannot be; for one device in the order of the messages."""


class RetainedStore(Protocol):
    """Where retained messages survive a restart."""

    def retained_messages(self) -> Iterator[tuple[str, RetainedMessage]]:
        """All there are, with their projects. Raises StoreUnavailable."""

    def expired_retained(self, now: int, limit: int) -> list[tuple[str, str]]:
        """Projects and topics of messages that have expired, the oldest first. Raises StoreUnavailable."""

    def retain(
        self, changes: Sequence[tuple[str, str, RetainedMessage | None]], done: Callable[[BridgeError | None], None]
    ) -> None:
        """Project, topic, and what is retained there from now on. All or nothing; `done` is called after the commit, in
        the order of the calls."""


class Directory(Protocol):
    """Who may connect."""

    def devices_called(self, device_id: str) -> list[Device]:
        """Devices with this id in all projects."""

    def device_by_key(self, key: int) -> Device | None: ...

    def principal(self, token: str) -> Principal | None: ...


class SessionStore(Protocol):
    """What keeps sessions of clients that are away, through restarts. Writes return at once; `done` is called in the
    event loop after their commit, with the error if there was one. Reads are immediate and see every committed write;
    they raise StoreUnavailable. All methods belong to the loop's thread."""

    def last_session_keys(self) -> tuple[int, int]:
        """The greatest keys that were ever given to a session, and that are given to messages."""

    def stored_sessions(self, after: int, limit: int) -> Sequence[tuple[StoredSession, bool]]:
        """Those with `key` > `after`, by key; and whether the device of each was removed meanwhile."""

    def stored_subscriptions(self, first: int, last: int) -> Sequence[StoredSubscription]:
        """Those of the sessions from `first` to `last`."""

    def session_backlog(self, session: int) -> Backlog: ...

    def session_exchange(self, session: int) -> Exchange: ...

    def session_copies(self, session: int, after: int, limit: int) -> Sequence[Owed]:
        """Those with `place` > `after` that were not sent yet, in order, without those that a shared subscription chose
        the session for."""

    def session_shared(self, session: int) -> Sequence[Owed]:
        """The latter, all."""

    def note_all_left(self, at: int) -> None:
        """Every client is away, those that were connected since `at`."""

    def keep_gains(
        self,
        gains: Gains,
        done: Callable[[BridgeError | None], None],
        *,
        joined: bool = False,
        owed: bool = False,
    ) -> None:
        """All or nothing. `joined`: in one transaction with what was given to the store just before. `owed`: the store
        tries again until it is closed, and accounts for what it could not write."""

    def keep_losses(self, losses: Losses, done: Callable[[BridgeError | None], None], *, owed: bool = False) -> None:
        """All or nothing. Needs no room on a full disk. `owed`: as above."""
