"""Messages between clients: devices among each other, and with an admin."""

import pytest

from bridge.mqtt import Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback, Subscribe, Subscription, Version
from tests.acceptance.account import Account
from tests.acceptance.conftest import Operator

NO_SUBSCRIBERS = 0x10
GRANTED = pytest.mark.parametrize("granted", [0, 1, 2], ids=["to-qos0", "to-qos1", "to-qos2"])


@GRANTED
def test_a_device_reaches_the_devices_that_subscribed(
    pump: Account, other: Account, version: Version, qos: int, granted: int
) -> None:
    listener = other.connect(version)
    assert listener.subscribe(f"plant/{pump.id}/+", granted) == granted
    assert pump.connect(version).publish(f"plant/{pump.id}/level", b"42", qos) == 0
    received = listener.next()
    assert (received.topic, received.payload) == (f"plant/{pump.id}/level", b"42")
    assert (received.qos, received.dup) == (min(qos, granted), False)


@pytest.mark.parametrize("listening", [Version.V31, Version.V311, Version.V5], ids=["to-3.1", "to-3.1.1", "to-5"])
def test_versions_mix(pump: Account, other: Account, version: Version, listening: Version) -> None:
    listener = other.connect(listening)
    listener.subscribe(f"plant/{pump.id}")
    pump.connect(version).publish(f"plant/{pump.id}", b"42")
    assert listener.next().payload == b"42"


def test_an_admin_hears_what_devices_report(pump: Account, operator: Operator, version: Version, qos: int) -> None:
    admin = operator(version)
    assert admin.subscribe("$oc/devices/+/sys/messages/up", qos) == qos
    pump.connect(version).publish(f"{pump.tree}/sys/messages/up", b"report", qos)
    received = admin.next()
    assert (received.topic, received.payload, received.qos) == (f"{pump.tree}/sys/messages/up", b"report", qos)


def test_an_admin_reaches_a_device_that_never_subscribed(
    pump: Account, operator: Operator, version: Version, qos: int
) -> None:
    device = pump.connect(version)
    topic = f"{pump.tree}/sys/commands/request_id=1"
    assert operator(version).publish(topic, b"start", qos) == 0
    received = device.next()
    assert (received.topic, received.payload, received.qos) == (topic, b"start", min(qos, 1))


def test_a_device_hears_what_an_admin_says_on_its_user_topics(
    pump: Account, operator: Operator, version: Version, qos: int
) -> None:
    device = pump.connect(version)
    device.subscribe(f"{pump.tree}/user/#", 2)
    operator(version).publish(f"{pump.tree}/user/news", b"hello", qos)
    assert device.next().qos == qos


def test_an_mqtt_5_listener_gets_the_properties_of_the_sender(pump: Account, other: Account) -> None:
    listener = other.connect()
    listener.subscribe(f"plant/{pump.id}")
    pairs = [("unit", "bar"), ("a", "1"), ("unit", "bar")]
    properties = {
        "CorrelationData": b"\x00\xff",
        "ResponseTopic": "answers",
        "UserProperty": pairs,
        "MessageExpiryInterval": 60,
    }
    pump.connect().publish(f"plant/{pump.id}", b"42", properties=properties)
    received = listener.next()
    assert received.correlation_data == b"\x00\xff"
    assert received.response_topic == "answers"
    assert received.user_properties == pairs
    assert received.expires_in is not None
    assert 58 <= received.expires_in <= 60


def test_a_sender_is_told_that_nobody_listens(pump: Account, version: Version) -> None:
    reason = pump.connect(version).publish(f"plant/{pump.id}", b"42")
    assert reason == (NO_SUBSCRIBERS if version is Version.V5 else 0)


def test_after_unsubscribing_nothing_comes(pump: Account, other: Account, version: Version) -> None:
    listener = other.connect(version)
    listener.subscribe(f"plant/{pump.id}/#")
    listener.subscribe(f"else/{pump.id}")
    listener.unsubscribe(f"plant/{pump.id}/#")
    sender = pump.connect(version)
    sender.publish(f"plant/{pump.id}/level", b"42")
    sender.publish(f"else/{pump.id}", b"marker")
    assert listener.next().payload == b"marker"


def test_a_sender_with_no_local_does_not_hear_itself(pump: Account) -> None:
    device = pump.connect_raw()
    device.send(Subscribe(1, [Subscription(f"plant/{pump.id}", 1, no_local=True)]))
    assert device.expect(Suback).reason_codes == [1]
    device.send(Publish(f"plant/{pump.id}", b"42"))
    assert device.before_pong() == []


def test_a_message_at_qos_2_is_routed_once_although_it_is_sent_twice(
    pump: Account, other: Account, version: Version
) -> None:
    listener = other.connect(version)
    listener.subscribe(f"plant/{pump.id}", 2)
    device = pump.connect_raw(version)
    for dup in (False, True):
        device.send(Publish(f"plant/{pump.id}", b"once", 2, dup=dup, packet_id=9))
        assert device.expect(Pubrec).packet_id == 9
    device.send(Pubrel(9))
    assert device.expect(Pubcomp).packet_id == 9
    device.send(Publish(f"plant/{pump.id}", b"marker", 2, packet_id=10))
    assert [received.payload for received in listener.take(2)] == [b"once", b"marker"]


def test_a_kept_session_collects_messages_while_its_client_is_away(
    pump: Account, other: Account, version: Version
) -> None:
    away = other.connect_kept(version)
    away.subscribe(f"plant/{pump.id}/#", 2)
    away.close()
    sender = pump.connect(version)
    for number in range(20):
        assert sender.publish(f"plant/{pump.id}/level", str(number).encode(), number % 3) == 0
    back = [(int(received.payload), received.qos) for received in other.connect_kept(version).take(13)]
    for level in (1, 2):  # at QoS 2 a message counts when it is released, so only those of one QoS are in order
        assert [number for number, at in back if at == level] == list(range(level, 20, 3))


def test_messages_between_clients_and_from_applications_share_a_session(pump: Account, operator: Operator) -> None:
    away = pump.connect_kept()
    away.subscribe(f"{pump.tree}/#", 1)
    away.close()
    message_id = pump.send("from an application", payload_format="raw")
    operator().publish(f"{pump.tree}/user/news", b"from an admin")
    back = pump.connect_kept()
    assert {received.payload for received in back.take(2)} == {b"from an application", b"from an admin"}
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_what_was_not_acknowledged_between_clients_comes_again(pump: Account, other: Account, version: Version) -> None:
    listener = other.connect_raw(version, clean=False)
    listener.subscribe(f"plant/{pump.id}", 1)
    pump.connect(version).publish(f"plant/{pump.id}", b"42")
    first = listener.next_message()
    listener.close()
    again = other.connect_raw(version, clean=False).next_message()
    assert (again.payload, again.packet_id, again.dup) == (b"42", first.packet_id, True)


def test_what_comes_again_respects_the_receive_maximum_of_the_new_connection(
    pump: Account, other: Account, operator: Operator
) -> None:
    listener = other.connect_raw(clean=False)
    listener.subscribe(f"plant/{pump.id}", 1)
    admin = operator()
    for number in range(5):
        admin.publish(f"plant/{pump.id}", str(number).encode())
    listener.before_pong()
    listener.close()
    listener = other.connect_raw(clean=False, receive_maximum=2)
    for number in range(0, 4, 2):
        publishes = [listener.next_message(), listener.next_message()]
        assert listener.before_pong() == []
        assert [(int(publish.payload), publish.dup) for publish in publishes] == [(number, True), (number + 1, True)]
        listener.send(*(Puback(publish.packet_id) for publish in publishes))
    assert listener.next_message().payload == b"4"


def test_a_message_at_qos_2_is_routed_once_although_its_sender_reconnects(
    pump: Account, other: Account, version: Version
) -> None:
    listener = other.connect(version)
    listener.subscribe(f"plant/{pump.id}", 1)
    device = pump.connect_raw(version, clean=False)
    device.send(Publish(f"plant/{pump.id}", b"once", 2, packet_id=9))
    device.expect(Pubrec)
    device.close()
    device = pump.connect_raw(version, clean=False)
    device.send(Publish(f"plant/{pump.id}", b"once", 2, dup=True, packet_id=9))
    device.expect(Pubrec)
    device.send(Pubrel(9))
    device.expect(Pubcomp)
    device.send(Publish(f"plant/{pump.id}", b"marker", 1, packet_id=10))
    assert [received.payload for received in listener.take(2)] == [b"once", b"marker"]


def test_a_message_that_expires_while_the_listener_is_away_is_dropped(
    pump: Account, other: Account, operator: Operator
) -> None:
    listener = other.connect_kept()
    listener.subscribe(f"plant/{pump.id}")
    listener.close()
    admin = operator()
    admin.publish(f"plant/{pump.id}", b"late", properties={"MessageExpiryInterval": 1})
    admin.publish(f"plant/{pump.id}", b"in time", properties={"MessageExpiryInterval": 60})
    quiet = pump.connect_raw()
    quiet.quiet_for(1.1)
    received = other.connect_kept().next()
    assert received.payload == b"in time"
    assert received.expires_in is not None
    assert 55 <= received.expires_in <= 59
