"""amqtt's plug-ins in our broker: what they are asked, and what they are told."""

import asyncio
import logging
from typing import Any

from amqtt.errors import PluginLoadError
from amqtt.events import BrokerEvents
from amqtt.plugins.manager import PluginManager

from bridge.broker.authentication import AuthenticationPlugin
from bridge.broker.plugin_session import PluginSession
from bridge.broker.session import Line, Session
from bridge.broker.topic_plugins import TopicPlugins
from bridge.mqtt import Connect

_log = logging.getLogger(__name__)
_TOLD = frozenset(BrokerEvents) - {
    BrokerEvents.CLIENT_SUBSCRIBED,
    BrokerEvents.CLIENT_UNSUBSCRIBED,
    BrokerEvents.RETAINED_MESSAGE,
    BrokerEvents.MESSAGE_RECEIVED,
    BrokerEvents.MESSAGE_BROADCAST,
}
"""Events that happen here. The others would cost a task for each packet."""


class Plugins:
    """Nothing here costs anything until `load` brought a manager with plug-ins."""

    def __init__(self) -> None:
        self._manager: PluginManager[Any] | None = None
        self._told: set[asyncio.Task[None]] = set()
        self.methods: dict[str, AuthenticationPlugin] = {}
        """Those that implement enhanced authentication, by their Authentication Method."""
        self.topics: TopicPlugins | None = None
        """Those that decide about topics; None when there are none."""

    def load(self, manager: "PluginManager[Any]", topics: TopicPlugins) -> None:
        """Raises PluginLoadError."""
        self._manager = manager if manager.plugins else None
        topics.plugins = list(manager._topic_plugins)
        self.topics = topics if topics.plugins else None
        for plugin in manager.plugins:
            if hasattr(plugin, "authentication_method"):
                self._add_method(plugin)
        unheard = sorted(set(manager._event_plugin_callbacks) - _TOLD)
        if unheard:
            _log.warning("plug-ins wait for events that do not happen here", extra={"events": ", ".join(unheard)})

    def _add_method(self, plugin: Any) -> None:
        method = plugin.authentication_method
        name = type(plugin).__name__
        if not isinstance(method, str) or not method or not callable(getattr(plugin, "start", None)):
            raise PluginLoadError(f"{name}: authentication_method has to be a name, and start a method")
        if method in self.methods:
            raise PluginLoadError(f"{name}: {type(self.methods[method]).__name__} implements {method} already")
        self.methods[method] = plugin

    @property
    def judge(self) -> bool:
        """Whether any plug-in wants to authenticate clients."""
        return self._manager is not None and bool(self._manager._auth_plugins)

    def meet(self, connect: Connect, line: Line) -> PluginSession | None:
        """The client as plug-ins will know it; None when there are none."""
        return PluginSession.of_connect(connect, line) if self._manager is not None else None

    async def vote(self, known: PluginSession) -> bool:
        """True when a plug-in vouches for the client and none refuses; the rule of amqtt's own broker."""
        if self._manager is None:
            return False
        votes = [vote for vote in (await self._manager.map_plugin_auth(session=known)).values() if vote is not None]
        return bool(votes) and all(votes)

    def connected(self, session: Session) -> None:
        self._tell(BrokerEvents.CLIENT_CONNECTED, session)

    def disconnected(self, session: Session) -> None:
        self._tell(BrokerEvents.CLIENT_DISCONNECTED, session)

    def _tell(self, event: BrokerEvents, session: Session) -> None:
        if self._manager is None or event not in self._manager._event_plugin_callbacks:
            return
        told = asyncio.get_running_loop().create_task(
            self._manager.fire_event(
                event, client_id=session.client_id, client_session=PluginSession.of_session(session)
            )
        )
        self._told.add(told)
        told.add_done_callback(self._told.discard)
