"""gmqtt, an implementation of its own for asyncio."""

import asyncio
from contextlib import ExitStack
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from gmqtt import Client
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from bridge.mqtt import Version
from tests.acceptance.clients.base import WITHIN, Heard
from tests.acceptance.device import Login


class Gmqtt:
    def __init__(self, address: tuple[str, int], login: Login, version: Version, *, kept: bool) -> None:
        self._closing = ExitStack()
        self._portal: BlockingPortal = self._closing.enter_context(start_blocking_portal())
        self.session_present: bool | None = self._portal.call(self._connect, address, login, version, kept)
        self._closing.callback(self._portal.call, self._client.disconnect)

    def subscribe(self, topic_filter: str, qos: int) -> None:
        self._portal.call(self._subscribe, topic_filter, qos)

    def publish(self, topic: str, payload: bytes, qos: int, user_properties: list[tuple[str, str]]) -> None:
        properties = {"user_property": user_properties} if user_properties else {}
        self._portal.call(lambda: self._client.publish(topic, payload, qos, **properties))

    def next(self) -> Heard:
        return self._portal.call(self._next)

    def close(self) -> None:
        self._closing.close()

    async def _connect(self, address: tuple[str, int], login: Login, version: Version, kept: bool) -> bool:
        expiry = {"session_expiry_interval": 3600} if kept and version is Version.V5 else {}
        self._heard: asyncio.Queue[Heard] = asyncio.Queue()
        self._granted = asyncio.Event()
        self._client = Client(login.client_id, clean_session=not kept, **expiry)
        self._client.set_auth_credentials(login.username, login.password)
        self._client.set_config({"reconnect_retries": 0})
        connected: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._client.on_connect = lambda client, flags, rc, properties: connected.set_result(flags)
        self._client.on_message = self._received
        self._client.on_subscribe = lambda client, mid, qos, properties: self._granted.set()
        await self._client.connect(*address, version=MQTTv50 if version is Version.V5 else MQTTv311)
        return bool(await asyncio.wait_for(connected, WITHIN) & 1)

    async def _subscribe(self, topic_filter: str, qos: int) -> None:
        self._granted.clear()
        self._client.subscribe(topic_filter, qos)
        await asyncio.wait_for(self._granted.wait(), WITHIN)

    async def _next(self) -> Heard:
        return await asyncio.wait_for(self._heard.get(), WITHIN)

    async def _received(self, client: Client, topic: str, payload: bytes, qos: int, properties: dict[str, Any]) -> int:
        self._heard.put_nowait(
            Heard(
                topic,
                bytes(payload),
                qos,
                _first(properties.get("response_topic")),
                _first(properties.get("correlation_data")),
                properties.get("user_property", []),
            )
        )
        return 0


def _first(values: list[Any] | None) -> Any:
    """It gives each property as a list."""
    return values[0] if values else None
