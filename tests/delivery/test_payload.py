"""What a message looks like on the wire."""

import json
from typing import Any

import pytest

from bridge.delivery.payload import downlink_of, payload_of, properties_of
from bridge.model.message import Draft, Message
from tests.broker.site import draft


def message(**fields: Any) -> Message:
    return Message(1, draft("m", **fields), 1000, 2000, 7)


@pytest.mark.parametrize(
    ("fields", "payload"),
    [
        ({"content": '"hello"'}, b'{"name":null,"id":"m","content":"hello"}'),
        ({"content": '"hello"', "name": "n"}, b'{"name":"n","id":"m","content":"hello"}'),
        ({"content": '"h\\u00e9\\n"', "encoding": "none"}, b'{"name":null,"id":"m","content":"h\\u00e9\\n"}'),
        ({"content": '"hé"', "name": 'ü"'}, '{"name":"ü\\"","id":"m","content":"hé"}'.encode()),
        ({"content": '{"a": 1.0}'}, b'{"name":null,"id":"m","content":"{\\"a\\": 1.0}"}'),
        (
            {"content": '{"a": "é"}', "payload_format": "standard"},
            '{"name":null,"id":"m","content":"{\\"a\\": \\"é\\"}"}',
        ),
        ({"content": '"h\\u00e9\\n"', "payload_format": "raw"}, "hé\n"),
        ({"content": '{"a": 1e400}', "payload_format": "raw"}, b'{"a": 1e400}'),
        ({"content": '""', "payload_format": "raw"}, b""),
        ({"content": '[1.0, "é"]', "payload_format": "raw"}, '[1.0, "é"]'),
        ({"content": "1e400", "payload_format": "raw"}, b"1e400"),
        ({"content": "false", "payload_format": "raw"}, b"false"),
        ({"content": '["a"]'}, b'{"name":null,"id":"m","content":"[\\"a\\"]"}'),
        ({"content": "1.0"}, b'{"name":null,"id":"m","content":"1.0"}'),
        ({"content": "true", "name": "n"}, b'{"name":"n","id":"m","content":"true"}'),
        ({"content": '"AAEC/w=="', "encoding": "base64"}, b"\0\1\2\xff"),
        ({"content": '"AAEC/w=="', "encoding": "base64", "payload_format": "standard"}, b"\0\1\2\xff"),
    ],
)
def test_payload(fields: dict[str, Any], payload: bytes | str) -> None:
    expected = payload.encode() if isinstance(payload, str) else payload
    assert payload_of(message(**fields)) == expected


def test_every_value_of_the_envelope_is_a_string_or_null() -> None:
    """Else the vendor's device SDK does not take it for the envelope."""
    envelope = json.loads(payload_of(message(content='{"a": [1, {"b": null}]}')))
    assert envelope == {"name": None, "id": "m", "content": '{"a": [1, {"b": null}]}'}


@pytest.mark.parametrize(
    ("fields", "properties"),
    [
        ({}, {}),
        ({"correlation_data": "c", "response_topic": "a/b"}, {"correlation_data": b"c", "response_topic": "a/b"}),
        ({"correlation_data": ""}, {"correlation_data": b""}),
        ({"response_topic": "a/+/b"}, {}),
        ({"response_topic": "#"}, {}),
        ({"user_properties": (("a", "1"), ("a", "2"))}, {"user_properties": [("a", "1"), ("a", "2")]}),
    ],
)
def test_properties(fields: dict[str, Any], properties: dict[str, Any]) -> None:
    assert properties_of(message(**fields)) == properties


def test_downlink() -> None:
    downlink = downlink_of(message(), "pump-1")
    assert (downlink.seq, downlink.expires_at, downlink.packet_id) == (7, 2000, 0)
    assert downlink.topic == "$oc/devices/pump-1/sys/messages/down"
    again = downlink_of(message(topic="news"), "pump-1", 5)
    assert (again.topic, again.packet_id) == ("news", 5)
    assert isinstance(message().draft, Draft)
