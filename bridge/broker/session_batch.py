"""What changed of kept sessions between two writes to the store, and what of it is left when a write fails."""

from collections.abc import Iterable, Sequence

from bridge.model.session import Gains, Losses, Place, StoredSession, StoredSubscription
from bridge.mqtt import Publish


class SessionBatch:
    """Changes that are given to the store together: gains and losses, each all or nothing.

    No key is on both sides: a later change takes the earlier one back. `writes` counts the writes that are under way.
    """

    __slots__ = ("gains", "losses", "messages", "owners", "writes")

    def __init__(self) -> None:
        self.gains = Gains()
        self.losses = Losses()
        self.messages: dict[int, tuple[Publish, int]] = {}
        """Message and key, by the identity of the message: many sessions hold the same object."""
        self.owners: dict[int, Unstored] = {}
        """By session: who is told which of its copies could not be stored."""
        self.writes = 0

    def __bool__(self) -> bool:
        return bool(self.gains or self.losses)

    def trim(self) -> None:
        """Leave out what nobody needs any more: rows of sessions that end, and messages without a copy."""
        gains, ended = self.gains, self.losses.sessions
        if ended:
            gains.subscriptions = {name: row for name, row in gains.subscriptions.items() if name[0] not in ended}
            gains.copies = {place: row for place, row in gains.copies.items() if place[0] not in ended}
            gains.received = {each for each in gains.received if each[0] not in ended}
            gains.downlinks = {each: row for each, row in gains.downlinks.items() if each[0] not in ended}
        used = {copy.message for copy in gains.copies.values()}
        if len(used) < len(gains.messages):
            gains.messages = {key: row for key, row in gains.messages.items() if key in used}

    def take_over_losses(self, failed: Losses, later: Sequence["SessionBatch"]) -> None:
        """The write of `failed` failed. `later`: the batches behind it, this one included. What they say counts."""
        ours, gained, lost = self.losses, [batch.gains for batch in later], [batch.losses for batch in later]
        ours.sessions |= failed.sessions
        ours.subscriptions |= failed.subscriptions.difference(*(gains.subscriptions for gains in gained))
        ours.copies |= failed.copies
        said: set[Place] = set().union(*(losses.moved for losses in lost), *(losses.copies for losses in lost))
        ours.moved.update({place: moved for place, moved in failed.moved.items() if place not in said})
        ours.received |= failed.received.difference(*(gains.received for gains in gained))
        ours.released |= failed.released.difference(*(gains.downlinks for gains in gained))
        ours.downlinks |= failed.downlinks.difference(*(gains.downlinks for gains in gained))
        ours.told[:0] = failed.told


class Unstored:
    """Who has to know of copies that could not be stored."""

    __slots__ = ()

    def not_stored(self, place: int, share: str) -> None:
        """`share`: the shared subscription that chose the session for the message, or nothing."""
        raise NotImplementedError


class Again:
    """Sessions and subscriptions whose write failed, until they are written again."""

    __slots__ = ("sessions", "subscriptions")

    def __init__(self) -> None:
        self.sessions: dict[int, StoredSession] = {}
        self.subscriptions: dict[tuple[int, str], StoredSubscription] = {}

    def __bool__(self) -> bool:
        return bool(self.sessions or self.subscriptions)

    def add(self, failed: Gains, later: Iterable[SessionBatch], ending: Iterable[int]) -> None:
        """`later`: the batches behind the one that failed; `ending`: sessions whose end is in none of them yet."""
        ended, sessions = set(ending), set[int]()
        subscriptions = set[tuple[int, str]]()
        for batch in later:
            ended |= batch.losses.sessions
            sessions |= batch.gains.sessions.keys()
            subscriptions |= batch.gains.subscriptions.keys() | batch.losses.subscriptions
        for key, row in failed.sessions.items():
            if key not in ended and key not in sessions:
                self.sessions[key] = row
        for name, subscription in failed.subscriptions.items():
            if name[0] not in ended and name not in subscriptions:
                self.subscriptions[name] = subscription

    def end(self, session: int) -> None:
        self.sessions.pop(session, None)
        if self.subscriptions:
            self.subscriptions = {name: row for name, row in self.subscriptions.items() if name[0] != session}

    def move_to(self, gains: Gains) -> None:
        """They go with these."""
        for key, row in self.sessions.items():
            gains.sessions.setdefault(key, row)
        for name, subscription in self.subscriptions.items():
            gains.subscriptions.setdefault(name, subscription)
        self.sessions, self.subscriptions = {}, {}
