"""The device for people at a terminal, against a few bytes of MQTT."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from bridge.broker.device_client import Answer, DeviceClient, DeviceRefused, Received, answer_to
from tests.cli.mqtt_server import CONNACK_V3, CONNACK_V5, MqttServer, publish_v5

DOWN = "$oc/devices/d-1/sys/messages/down"
UP = "$oc/devices/d-1/sys/messages/up"
CONNECT, PUBLISH, PUBACK, SUBSCRIBE, DISCONNECT = 1, 3, 4, 8, 14

Start = Callable[..., DeviceClient]


@pytest.fixture
def server() -> Iterator[MqttServer]:
    with MqttServer() as server:
        yield server


@pytest.fixture
def client(server: MqttServer) -> Iterator[Start]:
    """Builds a client for the server; closes all of them afterwards."""
    clients: list[DeviceClient] = []

    def start(*plays: tuple[bytes, ...], **options: Any) -> DeviceClient:
        server.plays = list(plays)
        server.start()
        clients.append(DeviceClient("127.0.0.1", server.port, "d-1", "12345678", **options))
        return clients[-1]

    yield start
    for each in clients:
        each.close()


@pytest.mark.parametrize(
    ("payload", "properties", "answer"),
    [
        (b'{"name":null,"id":"m","content":"x"}', {}, Answer(UP, b'{"id": "m", "content": "ok"}')),
        (b'{"id":"m","content":"x"}', {}, Answer(UP, b'{"id": "m", "content": "ok"}')),
        (b"x", {"response_topic": "r", "correlation_data": b"c"}, Answer("r", b"ok", b"c")),
        (b'{"id":"m","content":"x"}', {"response_topic": "r"}, Answer("r", b'{"id": "m", "content": "ok"}')),
        (
            b'{"object_device_id":"d-2","name":null,"id":"m","content":"x"}',
            {},
            Answer(UP, b'{"object_device_id": "d-2", "id": "m", "content": "ok"}'),
        ),
        (b'{"object_device_id":null,"id":"m","content":"x"}', {}, Answer(UP, b'{"id": "m", "content": "ok"}')),
        (b'{"object_device_id":7,"id":"m","content":"x"}', {}, None),
        (b'{"object_device_id":"d-2","id":null,"content":"x"}', {}, None),
        (b"x", {}, None),
        (b"\xff", {}, None),
        (b"[1]", {}, None),
        (b'{"id":"m"}', {}, None),
        (b'{"id":7,"content":"x"}', {}, None),
        (b'{"id":"m","content":"x","more":1}', {}, None),
    ],
)
def test_what_is_answered(payload: bytes, properties: dict[str, Any], answer: Answer | None) -> None:
    assert answer_to(Received(DOWN, payload, 1, **properties), "d-1") == answer


def test_it_logs_in_as_the_device_and_subscribes_to_its_user_topics(client: Start, server: MqttServer) -> None:
    client((CONNACK_V5, b"")).connect()
    assert server.got(CONNECT) == [b"\0\4MQTT\5\xc2\0\x1e\0" + b"\0\3d-1" + b"\0\3d-1" + b"\0\x0812345678"]
    (subscribe,) = server.got(SUBSCRIBE)
    assert subscribe[3:] == b"\0\x16$oc/devices/d-1/user/#" + bytes([0b101])  # no local, QoS 1


@pytest.mark.parametrize(("version", "name"), [(4, b"\0\4MQTT\4"), (3, b"\0\6MQIsdp\3")])
def test_older_versions(client: Start, server: MqttServer, version: int, name: bytes) -> None:
    client((CONNACK_V3, b""), version=version).connect()
    assert server.got(CONNECT)[0].startswith(name)
    assert server.got(SUBSCRIBE)[0][2:] == b"\0\x16$oc/devices/d-1/user/#\1"


def test_a_message_is_acknowledged_after_it_was_handled(client: Start, server: MqttServer) -> None:
    seen: list[tuple[Received, list[bytes]]] = []
    device = client(
        (CONNACK_V5, publish_v5(DOWN, b"x", packet_id=7)),
        on_message=lambda received: seen.append((received, server.got(PUBACK))),
    )
    device.connect()
    assert device.wait(1, 5)
    device.close()
    server.finish()
    assert seen == [(Received(DOWN, b"x", 1), [])]
    assert [body[:2] for body in server.got(PUBACK)] == [b"\0\7"]
    assert server.packets[-1].kind == DISCONNECT


def test_the_answer_goes_out(client: Start, server: MqttServer) -> None:
    device = client((CONNACK_V5, publish_v5(DOWN, b"x", b"\x08\0\1r\x09\0\1c")))
    device.connect()
    assert device.wait(1, 5)
    device.close()
    server.finish()
    assert server.got(PUBLISH) == [b"\0\1r" + b"\0\2" + b"\4\x09\0\1c" + b"ok"]


def test_a_response_topic_that_is_none_is_not_answered(client: Start, server: MqttServer) -> None:
    notices: list[str] = []
    device = client((CONNACK_V5, publish_v5(DOWN, b"x", b"\x08\0\1#")), on_notice=notices.append)
    device.connect()
    assert device.wait(1, 5)
    assert notices == ["connected", "cannot answer to #: it is not a topic name"]
    assert server.got(PUBLISH) == []


@pytest.mark.parametrize(("reason", "text"), [("86", "wrong device id or secret"), ("8a", "the device is frozen")])
def test_a_refusal_is_final(client: Start, server: MqttServer, reason: str, text: str) -> None:
    with pytest.raises(DeviceRefused, match=text):
        client((bytes.fromhex(f"20 03 00 {reason} 00"),)).connect()
    assert len(server.got(CONNECT)) == 1


def test_being_taken_over_is_final(client: Start) -> None:
    device = client((CONNACK_V5, bytes.fromhex("e0 02 8e 00")))
    with pytest.raises(DeviceRefused, match="took over"):  # noqa: PT012 - it may come before connect returns
        device.connect()
        device.wait(timeout=5)


@pytest.mark.slow
def test_a_busy_daemon_is_asked_again(client: Start, server: MqttServer) -> None:
    notices: list[str] = []
    client((bytes.fromhex("20 03 00 89 00"),), (CONNACK_V5, b""), on_notice=notices.append).connect()
    assert notices[0] == "the daemon says: Server busy; trying again"
    assert notices[-1] == "connected"
    assert len(server.got(CONNECT)) == 2


@pytest.mark.slow
def test_a_lost_connection_comes_back(client: Start, server: MqttServer) -> None:
    notices: list[str] = []
    device = client((CONNACK_V5,), (CONNACK_V5, publish_v5(DOWN, b"x")), on_notice=notices.append)
    device.connect()
    assert device.wait(1, 10)
    assert notices == ["connected", "no connection, trying again", "connected"]


def test_a_refused_subscription_is_told(client: Start) -> None:
    notices: list[str] = []
    device = client((CONNACK_V5, b""), on_notice=notices.append)
    refusal = [ReasonCode(PacketTypes.SUBACK, "Not authorized")]
    device._granted(device._client, None, 1, refusal, None)
    assert notices == ["the subscription to user topics was refused: Not authorized"]


def test_a_callback_that_fails_ends_the_wait_without_an_acknowledgement(client: Start, server: MqttServer) -> None:
    def fail(received: Received) -> None:
        raise BrokenPipeError

    device = client((CONNACK_V5, publish_v5(DOWN, b"x")), on_message=fail)
    with pytest.raises(BrokenPipeError):  # noqa: PT012 - it may come before connect returns
        device.connect()
        device.wait(1, 5)
    device.close()
    server.finish()
    assert server.got(PUBACK) == []


def test_no_answer_in_time(client: Start) -> None:
    with pytest.raises(TimeoutError, match="did not answer within"):
        client((b"", b"")).connect(0.05)


def test_wait_has_a_limit(client: Start) -> None:
    device = client((CONNACK_V5, b""))
    device.connect()
    assert not device.wait(1, 0.01)


def test_close_ends_the_thread(client: Start) -> None:
    before = threading.active_count()
    device = client((CONNACK_V5, b""))
    device.connect()
    device.close()
    assert threading.active_count() <= before + 1  # the server's own
