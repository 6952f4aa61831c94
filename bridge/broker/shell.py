"""amqtt's `Broker` as the shell: its configuration, listeners, life cycle and plug-ins, around our own engine.

Every override of an amqtt method stands here with its reason; `tests/broker/test_shell.py` fails when one of the names
disappears from amqtt.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerType
from amqtt.errors import BrokerError

from bridge.broker.hub import Hub
from bridge.broker.link import Link
from bridge.broker.plugin_options import typed_options
from bridge.broker.plugin_session import PluginSession
from bridge.broker.plugins import Plugins
from bridge.broker.settings import MqttSettings
from bridge.broker.tls import server_context
from bridge.broker.topic_plugins import TopicPlugins
from bridge.broker.traffic import CountedLink, Traffic
from bridge.model.device import DEFAULT_PROJECT
from bridge.model.errors import BadSettings
from bridge.mqtt import Publish

_PLAIN, _TLS = "default", "tls"
"""Names of the listeners."""
_SYS_PLUGIN, _SYS_TOPICS = "amqtt.plugins.sys.broker.BrokerSysPlugin", "bridge.broker.sys_topics.SysTopics"
"""amqtt's plug-in, and the subclass of it that counts what our engine does."""
_BACKLOG = 4096
"""Connections the kernel queues while a reconnect storm is worked off."""


class Shell(Broker):
    def __init__(self, settings: MqttSettings, hub: Hub, plugins: Plugins) -> None:
        self._tls = tls_context(settings)
        config = BrokerConfig.from_dict(
            {
                "listeners": listeners(settings),
                "plugins": plugins_config(settings),
            }
        )
        self.hub = hub
        self.traffic = Traffic()
        self._counts = _SYS_PLUGIN in settings.plugins
        self._handshake_time = settings.connect_timeout
        super().__init__(config)  # the plug-ins are made here, and see what stands above
        plugins.load(self.plugins_manager, TopicPlugins(settings))

    @property
    def address(self) -> tuple[str, int]:
        """Where the plain listener is bound; port 0 of the configuration is resolved here."""
        return self._address(_PLAIN)

    @property
    def tls_address(self) -> tuple[str, int]:
        """The same of the TLS listener, if there is one."""
        return self._address(_TLS)

    def _address(self, listener: str) -> tuple[str, int]:
        first, *_ = self._servers[listener].instance.sockets
        host, port = first.getsockname()[:2]
        return host, port

    def new_link(self) -> Link:
        """For a new connection."""
        return CountedLink(self.hub, self.traffic) if self._counts else Link(self.hub)

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
        """amqtt reads packets through asyncio streams, with a task for each client; ours is a protocol without any. And
        amqtt's TLS asks for client certificates also where none can be accepted."""
        if listener_type is not ListenerType.TCP:
            raise BrokerError(f"listener {listener_name!r}: only TCP is supported")
        host = address.strip("[]") if address else None
        return await asyncio.get_running_loop().create_server(
            self.new_link,
            host,
            port,
            backlog=_BACKLOG,
            reuse_address=True,
            ssl=self._tls if ssl_context else None,
            ssl_handshake_timeout=self._handshake_time if ssl_context else None,
        )

    @property
    def sessions(self) -> dict[str, tuple[Any, Any]]:
        """What plug-ins see of our sessions; amqtt's own are never filled. Plug-ins know one project."""
        return {
            session.client_id: (PluginSession.of_session(session), None)
            for session in self.hub.sessions
            if session.identity.project == DEFAULT_PROJECT
        }

    @property
    def subscriptions(self) -> dict[str, list[tuple[Any, int]]]:
        """The same of our subscriptions."""
        found: dict[str, list[tuple[Any, int]]] = {}
        for known, _ in self.sessions.values():
            for topic_filter, subscription in known.session.subscriptions.items():
                found.setdefault(topic_filter, []).append((known, subscription.qos))
        return found

    async def _session_monitor(self) -> None:
        """amqtt looks at all its sessions every second; ours are on the wheel."""

    async def internal_message_broadcast(self, topic: str, data: bytes, qos: int | None = None) -> None:
        """What plug-ins publish goes through our subscriptions."""
        self.hub.router.route(DEFAULT_PROJECT, Publish(topic, bytes(data), qos or 0))

    async def retain_message(
        self, source_session: Any, topic_name: str | None, data: Any, qos: int | None = None
    ) -> None:
        """Retained messages are not available."""


def plugins_config(settings: MqttSettings) -> dict[str, dict[str, Any]]:
    """As amqtt's configuration has them. Raises BrokerError."""
    wrong = [path for path, options in settings.plugins.items() if not isinstance(options or {}, Mapping)]
    if wrong:
        raise BrokerError(f"{wrong[0]}: the options of a plug-in are a table")
    return {
        _SYS_TOPICS if path == _SYS_PLUGIN else path: typed_options(path, options or {})
        for path, options in settings.plugins.items()
    }


def listeners(settings: MqttSettings) -> dict[str, dict[str, Any]]:
    """As amqtt's configuration has them."""
    plain = {"type": "tcp", "bind": settings.bind}
    if not settings.tls_bind:
        return {_PLAIN: plain}
    files = {"certfile": settings.tls_certfile, "keyfile": settings.tls_keyfile}
    return {_PLAIN: plain, _TLS: {"type": "tcp", "bind": settings.tls_bind, "ssl": True, **files}}


def tls_context(settings: MqttSettings) -> ssl.SSLContext | None:
    """Raises BadSettings."""
    if not settings.tls_bind:
        return None
    try:
        return server_context(settings.tls_certfile, settings.tls_keyfile, settings.tls_cafile)
    except OSError as error:
        names = "mqtt.tls_certfile, mqtt.tls_keyfile, mqtt.tls_cafile"
        raise BadSettings(f"{names}: {error.strerror or error}") from error
