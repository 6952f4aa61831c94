"""3.12 PINGREQ, 3.14 DISCONNECT, 3.15 AUTH as far as its form goes."""

import pytest

from bridge.mqtt import (
    Auth,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Publish,
    Subscribe,
    Subscription,
    Version,
)
from tests.mqtt.packets_table import INVALID
from tests.standard.peer import BOTH, KEPT, V5, Server
from tests.standard.proves import proves


@BOTH
@proves("MQTT3-3.12.4-1")
async def test_mqtt_3_12_4_1_every_ping_is_answered(server: Server, version: Version) -> None:
    client = await server.client(version=version)
    client.send(Pingreq(), Pingreq(), Pingreq())
    for _ in range(3):
        assert await client.receive(Pingresp) == Pingresp()
    await client.quiet()


async def test_mqtt_3_14_0_1_no_disconnect_before_connack(server: Server) -> None:
    rows = [row for row in INVALID if not row.versions]
    assert len(rows) > 300
    for row in rows:
        peer = await server.peer()
        peer.send_bytes(row.raw)
        while await peer._next() is not None:
            pass
        assert all(frame[0] == 0x20 for frame in peer.frames), row.name


@BOTH
@proves("MQTT3-3.14.1-1")
async def test_mqtt_3_14_1_1_flags_of_disconnect(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-2.1.3-1", "type 14 ")


ERRORS: dict[str, tuple[Packet, int]] = {
    "connect again": (Connect(V5, "c"), 0x82),
    "auth": (Auth(0x18, {"authentication_method": "none"}), 0x82),
    "alias": (Publish("a", properties={"topic_alias": 65535}), 0x94),
    "an expiry that was 0": (Disconnect(0, {"session_expiry_interval": 10}), 0x82),
}


@proves("MQTT-3.14.2-2", "MQTT-3.14.4-2", "MQTT-4.13.2-1")
@pytest.mark.parametrize("case", ERRORS)
async def test_mqtt_3_14_2_1_reasons_of_disconnect(server: Server, case: str) -> None:
    packet, reason = ERRORS[case]
    client = await server.client("c")
    client.send(packet)
    assert await client.ended() == reason


async def test_mqtt_3_14_2_2_no_session_expiry_from_the_server(server: Server) -> None:
    client = await server.client("c", properties={"session_expiry_interval": 0xFFFFFFFE})
    await server.client("c")
    assert "session_expiry_interval" not in (await client.receive(Disconnect)).properties


@proves("MQTT-3.14.4-2")
async def test_mqtt_3_14_4_1_nothing_comes_behind_disconnect(server: Server) -> None:
    """However much is on its way."""
    client = await server.client("c", properties=KEPT)
    await client.subscribe("a", 0)
    sender = await server.client()
    for _ in range(50):
        sender.publish("a", b"x" * 1000)
    client.send(Subscribe(9, [Subscription("b")]), Connect(V5, "c"), Pingreq())
    for _ in range(50):
        sender.publish("a", b"x" * 1000)
    while await client._next() is not None:
        pass
    kinds = [frame[0] >> 4 for frame in client.frames]
    assert kinds.count(14) == 1
    assert kinds[-1] == 14


@proves("MQTT-4.13.2-1")
@pytest.mark.parametrize("reason", [0x00, 0x04, 0x80, 0x81, 0x93])
async def test_mqtt_3_14_4_2_who_says_good_bye_is_disconnected(server: Server, reason: int) -> None:
    client = await server.client("c")
    client.send(Disconnect(reason), Pingreq())
    assert await client._next() is None


@proves("MQTT-4.13.1-1")
async def test_mqtt_3_15_1_1_flags_of_auth(server: Server) -> None:
    await server.refuses_clause(V5, "MQTT-2.1.3-1", "auth flags")


@proves("MQTT-4.12.0-6")
async def test_mqtt_4_12_0_7_auth_without_a_method_in_connect(server: Server) -> None:
    for reason in (0x18, 0x19):
        client = await server.client("c")
        client.send(Auth(reason, Properties(authentication_method="none")))
        assert await client.ended() == 0x82


async def test_mqtt_4_12_0_6_no_auth_and_no_method_unless_asked_for(server: Server) -> None:
    client = await server.client("c")
    await client.quiet()
    assert "authentication_method" not in client.connack.properties
    assert "authentication_data" not in client.connack.properties


async def test_mqtt_4_12_0_1_an_unknown_method(server: Server) -> None:
    peer = await server.peer()
    connack = await peer.connect("c", properties={"authentication_method": "none", "authentication_data": b"x"})
    assert connack.reason_code in (0x8C, 0x87)
    assert await peer._next() is None
