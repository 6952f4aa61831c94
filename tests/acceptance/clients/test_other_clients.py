"""Client libraries of other makers as devices, in the versions of MQTT they speak."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeAlias

import pytest

from bridge.mqtt import Puback, Pubcomp, Version
from tests.acceptance.account import Account
from tests.acceptance.clients import with_mqttjs
from tests.acceptance.clients.base import WITHIN, Heard, OtherClient
from tests.acceptance.clients.severing import Severing
from tests.acceptance.clients.with_aiomqtt import Aiomqtt
from tests.acceptance.clients.with_gmqtt import Gmqtt
from tests.acceptance.clients.with_mqttjs import MqttJs
from tests.acceptance.conftest import NewDaemon
from tests.acceptance.test_listeners import where

Connect: TypeAlias = Callable[..., OtherClient]
MQTTJS = pytest.param(
    MqttJs, id="MQTT.js", marks=pytest.mark.skipif(with_mqttjs.missing() is not None, reason=str(with_mqttjs.missing()))
)


@pytest.fixture(params=[Version.V311, Version.V5], ids=["mqtt3.1.1", "mqtt5"])
def version(request: pytest.FixtureRequest) -> Version:
    found: Version = request.param
    return found


@pytest.fixture(params=[pytest.param(Gmqtt, id="gmqtt"), pytest.param(Aiomqtt, id="aiomqtt"), MQTTJS])
def connect(request: pytest.FixtureRequest, pump: Account, version: Version) -> Iterator[Connect]:
    """`connect(kept=False)`: the device `pump` with the library."""
    with ExitStack() as stack:

        def opened(*, kept: bool = False) -> OtherClient:
            client: OtherClient = request.param(pump.daemon.mqtt, pump.login, version, kept=kept)
            stack.callback(client.close)
            return client

        yield opened


def test_a_message_is_delivered(connect: Connect, pump: Account, version: Version) -> None:
    client = connect()
    message_id = pump.send(
        "hello",
        payload_format="raw",
        properties={
            "correlation_data": "c-1",
            "response_topic": f"{pump.tree}/user/answer",
            "user_properties": [{"prop_key": "a", "prop_value": "1"}, {"prop_key": "b", "prop_value": "2"}],
        },
    )
    heard = client.next()
    assert (heard.topic, heard.payload, heard.qos) == (pump.inbox, b"hello", 1)
    if version is Version.V5:
        assert (heard.response_topic, heard.correlation_data) == (f"{pump.tree}/user/answer", b"c-1")
        assert heard.user_properties == [("a", "1"), ("b", "2")]
    assert pump.final(message_id)["status"] == "DELIVERED"


def test_what_it_publishes_comes_back_at_every_qos(connect: Connect, pump: Account, version: Version) -> None:
    client = connect()
    topic = f"plant/{pump.id}"
    client.subscribe(f"{topic}/#", 2)
    given = [("room", "7")] if version is Version.V5 else []
    for qos in (0, 1, 2):
        client.publish(f"{topic}/{qos}", b"\x00\xff" * 3000, qos, given)
        assert client.next() == Heard(f"{topic}/{qos}", b"\x00\xff" * 3000, qos, user_properties=given)


@pytest.mark.skipif(with_mqttjs.missing() is not None, reason=str(with_mqttjs.missing()))
def test_mqttjs_over_websocket(new_daemon: NewDaemon, closing: ExitStack, version: Version) -> None:
    """As a browser would."""
    pump = Account(new_daemon({"mqtt.websocket_bind": "127.0.0.1:0"}), closing)
    client = MqttJs(where(pump.daemon, "ws"), pump.login, version, kept=False, websocket=True)
    closing.callback(client.close)
    message_id = pump.send("hello", payload_format="raw")
    assert client.next().payload == b"hello"
    assert pump.final(message_id)["status"] == "DELIVERED"
    client.subscribe("plant/#", 2)
    client.publish("plant/1", b"x" * 100_000, 2, [])
    assert client.next() == Heard("plant/1", b"x" * 100_000, 2)


def test_its_session_is_kept(connect: Connect, pump: Account, other: Account, version: Version) -> None:
    topic = f"plant/{pump.id}"
    first = connect(kept=True)
    first.subscribe(topic, 1)
    first.close()
    sender = other.connect(version)
    for number in range(3):
        sender.publish(topic, str(number).encode(), 1)
    again = connect(kept=True)
    assert again.session_present is not False
    assert [again.next().payload for _ in range(3)] == [b"0", b"1", b"2"]


NEEDS_MQTTJS = pytest.mark.skipif(with_mqttjs.missing() is not None, reason=str(with_mqttjs.missing()))


@NEEDS_MQTTJS
def test_a_burst_of_mqttjs_is_served(new_daemon: NewDaemon, closing: ExitStack, version: Version) -> None:
    """It does not look at our Receive Maximum, and all of it waits for our disk."""
    daemon = new_daemon()
    pump, source = Account(daemon, closing), Account(daemon, closing)
    subscriber = pump.connect_raw(clean=False)
    subscriber.subscribe("news", 1)
    subscriber.close()
    client = MqttJs(daemon.mqtt, source.login, version, kept=True)
    closing.callback(client.close)
    client.burst("news", 1, 1000)
    subscriber = pump.connect_raw(clean=False)
    for number in range(1000):
        message = subscriber.next_message()
        assert message.payload == b"%d" % number
        subscriber.send(Puback(message.packet_id))


@NEEDS_MQTTJS
def test_mqttjs_hears_no_error_when_a_pubcomp_is_lost(
    new_daemon: NewDaemon, closing: ExitStack, version: Version
) -> None:
    """It asks again on the next connection [MQTT-4.4.0-1]."""
    daemon = new_daemon()
    pump = Account(daemon, closing)
    network = Severing(daemon.mqtt, Pubcomp, version)
    closing.callback(network.close)
    client = MqttJs(network.address, pump.login, version, kept=True, reconnects=True)
    closing.callback(client.close)
    client.publish("news", b"x", 2, [])
    assert network.severed.is_set()
    assert client.reconnected.get(timeout=WITHIN) is True
