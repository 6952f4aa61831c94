"""A device has its own topics and what is open to all; it never gets at another device's."""

import pytest

from bridge.mqtt import Puback, Publish, Pubrec, Version
from tests.acceptance.account import Account
from tests.acceptance.conftest import Operator
from tests.acceptance.raw_device import RawDevice

REFUSED = [
    "{other}/sys/messages/down",
    "{other}/user/#",
    "{other}/#",
    "$oc/devices/+/#",
    "$oc/devices/+/sys/messages/down",
    "$oc/devices/#",
    "$oc/+/{id}/#",
    "$oc/#",
    "$SYS/#",
    "$share/group/{other}/#",
    "$share/group/$oc/#",
]
HARMLESS = [
    "#",
    "+/#",
    "+/devices/{id}/#",
    "+/devices/{id}/sys/messages/down",
    "+/+/+/sys/messages/down",
    "$share/group/#",
]
"""Open, because a leading wildcard never matches a topic that begins with $ [MQTT-4.7.2-1]."""


def _refused(version: Version) -> int:
    return 0x87 if version is Version.V5 else 0x80


def _spoken(other: Account, operator: Operator) -> None:
    """Everything that is said in the other device's tree; when this returns it has been handed out."""
    own = other.connect()
    own.subscribe(f"{other.tree}/#", 1)
    other.send("secret")
    other.send("secret", topic="commands")
    own.take(2)
    own.publish(f"{other.tree}/sys/messages/up", b"secret")
    own.next()
    operator().publish(f"{other.tree}/sys/commands/request_id=1", b"secret")
    own.next()


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_subscription_to_another_tree_is_refused(
    pump: Account, other: Account, operator: Operator, version: Version, pattern: str
) -> None:
    topic_filter = pattern.format(other=other.tree, id=other.id)
    device = pump.connect_raw(version)
    assert device.subscribe(topic_filter, 2) == _refused(version)
    _spoken(other, operator)
    assert device.before_pong() == []


def test_wildcards_that_are_open_do_not_reach_another_tree(
    pump: Account, other: Account, operator: Operator, version: Version
) -> None:
    device = pump.connect_raw(version)
    for pattern in HARMLESS:
        assert device.subscribe(pattern.format(id=other.id), 2) == 2
    _spoken(other, operator)
    assert device.before_pong() == []


def _forge(device: RawDevice, topic: str, qos: int) -> int:
    """The reason code of the acknowledgement; 0 where there is none."""
    device.send(Publish(topic, b"forged", qos, packet_id=7 if qos else 0))
    if qos == 0:
        assert device.before_pong() == []
        return 0
    return (device.expect(Puback) if qos == 1 else device.expect(Pubrec)).reason_code


@pytest.mark.parametrize("below", ["sys/messages/down", "sys/commands/request_id=1", "user/x", "sys/messages/up"])
def test_nothing_a_device_publishes_reaches_another_tree(
    pump: Account, other: Account, operator: Operator, version: Version, qos: int, below: str
) -> None:
    victim = other.connect_raw(version)
    victim.subscribe(f"{other.tree}/#", 0)
    admin = operator()
    admin.subscribe(f"{other.tree}/#", 0)
    device = pump.connect_raw(version)
    reason = _forge(device, f"{other.tree}/{below}", qos)
    assert reason == (0x87 if qos and version is Version.V5 else 0)
    assert victim.before_pong() == []
    admin.publish(f"{other.tree}/user/marker", b"marker")
    assert admin.next().payload == b"marker"


def test_a_device_may_use_its_own_tree(pump: Account, version: Version, qos: int) -> None:
    device = pump.connect(version)
    assert device.subscribe(f"{pump.tree}/#", qos) == qos
    device.publish(f"{pump.tree}/sys/properties/report", b"42", qos)
    received = device.next()
    assert (received.topic, received.qos) == (f"{pump.tree}/sys/properties/report", qos)


def test_a_device_may_listen_to_broadcasts_and_not_send_them(
    pump: Account, operator: Operator, version: Version
) -> None:
    device = pump.connect(version)
    assert device.subscribe("$oc/broadcast/news") == 1
    assert device.publish("$oc/broadcast/news", b"forged") == (0x87 if version is Version.V5 else 0)
    operator().publish("$oc/broadcast/news", b"genuine")
    assert device.next().payload == b"genuine"


def test_what_a_device_reports_has_no_effect_on_messages_to_others(pump: Account, other: Account) -> None:
    """Envelopes that pretend to be from this server."""
    device = pump.connect()
    waiting = other.send("waits")
    device.publish(f"{pump.tree}/sys/messages/down", b'{"name":null,"id":"' + waiting.encode() + b'","content":""}')
    assert other.status(waiting) == "PENDING"
