"""What a message looks like on the wire. Source: IoTDA, "Payload on the wire"."""

import base64
import json

from bridge.broker.base import Downlink
from bridge.model.message import Message
from bridge.model.topics import default_downlink
from bridge.mqtt import Properties


def downlink_of(message: Message, carrier: str, packet_id: int = 0, *, behind: str | None = None) -> Downlink:
    """`carrier`: the id of the device whose connection carries it. `packet_id`: the identifier under which it was sent
    before, 0 if it never was. `behind`: the id of the device it is for, when that is behind the carrier."""
    draft = message.draft
    return Downlink(
        seq=message.seq,
        topic=draft.topic or default_downlink(carrier),
        payload=payload_of(message, behind),
        properties=properties_of(message),
        expires_at=message.expires_at,
        packet_id=packet_id,
    )


def payload_of(message: Message, behind: str | None = None) -> bytes:
    """`content` is JSON text; a JSON string starts with a quote, and anything else is passed on as it is written.

    `behind`: the id of the device behind a gateway that it is for; only the standard envelope has room for it.
    """
    draft = message.draft
    is_string = draft.content.startswith('"')
    if draft.encoding == "base64":
        return base64.b64decode(json.loads(draft.content))
    if draft.payload_format == "raw":
        text = json.loads(draft.content) if is_string else draft.content
    else:
        # The vendor's device SDK takes a payload for this envelope only when every value is a string or null.
        content = draft.content if is_string else json.dumps(draft.content, ensure_ascii=False)
        name = "null" if draft.name is None else json.dumps(draft.name, ensure_ascii=False)
        target = "" if behind is None else f'"object_device_id":"{behind}",'
        text = f'{{{target}"name":{name},"id":"{draft.message_id}","content":{content}}}'
    return str(text).encode()


def properties_of(message: Message) -> Properties:
    draft = message.draft
    properties = Properties()
    if draft.correlation_data is not None:
        properties["correlation_data"] = draft.correlation_data.encode()
    # The vendor's rule allows wildcards here, the protocol does not [MQTT-3.3.2-14].
    if draft.response_topic and not {"+", "#"} & set(draft.response_topic):
        properties["response_topic"] = draft.response_topic
    if draft.user_properties:
        properties["user_properties"] = list(draft.user_properties)
    return properties
