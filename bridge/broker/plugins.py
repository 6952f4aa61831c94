"""amqtt's plug-ins in our broker: what they are asked, and what they are told."""

import asyncio
from typing import Any

from amqtt.events import BrokerEvents
from amqtt.plugins.manager import PluginManager
from amqtt.session import Session as AmqttSession

from bridge.broker.session import Session
from bridge.mqtt import Connect


class PluginSession(AmqttSession):
    """What plug-ins read of a client. The original builds a state machine and four queues for each."""

    def __init__(self, client_id: str | None, username: str | None, password: str | None) -> None:
        self.client_id = client_id
        self.username = username
        self.password = password
        self.attributes: dict[str, Any] = {}
        self.is_anonymous = False
        self.ssl_object = None
        self.remote_address = None
        self.remote_port = None

    def __repr__(self) -> str:
        return f"PluginSession(client_id={self.client_id!r})"


class Plugins:
    """Nothing here costs anything until `load` brought a manager with plug-ins."""

    def __init__(self) -> None:
        self._manager: PluginManager[Any] | None = None
        self._told: set[asyncio.Task[None]] = set()

    def load(self, manager: "PluginManager[Any]") -> None:
        self._manager = manager if manager.plugins else None

    @property
    def judge(self) -> bool:
        """Whether any plug-in wants to authenticate clients."""
        return self._manager is not None and bool(self._manager._auth_plugins)

    async def vote(self, connect: Connect, address: str) -> bool:
        """True when a plug-in vouches for the client and none refuses; the rule of amqtt's own broker."""
        if self._manager is None:
            return False
        password = None if connect.password is None else connect.password.decode("utf-8", "replace")
        session = PluginSession(connect.client_id, connect.username, password)
        session.remote_address = address.rpartition(":")[0]
        votes = [vote for vote in (await self._manager.map_plugin_auth(session=session)).values() if vote is not None]
        return bool(votes) and all(votes)

    def connected(self, session: Session) -> None:
        self._tell(BrokerEvents.CLIENT_CONNECTED, session)

    def disconnected(self, session: Session) -> None:
        self._tell(BrokerEvents.CLIENT_DISCONNECTED, session)

    def _tell(self, event: BrokerEvents, session: Session) -> None:
        if self._manager is None:
            return
        seen = PluginSession(session.client_id, session.identity.name, None)
        told = asyncio.get_running_loop().create_task(
            self._manager.fire_event(event, client_id=session.client_id, client_session=seen)
        )
        self._told.add(told)
        told.add_done_callback(self._told.discard)
