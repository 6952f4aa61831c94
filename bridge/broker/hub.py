"""The broker's engine as one: connections and downlinks, around sessions and router."""

import asyncio
from collections.abc import Callable

from bridge.broker.base import (
    ConnectionListener,
    Directory,
    Downlink,
    DownlinkListener,
    Handed,
    RetainedStore,
    SessionStore,
    UplinkKeeper,
    UplinkListener,
)
from bridge.broker.complaints import Complaints
from bridge.broker.handshake import Handshake
from bridge.broker.identity import TopicAccess
from bridge.broker.keeping import Keeping
from bridge.broker.limits import Limits
from bridge.broker.login import Login
from bridge.broker.outbound import Outbound
from bridge.broker.plugins import Plugins
from bridge.broker.restoring import restore
from bridge.broker.retained import Retained
from bridge.broker.retained_feed import Feeds
from bridge.broker.router import Router
from bridge.broker.session import Line, Session
from bridge.broker.sessions import Sessions
from bridge.broker.settings import MqttSettings
from bridge.broker.subscribing import Subscribing
from bridge.broker.wheel import Wheel
from bridge.broker.wire import Turns
from bridge.model.clock import Clock, Timekeeper
from bridge.model.message import AcknowledgedBy
from bridge.mqtt import Properties, ProtocolError, Publish, ReasonCode


class Hub:
    """Implements `Downlinks` for delivery. Everything runs in the event loop's thread and nothing waits."""

    listener: DownlinkListener

    def __init__(self, settings: MqttSettings, directory: Directory, clock: Clock, plugins: Plugins) -> None:
        self.settings = settings
        self.limits = Limits(settings)
        self.plugins = plugins
        self._directory = directory
        self._clock = clock
        self._steady = Timekeeper.of(clock).steady
        self._lines: set[Line] = set()
        self._admits: Callable[[int], bool] = lambda _: True
        self.keeping: Keeping | None = None
        loop = asyncio.get_running_loop()
        self.wheel = Wheel(loop)
        self.turns = Turns()
        self.complaints = Complaints(self.wheel)
        access = TopicAccess(settings, directory)
        self.outbound = Outbound(self.limits, plugins, clock)
        self.retained = Retained(settings, clock)
        self.feeds = Feeds(self.retained, self.outbound, access, plugins, clock)
        self.router = Router(settings, access, self.outbound, self.retained)
        self.subscribing = Subscribing(self.router, self.feeds, plugins)
        self.sessions = Sessions(settings, self.wheel, self.router, self.outbound, plugins)
        self._login = Login(directory, settings, plugins, clock)
        self.handshake = Handshake(settings, self._login, access, self.sessions, clock, plugins=plugins)

    def listen(self, listener: DownlinkListener) -> None:
        """To be called before the first connection."""
        self.listener = self.outbound.listener = self.subscribing.listener = self.sessions.listener = listener

    def watch(self, watcher: ConnectionListener) -> None:
        """Somebody besides delivery who hears of connections. To be called before the first one."""
        self.sessions.watchers.append(watcher)

    def hear(self, listener: UplinkListener) -> None:
        """To be called before the first connection."""
        self.router.uplinks.append(listener)

    def keep_with(self, keeper: UplinkKeeper) -> None:
        """Who keeps what devices publish, before it is acknowledged. To be called before the first connection."""
        self.router.keeper = keeper

    def keep_sessions_in(self, store: SessionStore) -> None:
        """Where sessions are that outlive their connections; without, they are in memory. To be called before
        `restore`. Raises StoreUnavailable."""
        self.keeping = self.router.keeping = self.sessions.keeping = Keeping(self._clock, store)

    def retain_in(self, store: RetainedStore) -> None:
        """Where retained messages survive a restart. To be called before the first connection. Raises
        StoreUnavailable."""
        self.retained.open(store)

    # Connections

    def connected(self, device: int) -> bool:
        return self.sessions.of_device(device) is not None

    def disconnect(self, device: int) -> None:
        """End the device's connection, if it has one; it may come again."""
        session = self.sessions.of_device(device)
        if session is not None and session.line is not None:
            session.line.refuse(ReasonCode.ADMINISTRATIVE_ACTION, "disconnected by an administrator")

    def admit_by(self, admits: Callable[[int], bool]) -> None:
        """`admits(descriptor)`: whether a new connection may keep its file descriptor. To be called before the first
        one."""
        self._admits = admits

    def opened(self, line: Line) -> None:
        self._lines.add(line)
        line.listener.connections += 1
        if not self._admits(line.descriptor):
            line.abort()
            return
        crowded = line.listener.connections > line.listener.max_connections
        if crowded or len(self._lines) > self.settings.max_connections:
            line.refuse(ReasonCode.SERVER_BUSY, "too many connections", answer=False)

    def closed(self, line: Line) -> None:
        self._lines.discard(line)
        line.listener.connections -= 1

    def shut_down(self) -> None:
        """End all connections [MQTT-4.13.2]."""
        self.router.closing = self.sessions.stopping = True
        for line in list(self._lines):
            line.end(ReasonCode.SERVER_SHUTTING_DOWN, "the daemon stops")
        self.sessions.stop()

    def close(self) -> None:
        """Behind `shut_down`: clients that have not closed their side of the connection are not waited for."""
        for line in list(self._lines):
            line.close()

    async def restore(self) -> None:
        """The sessions that were kept are there when this returns. Raises StoreUnavailable."""
        if self.keeping is not None:
            await restore(self.sessions, self.router, self.keeping)

    async def finish(self) -> None:
        """Behind `shut_down`: what is kept of sessions is written."""
        if self.keeping is not None:
            await self.keeping.finish()

    def device_changed(self, key: int) -> None:
        """The device was changed. Its connection goes on unless it was frozen or removed: a new secret is for the next
        one. The sessions of a device that was removed end."""
        device = self._directory.device_by_key(key)
        if self.connected(key) and (device is None or device.frozen):
            self.disconnect(key)
        if device is None:
            self.sessions.end_of_device(key)

    def tokens_changed(self) -> None:
        """Tokens were added, rotated or revoked: the connections of admins whose token opens nothing any more end.

        Raises StoreUnavailable.
        """
        admins = [session for session in self.sessions if session.identity.token and session.line is not None]
        for session in admins:
            if session.line is not None and not self._login.still_opens(session.identity):
                session.line.refuse(ReasonCode.NOT_AUTHORIZED, "the token was revoked")

    def broadcast(self, project: str, topic: str, payload: bytes, ttl: int) -> int:
        """To all connected clients that have subscribed, each at the QoS of its subscription, at most 1; says how many.
        With a `ttl`, in seconds, also to sessions whose client comes back within that time."""
        publish = Publish(topic, payload, qos=1)
        if ttl:
            publish.properties["message_expiry_interval"] = ttl
        return self.router.route(project, publish, connected_only=not ttl)

    # Downlinks

    def room(self, device: int) -> int:
        session = self.sessions.of_device(device)
        if session is None or session.line is None:
            return 0
        room = 0 if session.line.congested else session.room
        session.starved = not room
        return room

    def send(self, device: int, downlink: Downlink) -> Handed:
        session = self.sessions.of_device(device)
        line = session.line if session is not None else None
        if session is None or line is None:
            return Handed.OFFLINE
        if session.kept is not None and downlink.seq in session.kept.delivered:
            told = (AcknowledgedBy.DEVICE, ReasonCode.SUCCESS, None)
            asyncio.get_running_loop().call_soon(self.listener.acknowledged, device, downlink.seq, *told)
            return Handed.SENT
        return self._offer(line, session, downlink)

    def _offer(self, line: Line, session: Session, downlink: Downlink) -> Handed:
        grant = session.granted(downlink.topic, self.settings.downlink_qos)
        if grant is None:
            return Handed.NOT_SUBSCRIBED
        qos = grant.qos
        if line.congested or (qos and not session.room):
            session.starved = True
            return Handed.BUSY
        if session.landed:  # sent on an earlier connection, perhaps by an earlier run of the daemon
            downlink.packet_id = session.landed.pop(downlink.seq, downlink.packet_id)
        packet_id = session.next_packet_id(downlink.packet_id) if qos else 0
        downlink.properties["message_expiry_interval"] = downlink.seconds_left(self._steady())
        again = qos > 0 and downlink.packet_id > 0
        properties = downlink.properties
        if grant.identifiers:  # [MQTT-3.3.4-3]
            properties = Properties(**properties, subscription_identifiers=list(grant.identifiers))
        publish = Publish(downlink.topic, downlink.payload, qos, False, again, packet_id, properties)
        try:
            if not self.outbound.hand_down(line, session, publish, downlink):
                return Handed.TOO_LARGE
        except ProtocolError:
            return Handed.UNSENDABLE
        downlink.packet_id = packet_id
        return Handed.SENT
