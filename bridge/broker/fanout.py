"""One message on its way to many subscribers: what they get alike is made once."""

import math
from typing import TypeAlias

from bridge.mqtt import Properties, Publish, Version, encode, encode_publish_parts

_FORWARDED = (
    "payload_format_indicator",
    "message_expiry_interval",
    "content_type",
    "response_topic",
    "correlation_data",
    "user_properties",
)
"""[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20]"""

_Kind: TypeAlias = tuple[int, bool, tuple[int, ...]]


class Copy:
    """What subscribers get alike. `publish` is without packet identifier, and nobody changes it: flights and queues of
    many sessions hold it."""

    __slots__ = ("_parts", "publish")

    def __init__(self, publish: Publish) -> None:
        self.publish = publish
        self._parts: dict[Version, tuple[bytes, bytes]] = {}

    def encode(self, version: Version, packet_id: int) -> bytes:
        """The packet for one of them; `packet_id` is 0 at QoS 0."""
        parts = self._parts.get(version)
        if parts is None:
            parts = self._parts[version] = self._encode(version)
        head, tail = parts
        return head + packet_id.to_bytes(2) + tail if packet_id else head

    def _encode(self, version: Version) -> tuple[bytes, bytes]:
        if self.publish.qos:
            return encode_publish_parts(self.publish, version)
        return encode(self.publish, version), b""


class Fanout:
    """A message and the copies of it, one for each way in which subscribers get it."""

    __slots__ = ("_copies", "_properties", "_publish", "expires")

    def __init__(self, publish: Publish, expires: float) -> None:
        """`expires`: loop time, 0 for never."""
        self.expires = expires
        self._publish = publish
        self._properties = _forwarded(publish.properties) if publish.properties else Properties()
        self._copies: dict[_Kind, Copy] = {}

    def copy(self, granted_qos: int, retain: bool, identifiers: tuple[int, ...]) -> Copy:
        """At the smaller of the QoS of the message and the granted one [MQTT-3.8.4-8]."""
        publish = self._publish
        kind = (min(publish.qos, granted_qos), retain, identifiers)
        copy = self._copies.get(kind)
        if copy is None:
            properties = self._properties
            if identifiers:  # [MQTT-3.3.4-3] [MQTT-3.3.4-4]
                properties = Properties(**properties, subscription_identifiers=list(identifiers))
            copy = self._copies[kind] = Copy(
                Publish(publish.topic, publish.payload, kind[0], retain, properties=properties)  # [MQTT-3.3.1-3]
            )
        return copy


def leaving(publish: Publish, expires: float, now: float, *, dup: bool = False) -> Publish:
    """The message as it leaves now: with the rest of its time [MQTT-3.3.2-6]. Not to be changed. `expires`: loop time,
    0 for never."""
    if not (expires or dup):
        return publish
    properties = publish.properties
    if expires:
        properties = Properties(**properties)
        properties["message_expiry_interval"] = max(1, math.ceil(expires - now))
    return Publish(publish.topic, publish.payload, publish.qos, publish.retain, dup, properties=properties)


def _forwarded(properties: Properties) -> Properties:
    """What a receiver is told of the sender's properties, unaltered and in order."""
    forwarded = Properties()
    for name in _FORWARDED:  # [MQTT-3.3.2-18] [MQTT-3.3.2-11]
        if name in properties:
            forwarded[name] = properties[name]  # type: ignore[literal-required]
    return forwarded
