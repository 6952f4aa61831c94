"""What a device gets to see of a message."""

import base64
import json
from typing import Any

import pytest

from bridge.mqtt import Version
from tests.acceptance.account import Account

OBJECT = {"pressure": 2.5, "名字": "泵", "nested": [1, None, {"a": True}]}
STRINGS = ["plain", "", "grüße 泵 🚰", 'quotes " and \\ and \n lines', "\u0000 and \u001f"]


def _envelope(payload: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(payload)
    assert document.keys() == {"name", "id", "content"}
    return document


@pytest.mark.parametrize("text", STRINGS)
def test_a_string_goes_into_the_content_of_the_envelope(pump: Account, text: str) -> None:
    device = pump.connect()
    message_id = pump.send(text, name="order")
    assert _envelope(device.next().payload) == {"name": "order", "id": message_id, "content": text}
    assert pump.record(message_id)["message"] == text


def test_an_object_goes_into_the_envelope_as_json_text(pump: Account, version: Version) -> None:
    device = pump.connect(version)
    message_id = pump.send(OBJECT)
    envelope = _envelope(device.next().payload)
    assert (envelope["name"], envelope["id"]) == (None, message_id)
    assert json.loads(envelope["content"]) == OBJECT
    assert pump.record(message_id)["message"] == OBJECT


@pytest.mark.parametrize("text", STRINGS)
def test_a_raw_string_is_its_utf8(pump: Account, text: str) -> None:
    device = pump.connect()
    pump.send(text, payload_format="raw")
    assert device.next().payload == text.encode()


def test_a_raw_object_is_its_json_text(pump: Account, version: Version) -> None:
    device = pump.connect(version)
    pump.send(OBJECT, payload_format="raw")
    assert json.loads(device.next().payload) == OBJECT


AS_WRITTEN = [
    '{"a": 1.0, "b": 1e400, "c": 12345678901234567890123, "d": -0}',
    '[1.0, 1e400, "\\u00e9" ,null]',
    "[]",
    "true",
    "false",
    "0",
    "1.0",
    "1e400",
    "12345678901234567890123",
]
"""Whatever JSON is, but null."""


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_any_json_comes_as_it_was_written(pump: Account, text: str) -> None:
    device = pump.connect()
    path = f"/v5/iot/default/devices/{pump.id}/messages"
    body = f'{{"message": {text}, "payload_format": "raw", "message_id": "m-1"}}'.encode()
    assert pump.api.call("POST", path, body).status == 201
    assert device.next().payload == text.encode()
    assert pump.api.raw("GET", f"{path}/m-1").partition(b'"message":')[2].startswith(text.encode())
    assert pump.api.call("POST", path, f'{{"message": {text}}}'.encode()).status == 201
    assert _envelope(device.next().payload)["content"] == text


@pytest.mark.parametrize("message", ["", '"message": null'])
def test_the_message_is_not_null_and_not_absent(pump: Account, message: str) -> None:
    answer = pump.api.call("POST", f"/v5/iot/default/devices/{pump.id}/messages", f"{{{message}}}".encode())
    assert (answer.status, answer.error) == (400, "IOTDA.000006")


@pytest.mark.parametrize("payload", [b"", bytes(range(256)), b"\xff" * 10_000])
def test_base64_is_decoded(pump: Account, version: Version, payload: bytes) -> None:
    device = pump.connect(version)
    message_id = pump.send(base64.b64encode(payload).decode(), encoding="base64")
    assert device.next().payload == payload
    assert pump.final(message_id)["encoding"] == "base64"


def test_the_largest_payload_is_delivered(pump: Account, version: Version) -> None:
    device = pump.connect(version)
    pump.send("x" * 262_144, payload_format="raw")
    assert device.next().payload == b"x" * 262_144


def test_an_mqtt_5_device_gets_the_properties(pump: Account) -> None:
    device = pump.connect()
    pairs = [("unit", "bar"), ("b", "2"), ("unit", "psi"), ("unit", "bar"), ("a", "名 1")]
    properties = {
        "correlation_data": "order-4711",
        "response_topic": f"{pump.tree}/user/answers",
        "user_properties": [{"prop_key": key, "prop_value": value} for key, value in pairs],
    }
    message_id = pump.send(properties=properties, ttl=60)
    received = device.next()
    assert received.correlation_data == b"order-4711"
    assert received.response_topic == f"{pump.tree}/user/answers"
    assert received.user_properties == pairs
    assert 3590 <= (received.expires_in or 0) <= 3600
    assert pump.record(message_id)["properties"] == properties


@pytest.mark.parametrize("older", [Version.V31, Version.V311])
def test_an_older_device_gets_the_payload_and_the_record_keeps_the_properties(pump: Account, older: Version) -> None:
    device = pump.connect(older)
    properties = {"correlation_data": "order-4711", "user_properties": [{"prop_key": "a", "prop_value": "1"}]}
    message_id = pump.send("hello", payload_format="raw", properties=properties)
    assert device.next().payload == b"hello"
    assert pump.record(message_id)["properties"] == properties
