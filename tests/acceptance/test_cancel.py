"""DELETE: a message that waits is not sent any more, one that is finished is forgotten."""

import pytest

from bridge.mqtt import Puback, Version
from tests.acceptance.account import Account

UNKNOWN_MESSAGE = "IOTDA.014131"
DUPLICATE = "IOTDA.014130"


def _gone(pump: Account, message_id: str) -> None:
    answer = pump.api.show(pump.id, message_id)
    assert (answer.status, answer.error) == (404, UNKNOWN_MESSAGE)


def test_a_cancelled_message_is_never_delivered(pump: Account, version: Version) -> None:
    pump.send("never", message_id="cancelled", payload_format="raw")
    pump.cancel("cancelled")
    _gone(pump, "cancelled")
    pump.send("marker", payload_format="raw")
    assert pump.connect(version).next().payload == b"marker"


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "kept"])
def test_a_message_cancelled_on_its_way_is_not_sent_again(pump: Account, version: Version, clean: bool) -> None:
    device = pump.connect_raw(version, clean=clean)
    message_id = pump.send("once", payload_format="raw")
    assert device.next_message().payload == b"once"
    pump.cancel(message_id)
    device.close()
    pump.send("marker", payload_format="raw")
    again = pump.connect_raw(version, clean=clean).next_message()
    assert (again.payload, again.dup) == (b"marker", False)


def test_an_acknowledgement_after_the_cancellation_changes_nothing(pump: Account, version: Version) -> None:
    device = pump.connect_raw(version)
    message_id = pump.send("once")
    packet_id = device.next_message().packet_id
    pump.cancel(message_id)
    device.send(Puback(packet_id))
    assert device.before_pong() == []
    _gone(pump, message_id)
    following = pump.send("next")
    device.send(Puback(device.next_message().packet_id))
    assert pump.final(following)["status"] == "DELIVERED"


def test_a_message_that_waits_for_a_subscription_can_be_cancelled(pump: Account) -> None:
    device = pump.connect()
    pump.cancel(pump.send("never", topic="later"))
    pump.send("marker", topic="later", payload_format="raw")
    device.subscribe(f"{pump.tree}/user/later")
    assert device.next().payload == b"marker"


def test_a_finished_message_is_removed(pump: Account) -> None:
    device = pump.connect()
    message_id = pump.send()
    device.next()
    pump.final(message_id)
    pump.cancel(message_id)
    _gone(pump, message_id)
    assert pump.api.index(pump.id).body == {"device_id": pump.id, "messages": []}


def test_an_unknown_message_cannot_be_cancelled(pump: Account) -> None:
    message_id = pump.send()
    pump.cancel(message_id)
    for unknown in (message_id, "never-sent"):
        answer = pump.api.delete(pump.id, unknown)
        assert (answer.status, answer.error) == (404, UNKNOWN_MESSAGE)


def test_a_message_of_another_device_cannot_be_cancelled(pump: Account, other: Account) -> None:
    pump.send("mine", message_id="mine", payload_format="raw")
    assert other.api.delete(other.id, "mine").status == 404
    assert pump.connect().next().payload == b"mine"


@pytest.mark.parametrize("finished", [False, True], ids=["pending", "finished"])
def test_a_message_id_is_used_once_for_a_device(pump: Account, other: Account, finished: bool) -> None:
    pump.send("first", message_id="order", payload_format="raw")
    if finished:
        pump.connect()
        pump.final("order")
    answer = pump.post("second", message_id="order")
    assert (answer.status, answer.error) == (400, DUPLICATE)
    other.send("of another device", message_id="order")
    assert pump.record("order")["message"] == "first"
    assert [m["message_id"] for m in pump.api.index(pump.id).body["messages"]] == ["order"]


def test_the_id_of_a_cancelled_message_is_free(pump: Account) -> None:
    pump.send("first", message_id="order", payload_format="raw")
    pump.cancel("order")
    pump.send("second", message_id="order", payload_format="raw")
    assert pump.connect().next().payload == b"second"
