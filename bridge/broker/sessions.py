"""The sessions of all clients: opened, resumed, taken over, kept for their time, and ended."""

import logging
from collections import deque

from bridge.broker.base import ConnectionListener, DownlinkListener
from bridge.broker.identity import Identity
from bridge.broker.outbound import Outbound
from bridge.broker.plugins import Plugins
from bridge.broker.router import Router
from bridge.broker.session import Line, Session
from bridge.broker.settings import MqttSettings
from bridge.broker.wheel import Wheel
from bridge.mqtt import Connect, ReasonCode, Version

_log = logging.getLogger(__name__)


class Sessions:
    """`listener` is set before the first connection."""

    listener: DownlinkListener

    def __init__(
        self, settings: MqttSettings, wheel: Wheel, router: Router, outbound: Outbound, plugins: Plugins
    ) -> None:
        self._settings = settings
        self._wheel = wheel
        self._router = router
        self._outbound = outbound
        self._plugins = plugins
        self._sessions: dict[tuple[str, str], Session] = {}
        self._away = 0
        self._devices: dict[int, Session] = {}
        self.watchers: list[ConnectionListener] = []

    def of_device(self, key: int) -> Session | None:
        """The session of a connected device; it has a line."""
        return self._devices.get(key)

    def open(self, client_id: str, identity: Identity, connect: Connect) -> tuple[Session, bool]:
        """The session for an accepted CONNECT, and whether it was there before [MQTT-3.1.2-4..6]."""
        key = (identity.project, client_id)
        session = self._sessions.get(key)
        if session is not None and session.line is not None:  # [MQTT-3.1.4-3]
            session.line.refuse(ReasonCode.SESSION_TAKEN_OVER, "taken over by a new connection")
            session = self._sessions.get(key)
        if identity.device is not None:
            self._end_other_connection(identity.device.key)
        if session is not None and (connect.clean_start or not session.identity.is_same(identity)):
            self._discard(session)
            session = None
        present = session is not None
        if session is None:
            session = self._sessions[key] = Session(client_id, identity)
        else:
            session.identity = identity
            self._away -= 1
        session.will = connect.will  # a will that was still waiting is not sent [MQTT-3.1.3-9]
        session.expiry = self._expiry(connect)
        session.window = min(connect.properties.get("receive_maximum", 0xFFFF), self._settings.max_inflight)
        return session, present

    def attach(self, line: Line, session: Session) -> None:
        """The session's CONNACK is on its way; what it is owed follows [MQTT-4.4.0-1]."""
        session.line = line
        session.starved = False
        session.unsent = deque(session.flights)
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
        session.forget_downlinks()
        self._router.connection_lost(session)
        _log.info("client disconnected", extra={"client": session.client_id, "device": session.identity.name})
        self._plugins.disconnected(session)
        device = session.identity.device
        if device is not None and self._devices.get(device.key) is session:
            del self._devices[device.key]
            self._router.device_disconnected(session, device.device_id)
            self.listener.disconnected(device.key)
            for watcher in self.watchers:
                watcher.disconnected(device.key)
        self._leave(session, normal)

    def _leave(self, session: Session, normal: bool) -> None:
        """Keep the session for its time, or end it now."""
        will = None if normal else session.will
        session.will = will
        self._away += 1
        if not session.expiry or self._away > self._settings.max_sessions:
            self._away -= 1
            self._discard(session, away=False)
            return
        delay = will.properties.get("will_delay_interval", 0) if will is not None else 0
        session.will_tick = self._wheel.after(min(delay, session.expiry))  # [MQTT5 3.1.3.2.2] whichever comes first
        session.expiry_tick = self._wheel.after(session.expiry)
        if will is not None and not delay:
            self._router.send_will(session)
        look = session.will_tick if session.will is not None else session.expiry_tick
        if session.absence is None or session.absence.tick > look:
            session.absence = _Absence(self, session, look)
            self._wheel.watch(session.absence, look)

    def absent(self, session: Session, now: int) -> int:
        """The wheel looks at a session whose client may be away: what is due, and when to look again."""
        if session.line is not None or self._sessions.get((session.identity.project, session.client_id)) is not session:
            return 0
        if now >= session.expiry_tick:
            self._discard(session)
            return 0
        if session.will is not None and now < session.will_tick:
            return session.will_tick
        self._router.send_will(session)
        return session.expiry_tick

    def _discard(self, session: Session, *, away: bool = True) -> None:
        """The session ends: a will that was waiting is sent, everything else is forgotten [MQTT-3.1.2-8]."""
        del self._sessions[session.identity.project, session.client_id]
        self._away -= away
        self._router.unsubscribe_all(session)
        self._router.send_will(session)

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


class _Absence:
    """A session on the wheel while its client is away, to be looked at when `tick` comes.

    A session has one that counts; others still on the wheel do nothing.
    """

    __slots__ = ("_session", "_sessions", "tick")

    def __init__(self, sessions: Sessions, session: Session, tick: int) -> None:
        self._sessions = sessions
        self._session = session
        self.tick = tick

    def due(self, now: int) -> int:
        if self._session.absence is not self:
            return 0
        self.tick = self._sessions.absent(self._session, now)
        if not self.tick:
            self._session.absence = None
        return self.tick
