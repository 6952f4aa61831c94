"""aiomqtt: paho-mqtt from asyncio."""

import asyncio
from contextlib import ExitStack
from functools import partial
from typing import Any

from aiomqtt import Client, Message, ProtocolVersion
from anyio.from_thread import BlockingPortal, start_blocking_portal
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bridge.mqtt import Version
from tests.acceptance.clients.base import WITHIN, Heard
from tests.acceptance.device import Login


class Aiomqtt:
    def __init__(self, address: tuple[str, int], login: Login, version: Version, *, kept: bool) -> None:
        self._closing = ExitStack()
        self._portal: BlockingPortal = self._closing.enter_context(start_blocking_portal())
        self._client: Client = self._portal.call(partial(_client, address, login, version, kept=kept))
        self._closing.enter_context(self._portal.wrap_async_context_manager(self._client))
        self.session_present: bool | None = None

    def subscribe(self, topic_filter: str, qos: int) -> None:
        self._portal.call(self._client.subscribe, topic_filter, qos)

    def publish(self, topic: str, payload: bytes, qos: int, user_properties: list[tuple[str, str]]) -> None:
        properties = None
        if user_properties:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.UserProperty = user_properties
        self._portal.call(lambda: self._client.publish(topic, payload, qos, properties=properties))

    def next(self) -> Heard:
        return self._portal.call(self._next)

    def close(self) -> None:
        self._closing.close()

    async def _next(self) -> Heard:
        message = await asyncio.wait_for(anext(self._client.messages), WITHIN)
        return _heard(message)


def _client(address: tuple[str, int], login: Login, version: Version, *, kept: bool) -> Client:
    host, port = address
    identity: dict[str, Any] = {"username": login.username, "password": login.password, "identifier": login.client_id}
    if version is not Version.V5:
        return Client(host, port, **identity, protocol=ProtocolVersion.V311, clean_session=not kept)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 3600 if kept else 0
    return Client(host, port, **identity, protocol=ProtocolVersion.V5, clean_start=not kept, properties=properties)


def _heard(message: Message) -> Heard:
    properties = message.properties
    return Heard(
        message.topic.value,
        bytes(message.payload),
        message.qos,
        getattr(properties, "ResponseTopic", None),
        getattr(properties, "CorrelationData", None),
        list(getattr(properties, "UserProperty", [])),
    )
