"""A message's way to a device that takes it."""

import time
from contextlib import ExitStack

import pytest

from bridge.mqtt import Puback, Version
from tests.acceptance.account import Account, failure
from tests.acceptance.conftest import ACK_WAIT, NewDaemon


def test_a_message_to_a_connected_device_arrives_and_is_delivered(pump: Account, version: Version) -> None:
    device = pump.connect(version)
    message_id = pump.send("hello", payload_format="raw")
    received = device.next()
    assert (received.topic, received.payload, received.dup) == (pump.inbox, b"hello", False)
    record = pump.final(message_id)
    assert (record["status"], record["acknowledged_by"]) == ("DELIVERED", "device")
    assert record["finished_time"] >= record["created_time"]


def test_a_message_to_an_absent_device_waits_until_it_connects(pump: Account, version: Version) -> None:
    answer = pump.post("hello", payload_format="raw", message_id="waiting")
    assert (answer.status, answer.body["result"]["status"]) == (201, "PENDING")
    assert pump.status("waiting") == "PENDING"
    assert pump.connect(version).next().payload == b"hello"
    assert pump.final("waiting")["status"] == "DELIVERED"


def test_a_post_waits_for_the_acknowledgement_no_longer_than_configured(pump: Account, version: Version) -> None:
    device = pump.connect_raw(version)
    start = time.monotonic()
    answer = pump.post(message_id="slow")
    assert ACK_WAIT <= time.monotonic() - start <= ACK_WAIT + 1
    assert (answer.status, answer.body["result"]["status"]) == (201, "PENDING")
    device.send(Puback(device.next_message().packet_id))
    assert pump.final("slow")["status"] == "DELIVERED"


def test_messages_that_waited_arrive_in_order(pump: Account, version: Version) -> None:
    for number in range(50):
        pump.send(str(number), payload_format="raw")
    device = pump.connect(version)
    assert [int(received.payload) for received in device.take(50)] == list(range(50))


def test_a_device_is_subscribed_to_its_downlink_at_qos_1_without_asking(pump: Account, version: Version) -> None:
    device = pump.connect(version)
    pump.send()
    assert device.next().qos == 1


def test_the_devices_own_subscription_decides_the_qos(pump: Account, version: Version, qos: int) -> None:
    device = pump.connect(version)
    assert device.subscribe(pump.inbox, qos) == qos
    message_id = pump.send("hello", payload_format="raw")
    received = device.next()
    assert (received.payload, received.qos) == (b"hello", qos)
    record = pump.final(message_id)
    assert (record["status"], record["acknowledged_by"]) == ("DELIVERED", "device" if qos else "sent")


@pytest.mark.parametrize("filter_below", ["sys/messages/+", "sys/#", "#"])
def test_a_wildcard_subscription_counts_as_one_to_the_downlink(pump: Account, filter_below: str) -> None:
    device = pump.connect()
    device.subscribe(f"{pump.tree}/{filter_below}", 2)
    pump.send()
    assert device.next().qos == 2


@pytest.mark.parametrize("shared_qos", [0, 2])
def test_the_qos_without_asking_is_configurable(new_daemon: NewDaemon, closing: ExitStack, shared_qos: int) -> None:
    own = Account(new_daemon({"mqtt.downlink_qos": shared_qos}), closing)
    device = own.connect()
    own.send()
    assert device.next().qos == shared_qos


def test_a_suffix_is_a_topic_below_the_devices_user_topics(pump: Account, version: Version) -> None:
    device = pump.connect(version)
    device.subscribe(f"{pump.tree}/user/#")
    message_id = pump.send("hello", topic="alarms/high")
    assert device.next().topic == f"{pump.tree}/user/alarms/high"
    record = pump.final(message_id)
    assert (record["status"], record["topic"]) == ("DELIVERED", f"{pump.tree}/user/alarms/high")


@pytest.mark.parametrize("topic", ["plant/{id}/orders", "$oc/devices/{id}/user/full", "$oc/devices/{id}/sys/else"])
def test_a_full_topic_is_passed_through_as_it_is(pump: Account, version: Version, topic: str) -> None:
    topic = topic.format(id=pump.id)
    device = pump.connect(version)
    device.subscribe(topic)
    message_id = pump.send("hello", topic_full_name=topic)
    assert device.next().topic == topic
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_a_message_on_another_topic_waits_until_the_device_subscribes(pump: Account, version: Version) -> None:
    device = pump.connect(version)
    answer = pump.post("first", topic="late", payload_format="raw", message_id="late")
    assert answer.body["result"]["status"] == "PENDING"
    pump.send("second", payload_format="raw")
    assert device.next().payload == b"second"
    assert pump.status("late") == "PENDING"
    device.subscribe(f"{pump.tree}/user/late")
    assert device.next().payload == b"first"
    assert pump.final("late")["status"] == "DELIVERED"


def test_an_uncached_message_to_a_connected_device_is_delivered(pump: Account, version: Version) -> None:
    device = pump.connect(version)
    message_id = pump.send(ttl=0)
    device.next()
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_an_uncached_message_to_an_absent_device_fails_at_once(pump: Account, version: Version) -> None:
    answer = pump.post("never", ttl=0, message_id="uncached", payload_format="raw")
    assert (answer.status, answer.body["result"]["status"]) == (201, "FAILED")
    assert failure(pump.record("uncached")) == "IOTDA.014016"
    pump.send("marker", payload_format="raw")
    assert pump.connect(version).next().payload == b"marker"


def test_an_uncached_message_fails_when_the_device_has_not_subscribed(pump: Account, version: Version) -> None:
    device = pump.connect(version)
    answer = pump.post("never", ttl=0, message_id="uncached", payload_format="raw", topic="unknown")
    assert (answer.status, answer.body["result"]["status"]) == (201, "FAILED")
    assert failure(pump.record("uncached")) == "IOTDA.014112"
    device.subscribe(f"{pump.tree}/user/#")
    pump.send("marker", payload_format="raw", topic="unknown")
    assert device.next().payload == b"marker"


def test_an_uncached_message_fails_with_the_connection_that_did_not_acknowledge_it(
    pump: Account, version: Version
) -> None:
    device = pump.connect_raw(version, clean=False)
    message_id = pump.send("once", ttl=0)
    device.next_message()
    assert pump.status(message_id) == "PENDING"
    device.close()
    assert failure(pump.final(message_id)) == "IOTDA.014016"
    pump.send("marker", payload_format="raw")
    assert pump.connect_raw(version, clean=False).next_message().payload == b"marker"
