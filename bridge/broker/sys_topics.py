"""amqtt's `$SYS` plug-in with the figures of this engine.

The original counts by an event, so a task, for every packet, walks over all sessions, and reports as the maximum of
clients how many there are now. Its topics, its interval and its figures of the process stay.
"""

import asyncio
from typing import Any

from amqtt.broker import BrokerContext
from amqtt.plugins.sys.broker import BrokerSysPlugin
from amqtt.session import Session

from bridge import __version__
from bridge.broker.census import Census
from bridge.broker.traffic import Traffic


class _Context(BrokerContext):
    """There is nothing to walk over."""

    sessions: Any = ()
    subscriptions: Any = {}  # noqa: RUF012  read by the original, changed by nobody
    retained_messages: Any = {}  # noqa: RUF012

    def __init__(self, context: BrokerContext) -> None:
        super().__init__(context._broker_instance)
        self.config = context.config
        self.logger = context.logger
        self.loop = context.loop

    async def retain_message(self, topic_name: str, data: bytes | bytearray, qos: int | None = None) -> None:
        """Retained messages outlive the daemon, so a figure of another day, or version, would be told."""


class SysTopics(BrokerSysPlugin):
    """What `amqtt.plugins.sys.broker.BrokerSysPlugin` is here."""

    on_mqtt_packet_received: Any = None
    on_mqtt_packet_sent: Any = None

    def __init__(self, context: BrokerContext) -> None:
        super().__init__(_Context(context))
        broker: Any = context._broker_instance
        self._broker = broker
        self._traffic: Traffic = broker.traffic
        self._figures: dict[str, int | str] = {}
        self._now = self._most = 0

    async def on_broker_post_start(self) -> None:
        self._figures = {"version": _VERSION}
        await super().on_broker_post_start()

    async def on_broker_client_connected(self, client_id: str, client_session: Session) -> None:
        self._now += 1
        self._most = max(self._most, self._now)

    async def on_broker_client_disconnected(self, client_id: str, client_session: Session) -> None:
        self._now -= 1

    def broadcast_dollar_sys_topics(self) -> None:
        """In the turn in which they are counted."""
        self._figures = self._count()
        self.schedule_broadcast_sys_topic("version", b"")
        super().broadcast_dollar_sys_topics()

    def schedule_broadcast_sys_topic(self, topic_basename: str, data: bytes) -> asyncio.Task[None]:
        figure = self._figures.get(topic_basename)
        return super().schedule_broadcast_sys_topic(topic_basename, data if figure is None else str(figure).encode())

    def _count(self) -> dict[str, int | str]:
        traffic, census = self._traffic, Census.take(self._broker.hub.sessions)
        return {
            "version": _VERSION,
            "load/bytes/received": traffic.bytes_received,
            "load/bytes/sent": traffic.bytes_sent,
            "messages/received": traffic.packets_received,
            "messages/sent": traffic.packets_sent,
            "messages/publish/received": traffic.publishes_received,
            "messages/publish/sent": traffic.publishes_sent,
            "clients/connected": census.connected,
            "clients/disconnected": census.away,
            "clients/maximum": max(self._most, census.connected),
            "clients/total": census.connected + census.away,
            "messages/inflight": census.inflight_in + census.inflight_out,
            "messages/inflight/in": census.inflight_in,
            "messages/inflight/out": census.inflight_out,
            "messages/inflight/stored": census.queued,
            "messages/retained/count": len(self._broker.hub.retained),
            "messages/subscriptions/count": census.subscriptions,
        }


_VERSION = f"device-bridge {__version__}"
