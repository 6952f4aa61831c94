"""The MQTT wire protocol, sans-I/O: bytes in, packets out, and back. Knows no socket, clock, loop or log.

Comments and `ProtocolError.clause` cite MQTT 5 (`MQTT-3.3.2-2` a numbered statement, `MQTT5 3.3.2.1` a section);
`MQTT3-3.8.3-4` is a statement that only 3.1.1 has.
"""

from bridge.mqtt.decoder import Decoder
from bridge.mqtt.encode import encode, encode_publish, encode_publish_parts
from bridge.mqtt.packet_rules import Side, is_allowed
from bridge.mqtt.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    PacketType,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Version,
    Will,
)
from bridge.mqtt.payload_format import is_as_indicated
from bridge.mqtt.properties import Properties
from bridge.mqtt.reasons import ProtocolError, ReasonCode, ReturnCode, return_code
from bridge.mqtt.topics import check_topic_filter, check_topic_name, covers, matches, split_shared

__all__ = [
    "Auth",
    "Connack",
    "Connect",
    "Decoder",
    "Disconnect",
    "Packet",
    "PacketType",
    "Pingreq",
    "Pingresp",
    "Properties",
    "ProtocolError",
    "Puback",
    "Pubcomp",
    "Publish",
    "Pubrec",
    "Pubrel",
    "ReasonCode",
    "ReturnCode",
    "Side",
    "Suback",
    "Subscribe",
    "Subscription",
    "Unsuback",
    "Unsubscribe",
    "Version",
    "Will",
    "check_topic_filter",
    "check_topic_name",
    "covers",
    "encode",
    "encode_publish",
    "encode_publish_parts",
    "is_allowed",
    "is_as_indicated",
    "matches",
    "return_code",
    "split_shared",
]
