"""A device, or anybody else on MQTT, with the client library that most people use."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from bridge.mqtt import Version
from tests.acceptance.waiting import PATIENCE, parts

T = TypeVar("T")


@dataclass(frozen=True)
class Login:
    username: str | None
    password: str | None
    client_id: str


@dataclass(frozen=True)
class Received:
    topic: str
    payload: bytes
    qos: int
    dup: bool
    packet_id: int
    correlation_data: bytes | None = None
    response_topic: str | None = None
    expires_in: int | None = None
    user_properties: list[tuple[str, str]] = field(default_factory=list)


class Device:
    """Acknowledges everything it receives; with `manual_ack` only what it is told to."""

    def __init__(
        self,
        address: tuple[str, int],
        login: Login,
        version: Version = Version.V5,
        *,
        clean: bool = True,
        manual_ack: bool = False,
        keep_alive: int = 60,
        properties: dict[str, object] | None = None,
    ) -> None:
        """`properties` of the CONNECT, named as paho names them."""
        self._address = address
        self._clean_start = clean if version is Version.V5 else MQTT_CLEAN_START_FIRST_ONLY
        self._keep_alive = keep_alive
        self._properties = _properties(PacketTypes.CONNECT, properties)
        self._answered = threading.Event()
        self._gone = threading.Event()
        self._acknowledged: queue.Queue[tuple[int, int]] = queue.Queue()
        self._connack: ReasonCode | None = None
        self.received: queue.Queue[Received] = queue.Queue()
        self.on_received: Callable[[Received], None] = self.received.put
        self.session_present = False
        self.disconnect_reason: int | None = None
        """Of a DISCONNECT from the server."""
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            login.client_id,
            clean_session=None if version is Version.V5 else clean,
            protocol=MQTTProtocolVersion(version),
            manual_ack=manual_ack,
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(login.username, login.password)
        self._listen()

    def connect(self) -> Self:
        code = self.try_connect()
        assert code == 0, f"refused with {code:#x}"
        return self

    def try_connect(self) -> int:
        """The code in the CONNACK; for 3.1 and 3.1.1 paho tells the MQTT 5 code that means the same."""
        self._client.connect(
            *self._address, self._keep_alive, clean_start=self._clean_start, properties=self._properties
        )
        self._client.loop_start()
        assert _happens(self._answered), "no CONNACK"
        assert self._connack is not None
        return int(self._connack.value)

    def next(self, within: float = PATIENCE) -> Received:
        return _got(self.received, within)

    def take(self, count: int) -> list[Received]:
        return [self.next() for _ in range(count)]

    def acknowledge(self, received: Received) -> None:
        self._client.ack(received.packet_id, received.qos)

    def subscribe(self, topic_filter: str, qos: int = 1) -> int:
        """The granted QoS, or the reason code of the refusal."""
        return self._reason(self._client.subscribe(topic_filter, qos)[1])

    def unsubscribe(self, topic_filter: str) -> None:
        self._reason(self._client.unsubscribe(topic_filter)[1])

    def publish(self, topic: str, payload: bytes, qos: int = 1, properties: dict[str, object] | None = None) -> int:
        """The reason code of the acknowledgement; 0 at QoS 0 and for the older versions, which have none."""
        own = _properties(PacketTypes.PUBLISH, properties)
        return self._reason(self._client.publish(topic, payload, qos, properties=own).mid)

    def say(self, topic: str, payload: bytes, properties: dict[str, object] | None = None) -> None:
        """`publish` at QoS 1 without waiting for the acknowledgement, as from within `on_received`."""
        self._client.publish(topic, payload, 1, properties=_properties(PacketTypes.PUBLISH, properties))

    @property
    def is_lost(self) -> bool:
        """The server has ended the connection."""
        return self._gone.is_set()

    def lost(self) -> None:
        """Wait until the server has ended the connection."""
        assert _happens(self._gone), "still connected"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets(sockpair_only=True)  # left to the garbage collector otherwise

    def _listen(self) -> None:
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_unsubscribe = self._on_unsubscribe

    def _reason(self, mid: int | None) -> int:
        """Of the acknowledgement with this packet identifier; they come in the order in which they were asked for."""
        while True:
            acknowledged, reason = _got(self._acknowledged, PATIENCE)
            if acknowledged == mid:
                return reason

    def _on_connect(self, client: Client, _: Any, flags: ConnectFlags, reason: ReasonCode, __: Any) -> None:
        self._connack = reason
        self.session_present = flags.session_present
        self._answered.set()

    def _on_disconnect(self, client: Client, _: Any, flags: DisconnectFlags, reason: ReasonCode, __: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self.disconnect_reason = reason.value
        self._gone.set()

    def _on_message(self, client: Client, _: Any, message: MQTTMessage) -> None:
        self.on_received(_received(message))

    def _on_publish(self, client: Client, _: Any, mid: int, reason: ReasonCode, __: Any) -> None:
        self._acknowledged.put((mid, reason.value))

    def _on_subscribe(self, client: Client, _: Any, mid: int, reasons: list[ReasonCode], __: Any) -> None:
        self._acknowledged.put((mid, reasons[0].value))

    def _on_unsubscribe(self, client: Client, _: Any, mid: int, __: list[ReasonCode], ___: Any) -> None:
        self._acknowledged.put((mid, 0))


def _happens(event: threading.Event) -> bool:
    return any(event.wait(part) for part in parts(PATIENCE))


def _got(source: queue.Queue[T], within: float) -> T:
    for part in parts(within):
        with suppress(queue.Empty):
            return source.get(timeout=part)
    raise AssertionError(f"nothing received within {within:g} s")


def _properties(kind: int, values: dict[str, object] | None) -> Properties | None:
    if values is None:
        return None
    properties = Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def _received(message: MQTTMessage) -> Received:
    properties = message.properties
    return Received(
        topic=message.topic,
        payload=bytes(message.payload),
        qos=message.qos,
        dup=message.dup,
        packet_id=message.mid,
        correlation_data=getattr(properties, "CorrelationData", None),
        response_topic=getattr(properties, "ResponseTopic", None),
        expires_in=getattr(properties, "MessageExpiryInterval", None),
        user_properties=list(getattr(properties, "UserProperty", ())),
    )
