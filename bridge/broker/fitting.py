"""Packets as a client wants them: what explains goes when it asked for none, or when the packet gets too large."""

from bridge.mqtt import Connack, Disconnect, Packet, Publish, Version, encode

_MAY_EXPLAIN = frozenset((Connack, Disconnect, Publish))
"""Whoever asks for no problem information is told problems in these all the same [MQTT-3.1.2-29]."""


def fitted(packet: Packet, version: Version, largest: int, *, explains: bool, wanted: bool) -> bytes:
    """`packet` encoded for a client that takes packets of up to `largest` bytes, 0 for any; larger all the same when
    there is nothing left to leave out. `explains`: the settings allow explanations. `wanted`: so does the client."""
    if not (explains and (wanted or type(packet) in _MAY_EXPLAIN)):
        _say_less(packet)  # [MQTT-3.1.2-29]
    data = encode(packet, version)
    if largest and len(data) > largest and _say_less(packet):
        # [MQTT-3.6.2-2] [MQTT-3.6.2-3]
        # [MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3]
        # [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2]
        # [MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-3.15.2-2] [MQTT-3.15.2-3]
        data = encode(packet, version)
    return data


def _say_less(packet: Packet) -> bool:
    """Whether there was something to leave out."""
    properties = getattr(packet, "properties", None)
    if not properties or isinstance(packet, Publish):
        return False
    reason = properties.pop("reason_string", None)
    return properties.pop("user_properties", reason) is not None
