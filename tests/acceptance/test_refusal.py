"""Devices that do not take a message."""

import pytest

from bridge.mqtt import Properties, Puback, Pubcomp, Pubrec, Pubrel, Version
from tests.acceptance.account import Account, failure

REFUSED = "IOTDA.014113"
TOO_LARGE = "IOTDA.014114"
REASONS = [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]


@pytest.mark.parametrize("reason", REASONS, ids=hex)
def test_a_message_refused_by_puback_fails_with_the_reason(pump: Account, reason: int) -> None:
    device = pump.connect_raw()
    message_id = pump.send("unwanted", payload_format="raw")
    packet_id = device.next_message().packet_id
    device.send(Puback(packet_id, reason, Properties(reason_string="the tank is full")))
    record = pump.final(message_id)
    assert failure(record) == REFUSED
    assert "the tank is full" in record["error_info"]["error_msg"]
    assert f"0x{reason:02X}" in record["error_info"]["error_msg"]


@pytest.mark.parametrize("reason", REASONS, ids=hex)
def test_a_message_refused_by_pubrec_fails_with_the_reason(pump: Account, reason: int) -> None:
    device = pump.connect_raw()
    device.subscribe(pump.inbox, 2)
    message_id = pump.send("unwanted", payload_format="raw")
    packet_id = device.next_message().packet_id
    device.send(Pubrec(packet_id, reason))
    assert failure(pump.final(message_id)) == REFUSED
    assert device.before_pong() == []  # no PUBREL [MQTT-4.3.3-4]


def test_a_refused_message_is_not_sent_again(pump: Account) -> None:
    device = pump.connect_raw(clean=False)
    message_id = pump.send("unwanted", payload_format="raw")
    device.send(Puback(device.next_message().packet_id, 0x80))
    assert failure(pump.final(message_id)) == REFUSED
    device.close()
    pump.send("marker", payload_format="raw")
    assert pump.connect_raw(clean=False).next_message().payload == b"marker"


def test_no_matching_subscribers_is_no_refusal(pump: Account) -> None:
    device = pump.connect_raw()
    message_id = pump.send()
    device.send(Puback(device.next_message().packet_id, 0x10))
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_at_qos_2_a_message_is_delivered_with_pubrec(pump: Account, version: Version) -> None:
    device = pump.connect_raw(version)
    device.subscribe(pump.inbox, 2)
    message_id = pump.send()
    packet_id = device.next_message().packet_id
    assert pump.status(message_id) == "PENDING"
    device.send(Pubrec(packet_id))
    assert device.expect(Pubrel).packet_id == packet_id
    assert pump.final(message_id)["acknowledged_by"] == "device"
    device.send(Pubcomp(packet_id))
    assert device.before_pong() == []


def test_a_message_larger_than_the_device_takes_fails(pump: Account) -> None:
    device = pump.connect_raw(maximum_packet_size=300)
    too_large = pump.send("x" * 300, payload_format="raw")
    assert failure(pump.final(too_large)) == TOO_LARGE
    pump.send("x" * 100, payload_format="raw")
    assert device.next_message().payload == b"x" * 100


def test_a_message_that_waited_and_is_too_large_fails_and_lets_others_pass(pump: Account) -> None:
    too_large = pump.send("x" * 300, payload_format="raw")
    pump.send("small", payload_format="raw")
    device = pump.connect_raw(maximum_packet_size=300)
    assert device.next_message().payload == b"small"
    assert failure(pump.final(too_large)) == TOO_LARGE


def test_every_byte_of_the_packet_counts_against_the_devices_maximum(pump: Account) -> None:
    # fixed header, topic, packet identifier, length of the properties, Message Expiry Interval
    header = 3 + 2 + len(pump.inbox) + 2 + 1 + 5
    too_large = pump.send("x" * (1000 - header + 1), payload_format="raw")
    fits = pump.send("x" * (1000 - header), payload_format="raw")
    device = pump.connect_raw(maximum_packet_size=1000)
    device.send(Puback(device.next_message().packet_id))
    assert pump.final(fits)["status"] == "DELIVERED"
    assert failure(pump.final(too_large)) == TOO_LARGE
