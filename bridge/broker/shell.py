"""amqtt's `Broker` as the shell: its configuration, listeners, life cycle and plug-ins, around our own engine.

Every override of an amqtt method stands here with its reason; `tests/broker/test_shell.py` fails when one of the names
disappears from amqtt.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import BrokerError

from bridge import listening
from bridge.broker.hub import Hub
from bridge.broker.link import Link
from bridge.broker.listeners import Listener
from bridge.broker.plugin_options import typed_options
from bridge.broker.plugin_session import PluginSession
from bridge.broker.plugins import Plugins
from bridge.broker.settings import MqttSettings
from bridge.broker.tls_transport import TlsTransport
from bridge.broker.topic_plugins import TopicPlugins
from bridge.broker.traffic import CountedLink, Traffic
from bridge.broker.websocket import WebSocket
from bridge.model.device import DEFAULT_PROJECT
from bridge.mqtt import Publish

_SYS_PLUGIN, _SYS_TOPICS = "amqtt.plugins.sys.broker.BrokerSysPlugin", "bridge.broker.sys_topics.SysTopics"
"""amqtt's plug-in, and the subclass of it that counts what our engine does."""
_BACKLOG = 4096
"""Connections the kernel queues while a reconnect storm is worked off."""


class Shell(Broker):
    def __init__(self, settings: MqttSettings, hub: Hub, plugins: Plugins, listeners: list[Listener]) -> None:
        config = BrokerConfig.from_dict({"plugins": plugins_config(settings)})
        # Not through from_dict, which gives each listener what another one, called default, has.
        config.listeners = {each.name: _for_amqtt(each) for each in listeners}
        self.hub = hub
        self.traffic = Traffic()
        self._counts = _SYS_PLUGIN in settings.plugins
        self._configured = {each.name: each for each in listeners}
        super().__init__(config)  # the plug-ins are made here, and see what stands above
        plugins.load(self.plugins_manager, TopicPlugins(settings))

    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where each listener is bound, by its name; port 0 of the configuration is resolved here."""
        return {name: _bound(server.instance) for name, server in self._servers.items()}

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
        """amqtt reads packets through asyncio streams, with a task for each client; ours is a protocol without any,
        also over WebSocket and TLS, see `tls_transport`."""
        listener = self._configured[listener_name]
        try:
            return await asyncio.get_running_loop().create_server(
                lambda: self._connection(listener),
                address.strip("[]") if address else None,
                port,
                backlog=_BACKLOG,
                reuse_address=True,
            )
        except OSError as error:
            raise listening.refusal(listener.setting, listener.bind, error) from error

    def _connection(self, listener: Listener) -> asyncio.Protocol:
        counted = self._counts
        link = CountedLink(self.hub, listener, self.traffic) if counted else Link(self.hub, listener)
        protocol = WebSocket(link, listener) if listener.paths else link
        return TlsTransport(listener.tls.context, link, protocol) if listener.tls is not None else protocol

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
        """What plug-ins retain is the last message of its topic; without data there is none any more."""
        if topic_name and self.hub.retained.available:
            sender = getattr(source_session, "client_id", None) or ""
            publish = Publish(topic_name, bytes(data or b""), qos or 0, retain=True)
            self.hub.retained.keep(DEFAULT_PROJECT, publish, sender)


def plugins_config(settings: MqttSettings) -> dict[str, dict[str, Any]]:
    """As amqtt's configuration has them. Raises BrokerError."""
    wrong = [path for path, options in settings.plugins.items() if not isinstance(options or {}, Mapping)]
    if wrong:
        raise BrokerError(f"{wrong[0]}: the options of a plug-in are a table")
    return {
        _SYS_TOPICS if path == _SYS_PLUGIN else path: typed_options(path, options or {})
        for path, options in settings.plugins.items()
    }


def _for_amqtt(listener: Listener) -> ListenerConfig:
    kind = ListenerType.WS if listener.paths else ListenerType.TCP
    files = listener.tls.papers if listener.tls else None
    return ListenerConfig(
        type=kind,
        bind=listener.bind,
        max_connections=listener.max_connections,
        ssl=files is not None,
        certfile=files.certfile if files else None,
        keyfile=files.keyfile if files else None,
    )


def _bound(server: Any) -> tuple[str, int]:
    first, *_ = server.sockets
    host, port = first.getsockname()[:2]
    return host, port
