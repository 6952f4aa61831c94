"""A device for people at a terminal: it connects like any other device, receives, acknowledges and answers.

Built on paho-mqtt, which is not involved in the daemon itself.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from bridge.model.topics import uplink, user_topic

FINAL = {
    0x84: "the daemon does not accept this version of MQTT",
    0x85: "the daemon does not accept the device id as client identifier",
    0x86: "wrong device id or secret",
    0x87: "the device is not authorised",
    0x8A: "the device is frozen",
    0x8E: "another client connected as this device and took over",
    0x98: "the device was removed or frozen, or an administrator disconnected it",
}
"""Reason codes after which trying again is of no use."""
KEEP_ALIVE = 30


class DeviceRefused(Exception):
    """The daemon does not want this device; why, in one sentence."""


@dataclass(frozen=True)
class Received:
    """One message as the device got it. The properties are those of MQTT 5; an older client gets none."""

    topic: str
    payload: bytes
    qos: int
    dup: bool = False
    correlation_data: bytes | None = None
    response_topic: str | None = None
    expires_in: int | None = None
    """Seconds."""
    user_properties: tuple[tuple[str, str], ...] = ()
    """In the order they came, repeats kept."""


@dataclass(frozen=True)
class Answer:
    topic: str
    payload: bytes
    correlation_data: bytes | None = None


_ENVELOPE = {"object_device_id", "name", "id", "content"}

OnMessage: TypeAlias = Callable[[Received], None]
OnNotice: TypeAlias = Callable[[str], None]


def answer_to(received: Received, device_id: str) -> Answer | None:
    """What a polite device says: to the response topic if there is one, else to the standard envelope."""
    subject = _envelope_subject(received.payload)
    payload = json.dumps({**subject, "content": "ok"}).encode() if subject else b"ok"
    if received.response_topic:
        return Answer(received.response_topic, payload, received.correlation_data)
    return Answer(uplink(device_id), payload) if subject else None


def _envelope_subject(payload: bytes) -> dict[str, str]:
    """What `{"object_device_id": …, "name": …, "id": …, "content": …}` is about: the message, and whose it is if that
    is a device behind this one."""
    try:
        document = json.loads(payload)
    except ValueError:
        return {}
    if not isinstance(document, dict) or not {"id", "content"} <= document.keys() <= _ENVELOPE:
        return {}
    subject = {name: document[name] for name in ("object_device_id", "id") if document.get(name) is not None}
    return subject if "id" in subject and all(isinstance(value, str) for value in subject.values()) else {}


class DeviceClient:
    """Connects, subscribes to the device's own user topics, and hands over what it receives.

    Callbacks run in a thread of its own. A message is acknowledged when `on_message` returns. After a lost connection
    the client comes back by itself until `close`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        device_id: str,
        secret: str,
        *,
        version: int = 5,
        on_message: OnMessage | None = None,
        on_notice: OnNotice | None = None,
    ) -> None:
        """`version`: 5, or 4 for MQTT 3.1.1, or 3 for 3.1. `on_notice` gets a sentence when the connection changes."""
        self._address = (host, port)
        self._device_id = device_id
        self._on_message = on_message or (lambda received: None)
        self._on_notice = on_notice or (lambda sentence: None)
        self._changed = threading.Condition()
        self._subscribed = False
        self._taken = 0
        self._failure: Exception | None = None
        self._version = MQTTProtocolVersion(version)
        self._client = Client(CallbackAPIVersion.VERSION2, device_id, protocol=self._version, manual_ack=True)
        self._client.username_pw_set(device_id, secret)
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._granted
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._received

    def connect(self, timeout: float = 10) -> None:
        """Return when the device is connected and subscribed.

        Errors: DeviceRefused; OSError when the daemon cannot be reached or does not answer in time.
        """
        self._client.connect(*self._address, keepalive=KEEP_ALIVE)
        self._client.loop_start()
        if not self._wait(lambda: self._subscribed, timeout):
            raise TimeoutError(f"the daemon did not answer within {timeout:g} s")

    def wait(self, count: int | None = None, timeout: float | None = None) -> bool:
        """Wait until `count` messages were received and acknowledged (None: for ever). False: not in time.

        Errors: DeviceRefused when the daemon sends the device away for good; whatever `on_message` raised.
        """
        return self._wait(lambda: count is not None and self._taken >= count, timeout)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _wait(self, until: Callable[[], bool], timeout: float | None) -> bool:
        with self._changed:
            reached = self._changed.wait_for(lambda: self._failure is not None or until(), timeout)
        if self._failure is not None:
            raise self._failure
        return reached

    def _connected(self, client: Client, _: Any, flags: ConnectFlags, reason: ReasonCode, __: Any) -> None:
        if reason.is_failure:
            self._sent_away(reason)
        else:
            self._on_notice("connected")
            self._subscribe(client)

    def _subscribe(self, client: Client) -> None:
        topics = user_topic(self._device_id, "#")
        if self._version < MQTTProtocolVersion.MQTTv5:
            client.subscribe(topics, qos=1)
        else:  # an answer to a topic of its own is not meant for itself
            client.subscribe(topics, options=SubscribeOptions(qos=1, noLocal=True))

    def _granted(self, client: Client, _: Any, mid: int, reasons: list[ReasonCode], __: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._on_notice(f"the subscription to user topics was refused: {reasons[0]}")
        with self._changed:
            self._subscribed = True
            self._changed.notify_all()

    def _disconnected(self, client: Client, _: Any, flags: DisconnectFlags, reason: ReasonCode, __: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self._sent_away(reason)
        elif reason.is_failure and self._failure is None:
            self._on_notice("no connection, trying again")

    def _sent_away(self, reason: ReasonCode) -> None:
        if reason.value in FINAL:
            self._fail(DeviceRefused(FINAL[reason.value]))
        else:
            self._on_notice(f"the daemon says: {reason}; trying again")

    def _fail(self, failure: Exception) -> None:
        with self._changed:
            self._failure = failure
            self._changed.notify_all()
        self._client.disconnect()

    def _received(self, client: Client, _: Any, message: MQTTMessage) -> None:
        try:
            received = _from_paho(message)
            self._on_message(received)
            if answer := answer_to(received, self._device_id):
                self._publish(answer)
        except Exception as error:  # whatever it is belongs to the one who waits
            self._fail(error)
            return
        client.ack(message.mid, message.qos)
        with self._changed:
            self._taken += 1
            self._changed.notify_all()

    def _publish(self, answer: Answer) -> None:
        properties = None
        if answer.correlation_data is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.CorrelationData = answer.correlation_data
        try:
            self._client.publish(answer.topic, answer.payload, qos=1, properties=properties)
        except ValueError:
            self._on_notice(f"cannot answer to {answer.topic}: it is not a topic name")


def _from_paho(message: MQTTMessage) -> Received:
    return Received(
        topic=message.topic,
        payload=bytes(message.payload),
        qos=message.qos,
        dup=message.dup,
        correlation_data=getattr(message.properties, "CorrelationData", None),
        response_topic=getattr(message.properties, "ResponseTopic", None),
        expires_in=getattr(message.properties, "MessageExpiryInterval", None),
        user_properties=tuple(getattr(message.properties, "UserProperty", ())),
    )
