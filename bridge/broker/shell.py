"""amqtt's `Broker` as the shell: its configuration, listeners, life cycle and plug-ins, around our own engine.

Every override of an amqtt method stands here with its reason; `tests/broker/test_shell.py` fails when one of the names
disappears from amqtt.
"""

import asyncio
import ssl
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerType
from amqtt.errors import BrokerError
from amqtt.plugins.base import BaseTopicPlugin

from bridge.broker.hub import Hub
from bridge.broker.link import Link
from bridge.broker.plugins import Plugins
from bridge.broker.settings import MqttSettings
from bridge.model.device import DEFAULT_PROJECT
from bridge.mqtt import Publish

_BACKLOG = 4096
"""Connections the kernel queues while a reconnect storm is worked off."""


class Shell(Broker):
    def __init__(self, settings: MqttSettings, hub: Hub, plugins: Plugins) -> None:
        config = BrokerConfig.from_dict(
            {
                "listeners": {"default": {"type": "tcp", "bind": settings.bind}},
                "plugins": {path: dict(options or {}) for path, options in settings.plugins.items()},
            }
        )
        super().__init__(config)
        self.hub = hub
        plugins.load(self.plugins_manager)
        topic_plugins = [type(p).__name__ for p in self.plugins_manager.plugins if isinstance(p, BaseTopicPlugin)]
        if topic_plugins:
            raise BrokerError(f"topic plug-ins are not supported: {', '.join(topic_plugins)}")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the listeners are bound; port 0 of the configuration is resolved here."""
        return [sock.getsockname()[:2] for server in self._servers.values() for sock in server.instance.sockets]

    def close_listeners(self) -> None:
        """Accept no more connections; amqtt closes its listeners last."""
        for server in self._servers.values():
            server.instance.close()

    async def _create_server_instance(
        self,
        listener_name: str,
        listener_type: ListenerType,
        address: str | None,
        port: int,
        ssl_context: ssl.SSLContext | None,
    ) -> Any:
        """amqtt reads packets through asyncio streams, with a task for each client; ours is a protocol without any."""
        if listener_type is not ListenerType.TCP:
            raise BrokerError(f"listener {listener_name!r}: only TCP is supported")
        host = address.strip("[]") if address else None
        return await asyncio.get_running_loop().create_server(
            lambda: Link(self.hub), host, port, ssl=ssl_context, backlog=_BACKLOG, reuse_address=True
        )

    async def _session_monitor(self) -> None:
        """amqtt looks at all its sessions every second; ours are on the wheel."""

    async def internal_message_broadcast(self, topic: str, data: bytes, qos: int | None = None) -> None:
        """What plug-ins publish goes through our subscriptions."""
        self.hub.router.route(DEFAULT_PROJECT, Publish(topic, bytes(data), qos or 0))

    async def retain_message(
        self, source_session: Any, topic_name: str | None, data: Any, qos: int | None = None
    ) -> None:
        """Retained messages are not available."""
