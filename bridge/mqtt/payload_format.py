"""What the Payload Format Indicator promises [MQTT5 3.3.2.3.2] [MQTT5 3.1.3.2.3]."""

from bridge.mqtt.properties import Properties


def is_as_indicated(payload: bytes, properties: Properties) -> bool:
    """False: it is said to be UTF-8, and is not."""
    if not properties.get("payload_format_indicator"):
        return True
    try:
        payload.decode()  # refuses overlong forms and surrogates, as a UTF-8 string does; U+0000 may stand in a payload
    except UnicodeDecodeError:
        return False
    return True
