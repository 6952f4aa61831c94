"""What is kept of a client's MQTT session while the client is away, or the daemon: as the broker hands it to a store,
and gets it back.

A session is named by `key`, a number that no other session has, earlier or later. Messages are PUBLISH packets of
MQTT 5, encoded. Times are steady time (`bridge.model.clock`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias


class StoredSession(NamedTuple):
    key: int
    project: str
    client_id: str
    device: int | None
    """The key of the device, for the session of one."""
    unrestricted: bool
    expiry: int
    """Seconds."""
    left_at: int | None
    """Since when its client is away; None while it is connected."""
    will_delay: int
    """Seconds."""
    will: bytes | None


class StoredSubscription(NamedTuple):
    session: int
    filter: str
    options: int
    """As in the SUBSCRIBE [MQTT5 3.8.3.1]."""
    identifier: int
    """0 for none."""


class StoredMessage(NamedTuple):
    """One for all sessions that are owed it alike."""

    key: int
    expires_at: int
    """0 for never."""
    packet: bytes


class StoredCopy(NamedTuple):
    """That a session is owed a message. `place` grows with every message of the session."""

    session: int
    place: int
    message: int
    size: int
    """Bytes that count for the bounds of the session."""
    packet_id: int
    """0 before it is sent."""
    released: bool
    """QoS 2: the client has it (PUBREC)."""
    share: str
    """The shared subscription that chose the session for it, or nothing."""


class StoredDownlink(NamedTuple):
    """That a message of an application, which waits in its device's queue, was sent with this packet identifier."""

    session: int
    packet_id: int
    seq: int
    """Negative once the client has it (PUBREC): then nothing of it is sent again but the PUBREL. 0 is the same, from an
    earlier version."""
    qos: int


class Owed(NamedTuple):
    """A copy together with its message."""

    copy: StoredCopy
    expires_at: int
    packet: bytes


class Backlog(NamedTuple):
    """Of the copies that were not sent yet: how many, and their sizes together. `last`: the greatest place of all."""

    copies: int
    size: int
    last: int


class Exchange(NamedTuple):
    """What was under way with a client: `sent` in the order of the first sending."""

    sent: Sequence[Owed]
    received: Sequence[int]
    """Packet identifiers of QoS 2 messages that the client has not released."""
    downlinks: Sequence[StoredDownlink]


Place: TypeAlias = tuple[int, int]
"""Of a copy: its session and place."""
Numbered: TypeAlias = tuple[int, int]
"""A session and a packet identifier."""


@dataclass(slots=True)
class Gains:
    """What is to be stored."""

    sessions: dict[int, StoredSession] = field(default_factory=dict)
    """New or changed, by key."""
    subscriptions: dict[tuple[int, str], StoredSubscription] = field(default_factory=dict)
    messages: dict[int, StoredMessage] = field(default_factory=dict)
    copies: dict[Place, StoredCopy] = field(default_factory=dict)
    received: set[Numbered] = field(default_factory=set)
    downlinks: dict[Numbered, StoredDownlink] = field(default_factory=dict)
    told: list[Callable[[bool], None]] = field(default_factory=list)
    """Who waits for the commit; False: it failed."""

    def __bool__(self) -> bool:
        return bool(
            self.sessions
            or self.subscriptions
            or self.copies
            or self.received
            or self.downlinks
            or self.messages
            or self.told
        )


@dataclass(slots=True)
class Losses:
    """What is to be removed, or to move towards that. Whoever is gone already is passed over."""

    sessions: set[int] = field(default_factory=set)
    """With all that belongs to them."""
    subscriptions: set[tuple[int, str]] = field(default_factory=set)
    copies: set[Place] = field(default_factory=set)
    moved: dict[Place, tuple[int, bool]] = field(default_factory=dict)
    """To a packet identifier, and whether it is released."""
    released: set[Numbered] = field(default_factory=set)
    """Downlinks that the client has (PUBREC)."""
    received: set[Numbered] = field(default_factory=set)
    downlinks: set[Numbered] = field(default_factory=set)
    told: list[Callable[[], None]] = field(default_factory=list)
    """Who waits for the commit; it is tried until it succeeds."""

    def __bool__(self) -> bool:
        return bool(
            self.sessions
            or self.subscriptions
            or self.copies
            or self.moved
            or self.released
            or self.received
            or self.downlinks
            or self.told
        )
