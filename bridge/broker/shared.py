"""Shared subscriptions: each message to one of the sessions that share it [MQTT5 4.8.2]."""

from collections import OrderedDict
from typing import TypeAlias

from bridge.broker.grant import Grant
from bridge.broker.session import Session

_Turns: TypeAlias = "OrderedDict[Session, None]"
"""Who is next comes first."""


class Share:
    """One `$share/name/filter` of a project. Finding who gets a message costs the same for ten members or ten thousand:
    each one is found busy once, and looked at again when its window or its connection has changed (`place`)."""

    __slots__ = ("_away", "_busy", "_ready", "filter", "members")

    def __init__(self, topic_filter: str) -> None:
        self.filter = topic_filter
        self.members: dict[Session, Grant] = {}
        """Each at its own QoS [MQTT-4.8.2-3]."""
        self._ready: _Turns = OrderedDict()
        self._busy: _Turns = OrderedDict()
        """Connected, with no room in the window: what they get waits."""
        self._away: _Turns = OrderedDict()
        """Those whose connection is gone and whose session is kept, as far as anything is kept for them."""

    @property
    def connected(self) -> bool:
        """Whether a member is connected."""
        return bool(self._ready or self._busy)

    def join(self, session: Session, grant: Grant) -> None:
        """A session that is a member already stays one, with the new options."""
        if session not in self.members:
            session.shares = (*session.shares, self)
        self.members[session] = grant
        self.place(session)

    def leave(self, session: Session) -> bool:
        """Whether a member is left; without one the shared subscription is no more."""
        if self.members.pop(session, None) is not None:
            session.shares = tuple(share for share in session.shares if share is not self)
            for turns in (self._ready, self._busy, self._away):
                turns.pop(session, None)
        return bool(self.members)

    def place(self, session: Session) -> None:
        """The connection of the member, its window or its grant is another than before."""
        place = self._place(session)
        for turns in (self._ready, self._busy, self._away):
            if turns is not place:
                turns.pop(session, None)
        if place is not None:
            place.setdefault(session)

    def choose(self, *, kept: bool = True) -> Session | None:
        """Whose turn it is: connected with room in the window, else connected, else (`kept`) away. Each in turn."""
        while self._ready:
            session = next(iter(self._ready))
            if session.ready:
                self._ready.move_to_end(session)
                return session
            del self._ready[session]
            self._busy[session] = None
        for turns in (self._busy, self._away) if kept else (self._busy,):
            if turns:
                session = next(iter(turns))
                turns.move_to_end(session)
                return session
        return None

    def _place(self, session: Session) -> "_Turns | None":
        if session.line is None:
            return self._away if self.members[session].qos else None
        return self._ready if session.ready else self._busy
