"""3.2 CONNACK: what comes first, what it says, what it announces."""

import pytest

from bridge.mqtt import (
    Connack,
    Connect,
    Pingreq,
    Pingresp,
    Properties,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Version,
    Will,
    encode,
)
from tests.standard.conftest import NewServer
from tests.standard.peer import BOTH, V5, Peer, Server
from tests.standard.proves import proves
from tests.standard.test_3_1_connect import size_of_connack


@BOTH
@proves("MQTT3-3.2.0-1")
async def test_mqtt_3_2_0_1_connack_comes_first(server: Server, version: Version) -> None:
    """Also before what a client that did not wait for it asked for, and before what waited for the client."""
    client = await server.kept("c", version)
    await client.subscribe("a")
    await client.disconnect()
    await (await server.client()).published("a")
    peer = await server.peer(version)
    properties = Properties(session_expiry_interval=10)
    packets = (Connect(version, "c", False, properties=properties), Subscribe(1, [Subscription("b")]), Pingreq())
    peer.send_bytes(b"".join(encode(packet, version) for packet in packets))
    assert (await peer.receive(Connack)).reason_code == 0
    kinds = {type(await peer._next()) for _ in range(3)}
    assert kinds == {Publish, Suback, Pingresp}


async def test_mqtt_3_2_0_2_one_connack_a_connection(server: Server) -> None:
    client = await server.client("c")
    await client.subscribe("a")
    await client.published("b")
    client.send(Connect(V5, "c"))
    assert await client.ended() == 0x82
    assert [frame[0] for frame in client.frames].count(0x20) == 1


async def test_mqtt_3_2_2_1_reserved_acknowledge_flags_are_0(server: Server) -> None:
    for present in (0, 1):
        client = await server.kept("c")
        assert client.frames[0][2] == present
        await client.disconnect()
    server.site.add_device("pump")
    refused = await server.peer()
    await refused.connect("pump")
    assert refused.frames[0][2] == 0


REFUSED: dict[str, tuple[Connect, int]] = {
    "nobody's password": (Connect(V5, "c", username="nobody", password=b"x"), 0x86),
    "a device's identifier": (Connect(V5, "pump"), 0x85),
    "no such method": (Connect(V5, "c", properties={"authentication_method": "none"}), 0x8C),
    "a will to a topic that is not open": (Connect(V5, "c", will=Will("$oc/x", b"")), 0x87),
}


@proves("MQTT-3.2.2-6", "MQTT-3.2.2-7", "MQTT-4.13.2-1", "MQTT-3.14.0-1")
@pytest.mark.parametrize("case", REFUSED)
async def test_mqtt_3_2_2_8_refusals_have_a_reason_of_connack(server: Server, case: str) -> None:
    server.site.add_device("pump")
    packet, reason = REFUSED[case]
    peer = await server.peer()
    peer.send(packet)
    assert await peer.refused() == reason
    assert len(peer.frames) == 1


async def test_mqtt_3_2_2_13_a_retained_will_where_there_is_no_retaining(new_server: NewServer) -> None:
    server = await new_server(retain_available=False)
    peer = await server.peer()
    peer.send(Connect(V5, "c", will=Will("w", b"gone", retain=True)))
    assert await peer.refused() == 0x9A


async def test_mqtt_3_2_2_14_a_retained_message_where_there_is_no_retaining(new_server: NewServer) -> None:
    server = await new_server(retain_available=False)
    client = await server.client()
    assert client.connack.properties["retain_available"] == 0
    client.send(Publish("a", b"x", retain=True))
    assert await client.ended() == 0x9A


@BOTH
async def test_mqtt_3_2_2_15_a_packet_larger_than_the_server_takes(new_server: NewServer, version: Version) -> None:
    server = await new_server(max_packet_size=2000)
    client = await server.client(version=version)
    if version is V5:
        assert client.connack.properties["maximum_packet_size"] == 2000
    rest = 1 + 2 + 3 + (version is V5)
    client.publish("a", b"x" * (2000 - rest))
    await client.quiet()
    client.publish("a", b"x" * (2001 - rest))
    assert await client.ended() == (0x95 if version is V5 else None)


async def test_mqtt_3_2_2_17_no_alias_above_what_was_announced(new_server: NewServer) -> None:
    server = await new_server(topic_alias_maximum=3)
    client = await server.client()
    assert client.connack.properties["topic_alias_maximum"] == 3
    client.publish("a", b"x", 0, Properties(topic_alias=3))
    await client.quiet()
    client.publish("a", b"x", 0, Properties(topic_alias=4))
    assert await client.ended() == 0x94


async def test_mqtt_3_2_2_18_no_alias_where_none_was_announced(new_server: NewServer) -> None:
    server = await new_server(topic_alias_maximum=0)
    client = await server.client()
    assert client.connack.properties.get("topic_alias_maximum", 0) == 0
    client.publish("a", b"x", 0, Properties(topic_alias=1))
    assert await client.ended() == 0x94


@proves("MQTT-3.2.2-20")
async def test_mqtt_3_2_2_19_a_refusal_fits_what_the_client_takes(server: Server) -> None:
    server.site.add_device("pump")
    for packet, reason in REFUSED.values():
        peer = await server.peer()
        peer.send(
            Connect(
                V5,
                packet.client_id,
                will=packet.will,
                username=packet.username,
                password=packet.password,
                properties={**packet.properties, "maximum_packet_size": 5},
            )
        )
        assert await peer.receive(Connack) == Connack(False, reason)
        assert len(peer.raw) == 5


@proves("MQTT-3.2.2-19", "MQTT-3.2.2-20")
async def test_connack_fits_what_the_client_takes(server: Server) -> None:
    size = await size_of_connack(server)
    peer: Peer = await server.client("c", properties={"maximum_packet_size": size})
    assert len(peer.frames[0]) <= size
