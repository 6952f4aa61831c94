"""Who has the session and the connection of a device."""

import pytest

from bridge.mqtt import Disconnect, Properties, Puback, Version, Will
from tests.acceptance.account import Account
from tests.acceptance.conftest import Operator
from tests.acceptance.device import Login
from tests.acceptance.waiting import eventually

NO_SUBSCRIBERS = 0x10
TAKEN_OVER = 0x8E


def _reason(version: Version, reason: int) -> int | None:
    return reason if version is Version.V5 else None


@pytest.mark.parametrize("client_id", [None, "another"], ids=["same-client-id", "another-client-id"])
def test_a_new_connection_of_the_device_takes_over(pump: Account, version: Version, client_id: str | None) -> None:
    old = pump.connect_raw(version)
    new = pump.connect(version, client_id=client_id and f"{pump.id}-{client_id}")
    assert old.ended_with() == _reason(version, TAKEN_OVER)
    message_id = pump.send("hello", payload_format="raw")
    assert new.next().payload == b"hello"
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_what_the_old_connection_did_not_acknowledge_goes_to_the_new_one(pump: Account, version: Version) -> None:
    old = pump.connect_raw(version)
    message_id = pump.send()
    packet_id = old.next_message().packet_id
    again = pump.connect_raw(version).next_message()
    assert (again.dup, again.packet_id) == (True, packet_id)
    assert pump.status(message_id) == "PENDING"


def test_the_old_connection_says_nothing_more_after_the_take_over(pump: Account, version: Version) -> None:
    """Its acknowledgement may already be on its way, and must not count for the new connection."""
    old = pump.connect_raw(version)
    message_id = pump.send()
    packet_id = old.next_message().packet_id
    new = pump.connect_raw(version)
    new.next_message()
    assert old.ended_with() == _reason(version, TAKEN_OVER)
    old.close()
    assert new.before_pong() == []
    assert pump.status(message_id) == "PENDING"
    new.send(Puback(packet_id))
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_another_device_with_the_same_client_id_takes_the_connection_and_nothing_else(
    pump: Account, other: Account, version: Version
) -> None:
    shared = f"shared-by-{pump.id}"
    old = pump.connect_kept(version, client_id=shared)
    old.subscribe(f"{pump.id}/news")
    new = other.connect_kept(version, client_id=shared)
    old.lost()
    assert old.disconnect_reason == _reason(version, TAKEN_OVER)
    assert not new.session_present
    pump.send("for the first", payload_format="raw")
    assert new.publish(f"{pump.id}/news", b"") == (NO_SUBSCRIBERS if version is Version.V5 else 0)
    other.send("for the second", payload_format="raw")
    assert new.next().payload == b"for the second"


def test_the_owner_of_a_client_id_that_was_taken_starts_anew(pump: Account, other: Account) -> None:
    shared = f"shared-by-{pump.id}"
    pump.connect_kept(client_id=shared).subscribe(f"{pump.id}/news")
    other.connect_kept(client_id=shared)
    back = pump.connect_kept(client_id=shared)
    assert not back.session_present
    pump.send("hello", payload_format="raw")
    assert back.next().payload == b"hello"


@pytest.mark.parametrize("version", [Version.V311, Version.V5], ids=["mqtt3.1.1", "mqtt5"])
def test_a_kept_session_is_told_to_its_client(pump: Account, version: Version) -> None:
    first = pump.connect_kept(version)
    assert not first.session_present
    first.close()
    again = pump.connect_kept(version)
    assert again.session_present
    again.close()
    assert not pump.connect(version).session_present


def test_a_kept_session_has_its_subscriptions_and_a_clean_one_has_none(pump: Account, version: Version) -> None:
    first = pump.connect_kept(version)
    first.subscribe(f"{pump.tree}/user/kept")
    first.close()
    message_id = pump.send("kept", topic="kept", payload_format="raw")
    kept = pump.connect_kept(version)
    assert kept.next().payload == b"kept"
    assert pump.final(message_id)["status"] == "DELIVERED"
    kept.close()
    message_id = pump.send("not now", topic="kept")
    pump.send("marker", payload_format="raw")
    assert pump.connect(version).next().payload == b"marker"
    assert pump.status(message_id) == "PENDING"


def test_an_mqtt_5_session_ends_after_its_time(pump: Account, operator: Operator) -> None:
    device = pump.connect_raw(clean=False, session_expiry_interval=1)
    device.subscribe(f"{pump.id}/news")
    admin = operator()
    assert admin.publish(f"{pump.id}/news", b"") == 0
    device.close()
    assert admin.publish(f"{pump.id}/news", b"") == 0
    eventually(lambda: admin.publish(f"{pump.id}/news", b"") == NO_SUBSCRIBERS)


def test_an_mqtt_5_client_can_end_its_session_when_it_leaves(pump: Account) -> None:
    device = pump.connect_raw(clean=False)
    device.send(Disconnect(0, Properties(session_expiry_interval=0)))
    device.ended()
    assert not pump.connect_kept().session_present


@pytest.mark.parametrize("goodbye", [False, True], ids=["lost", "disconnected"])
def test_a_will_is_sent_for_a_client_that_is_lost(
    pump: Account, other: Account, version: Version, goodbye: bool
) -> None:
    listener = other.connect()
    listener.subscribe(f"wills/{pump.id}/#")
    device = pump.raw(version).connect(will=Will(f"wills/{pump.id}", b"gone", 1))
    if goodbye:
        device.send(Disconnect())
        device.ended()
    device.close()
    if not goodbye:
        assert listener.next().payload == b"gone"
    pump.connect(version).publish(f"wills/{pump.id}", b"marker")
    assert listener.next().payload == b"marker"


def test_an_mqtt_5_client_without_a_name_is_given_one(pump: Account) -> None:
    nameless = Login(pump.id, pump.login.password, "")
    connack = pump.raw(login=nameless).try_connect()
    assert connack.reason_code == 0
    assert connack.properties["assigned_client_identifier"]
