"""[MQTT5 3.3.2.3.2]"""

import pytest

from bridge.mqtt import Properties, is_as_indicated


@pytest.mark.parametrize(
    ("payload", "properties", "expected"),
    [
        (b"\xff", {}, True),
        (b"\xff", {"payload_format_indicator": 0}, True),
        (b"\xff", {"payload_format_indicator": 1}, False),
        (b"\xc0\x80", {"payload_format_indicator": 1}, False),
        (b"\xed\xa0\x80", {"payload_format_indicator": 1}, False),
        ("a\0ü𪛔".encode(), {"payload_format_indicator": 1}, True),
        (b"", {"payload_format_indicator": 1}, True),
    ],
)
def test_what_the_indicator_promises(payload: bytes, properties: Properties, *, expected: bool) -> None:
    assert is_as_indicated(payload, properties) is expected
