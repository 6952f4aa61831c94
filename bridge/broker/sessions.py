"""The sessions of all clients: opened, resumed, taken over, kept for their time, and ended."""

from collections.abc import Callable, Iterator
from functools import partial

from bridge.broker.base import ConnectionListener, DownlinkListener
from bridge.broker.identity import Identity
from bridge.broker.keeping import Keeping
from bridge.broker.kept import KeptState
from bridge.broker.outbound import Outbound
from bridge.broker.plugins import Plugins
from bridge.broker.recall import wake
from bridge.broker.router import Router
from bridge.broker.session import Line, Session
from bridge.broker.settings import MqttSettings
from bridge.broker.wheel import Wheel
from bridge.broker.wills import Wills, row_of
from bridge.mqtt import Connect, ReasonCode, Version

_ROWS = 100
"""What is taken for the number of messages of a session whose messages were not counted."""


class Sessions:
    """`listener` is set before the first connection."""

    listener: DownlinkListener

    def __init__(
        self, settings: MqttSettings, wheel: Wheel, router: Router, outbound: Outbound, plugins: Plugins
    ) -> None:
        self._settings = settings
        self._limits = outbound.limits
        self._wheel = wheel
        self._router = router
        self._outbound = outbound
        self._plugins = plugins
        self._wills = Wills(wheel, router)
        self._sessions: dict[tuple[str, str], Session] = {}
        self._away = 0
        self._devices: dict[int, Session] = {}
        self._kept: dict[int, tuple[Session, ...]] = {}
        """The sessions of a device that outlive their connections."""
        self._ending: dict[tuple[str, str], _Ending] = {}
        """Names of sessions that are no more, and are in the store still."""
        self.watchers: list[ConnectionListener] = []
        self.keeping: Keeping | None = None
        self.stopping = False

    def __iter__(self) -> Iterator[Session]:
        """All of them, connected or not."""
        return iter(self._sessions.values())

    def of_device(self, key: int) -> Session | None:
        """The session of a connected device; it has a line."""
        return self._devices.get(key)

    def make_way(self, client_id: str, identity: Identity, connect: Connect) -> None:
        """What an accepted CONNECT ends: another connection of the client or device, and a session that it does not
        resume. `when_ready` and `open` follow."""
        session = self._sessions.get((identity.project, client_id))  # [MQTT-3.1.2-5] [MQTT-3.1.3-2]
        if session is not None and session.line is not None:  # [MQTT-3.1.4-3]
            session.line.refuse(ReasonCode.SESSION_TAKEN_OVER, "taken over by a new connection")
            session = self._sessions.get((identity.project, client_id))
        if identity.device is not None:
            self._end_other_connection(identity.device.key)
        # [MQTT-3.1.2-4] [MQTT3-3.1.2-6]
        if session is not None and (connect.clean_start or not session.identity.is_same(identity)):
            self._discard(session)

    def when_ready(self, client_id: str, identity: Identity, go_on: Callable[[], None]) -> bool:
        """Whether a session can be opened now. If not, `go_on` is called later: a client that is told that there is no
        session forgets its part of it, so the old one must not come back with the next start of the daemon."""
        ending = self._ending.get((identity.project, client_id))
        if ending is None:
            return True
        ending.waiting.append(go_on)
        return False

    def open(self, client_id: str, identity: Identity, connect: Connect) -> tuple[Session, bool]:
        """The session for an accepted CONNECT, behind `make_way`, and whether it was there before [MQTT-3.1.2-4..6].
        Raises StoreUnavailable."""
        key = (identity.project, client_id)
        session = self._sessions.get(key)
        present = session is not None
        if session is None:
            session = self._sessions[key] = Session(client_id, identity)
        else:
            asleep = session.kept is not None and wake(session, session.kept)
            session.identity = identity
            if asleep:
                self._router.review(session)
            self._away -= 1
            self._forget(session)
        session.resumed = present
        session.will = connect.will  # a will that was still waiting is not sent [MQTT-3.1.3-9] [MQTT3-3.1.2-12]
        session.expiry = self._expiry(connect)
        # [MQTT-4.9.0-1]
        session.window = min(connect.properties.get("receive_maximum", 0xFFFF), self._limits.of(identity).inflight)
        if session.kept is None and session.expiry and self.keeping is not None:  # [MQTT-3.1.2-23]
            session.kept = KeptState(self.keeping, self.keeping.new_key())
            self._note_device(session)
        self._keep(session)
        return session, present

    def attach(self, line: Line, session: Session) -> None:
        """The session's CONNACK is on its way; what it is owed follows [MQTT-4.4.0-1]."""
        session.line = line
        session.starved = False
        session.send_again()
        self._outbound.refill(session)
        self._plugins.connected(session)
        device = session.identity.device
        if device is not None:
            self._devices[device.key] = session
            self._router.device_connected(session, device.device_id)
            for watcher in self.watchers:
                watcher.connected(device.key)
            self.listener.connected(device.key)

    def detach(self, line: Line, *, normal: bool) -> None:
        """The connection is no longer the session's. `normal`: the client said good-bye and wants no will sent
        [MQTT-3.14.4-3]."""
        session = line.session
        if session is None:
            return
        line.session = None
        session.line = None
        session.land()
        self._router.connection_lost(session)
        session.rest()
        self._plugins.disconnected(session)
        device = session.identity.device
        if device is not None and self._devices.get(device.key) is session:
            del self._devices[device.key]
            self._router.device_disconnected(session, device.device_id)
            self.listener.disconnected(device.key)
            for watcher in self.watchers:
                watcher.disconnected(device.key)
        if normal:
            session.will = None
        if self.stopping:
            self._part(session)
        else:
            self._leave(session)

    def end_of_device(self, key: int) -> None:
        """The device was removed: nobody can resume its sessions any more."""
        for session in self._kept.get(key, ()):
            if session.line is None:
                self._discard(session)

    # The time without a connection

    def _leave(self, session: Session) -> None:
        """Keep the session for its time, or end it now."""
        self._away += 1
        if not session.expiry or self._away > self._settings.max_sessions:
            self._discard(session)
            return
        if session.kept is not None and self.keeping is not None:
            session.kept.left_at = self.keeping.now()
        if self._wills.schedule(session):
            self._wills.send(session)
        session.expiry_tick = self._wheel.after(session.expiry)
        self._watch(session)
        self._keep(session, left=True)

    def _watch(self, session: Session) -> None:
        look = session.will_tick if session.will is not None else session.expiry_tick
        session.absence = _Absence(self, session, look)
        self._wheel.watch(session.absence, look)

    def _forget(self, session: Session) -> None:
        """The session is not to be looked at any more."""
        absence, session.absence = session.absence, None
        if absence is not None:
            self._wheel.forget(absence, absence.tick)

    def absent(self, session: Session, now: int) -> int:
        """The wheel looks at a session whose client may be away: what is due, and when to look again."""
        # [MQTT-4.1.0-1]
        if session.line is not None or self._sessions.get((session.identity.project, session.client_id)) is not session:
            return 0
        if now >= session.expiry_tick:
            self._discard(session)
            return 0
        if session.will is not None:
            if now < session.will_tick:
                return session.will_tick
            self._wills.send(session)
            self._keep(session, left=True)
        return session.expiry_tick

    def _discard(self, session: Session) -> None:
        """The session of a client that is away ends: a will that was waiting is sent, everything else is forgotten,
        except what the client retained [MQTT-3.1.2-8] [MQTT-4.1.0-2] [MQTT3-3.1.2-7]."""
        name = (session.identity.project, session.client_id)
        del self._sessions[name]
        session.ended = True
        self._away -= 1
        self._forget(session)
        self._router.unsubscribe_all(session)
        self._wills.send(session)
        kept, key = session.kept, session.identity.device_key
        if kept is None:
            return
        ending = self._ending.setdefault(name, _Ending())
        ending.sessions += 1
        rows = session.queued + len(session.flights) if kept.place >= 0 else _ROWS
        kept.keeping.end_session(kept.key, rows, partial(self._ended, name))
        if key is not None:
            left = tuple(other for other in self._kept.pop(key, ()) if other is not session)
            if left:
                self._kept[key] = left

    def _ended(self, name: tuple[str, str]) -> None:
        """Nothing is stored of a session any more."""
        ending = self._ending[name]
        ending.sessions -= 1
        if not ending.sessions:
            del self._ending[name]
            for go_on in ending.waiting:
                go_on()

    # The end of the daemon, and the start of the next one

    def restore(self, session: Session) -> None:
        """A session of an earlier run of the daemon. `resume` follows when all of them are there."""
        key = (session.identity.project, session.client_id)
        older = self._sessions.get(key)
        if older is not None:  # the daemon was killed while this one replaced it
            older.will = None
            self._discard(older)
        self._sessions[key] = session
        self._away += 1
        self._note_device(session)

    def resume(self, session: Session, since: float) -> None:
        """Its client went away `since` seconds ago: what is due happens now, the rest in its time."""
        if self._sessions.get((session.identity.project, session.client_id)) is not session:
            return
        if since >= session.expiry or self._away > self._settings.max_sessions:
            self._discard(session)
            return
        if session.will is not None and self._wills.schedule(session, since):
            self._wills.send(session)
            self._keep(session, left=True)
        session.expiry_tick = self._wheel.after(session.expiry - since)
        self._watch(session)

    def stop(self) -> None:
        """All connections have ended. Wills of sessions that end with them are for those whose clients will be
        back; the others wait for the next start [MQTT5 3.1.2.5]."""
        self._wills.send_held()
        for session in self._sessions.values():
            if session.kept is not None:
                for packet_id, seq in ((packet_id, seq) for seq, packet_id in session.landed.items()):
                    if session.reserved.get(packet_id) == 1:
                        session.kept.hand_down(packet_id, seq, 1)
        self._sessions.clear()
        self._kept.clear()
        self._away = 0

    def _part(self, session: Session) -> None:
        """The daemon stops. That is nobody's leaving: a session that is kept stays connected in the store, and its time
        and that of its will count from the next start."""
        if session.kept is None or not session.expiry:
            self._wills.hold(session)
            self._away += 1
            self._discard(session)

    def _keep(self, session: Session, *, left: bool = False) -> None:
        """Write down how it is now."""
        kept = session.kept
        if kept is not None:
            kept.left_at = kept.left_at if left else None
            kept.keeping.keep_session(row_of(session, kept.key, kept.left_at))

    def _note_device(self, session: Session) -> None:
        key = session.identity.device_key
        if key is not None:
            self._kept[key] = (*self._kept.get(key, ()), session)

    def _end_other_connection(self, device: int) -> None:
        """One connection a device, whatever client identifiers it uses."""
        other = self._devices.get(device)
        if other is not None and other.line is not None:
            other.line.refuse(ReasonCode.SESSION_TAKEN_OVER, "taken over by a new connection of the device")

    def _expiry(self, connect: Connect) -> int:
        """Seconds. Before 5 a kept session has no end of its own [MQTT-3.1.2-6]; it gets the longest time."""
        longest = self._settings.max_session_expiry
        if connect.version is Version.V5:
            return min(connect.properties.get("session_expiry_interval", 0), longest)
        return 0 if connect.clean_start else longest


class _Ending:
    """Of the sessions of one name."""

    __slots__ = ("sessions", "waiting")

    def __init__(self) -> None:
        self.sessions = 0
        self.waiting: list[Callable[[], None]] = []


class _Absence:
    """A session on the wheel while its client is away, to be looked at when `tick` comes."""

    __slots__ = ("_session", "_sessions", "tick")

    def __init__(self, sessions: Sessions, session: Session, tick: int) -> None:
        self._sessions = sessions
        self._session = session
        self.tick = tick

    def due(self, now: int) -> int:
        self.tick = self._sessions.absent(self._session, now)
        return self.tick
