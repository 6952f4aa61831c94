"""4.12 Enhanced authentication and 3.15 AUTH, with a method of a plug-in."""

import pytest

from bridge.mqtt import Auth, Connack, Connect, Disconnect, Properties, Publish, Subscription
from tests.standard.conftest import NewServer
from tests.standard.peer import V5, Peer, Server
from tests.standard.pin import METHOD, PIN
from tests.standard.proves import proves

CONTINUE, REAUTHENTICATE = 0x18, 0x19


@pytest.fixture
async def server(new_server: NewServer) -> Server:
    return await new_server(plugins={"tests.standard.pin.Pin": {}})


def auth(reason: int, data: bytes | None = None, method: str = METHOD) -> Auth:
    properties = Properties(authentication_method=method)
    if data is not None:
        properties["authentication_data"] = data
    return Auth(reason, properties)


async def asked(server: Server, largest: int = 1_000_000) -> Peer:
    """A client that was asked for its pin."""
    peer = await server.peer()

    peer.send(Connect(V5, "c", properties=Properties(authentication_method=METHOD, maximum_packet_size=largest)))
    assert await peer.receive(Auth) == auth(CONTINUE, b"who?")
    return peer


async def welcome(server: Server, largest: int = 1_000_000) -> Peer:
    """A client that was accepted."""
    peer = await asked(server, largest)
    peer.send(auth(CONTINUE, PIN))
    peer.connack = await peer.receive(Connack)
    assert peer.connack.reason_code == 0
    return peer


@proves("MQTT-3.15.2-1")
async def test_mqtt_4_12_0_2_who_asks_for_more_says_so(server: Server) -> None:
    peer = await asked(server)
    peer.send(auth(CONTINUE, b""))
    assert (await peer.receive(Auth)).reason_code == CONTINUE
    peer.send(auth(CONTINUE, PIN))
    assert (await peer.receive(Connack)).reason_code == 0
    await peer.quiet()


async def test_mqtt_4_12_0_4_a_wrong_answer_ends_the_connection(server: Server) -> None:
    peer = await asked(server)
    peer.send(auth(CONTINUE, b"0000"))
    assert (await peer.receive(Connack)).reason_code >= 0x80
    assert await peer._next() is None


async def test_mqtt_4_12_0_5_every_packet_names_the_method(server: Server) -> None:
    peer = await asked(server)
    peer.send(auth(CONTINUE, PIN))
    connack = await peer.receive(Connack)
    assert connack.properties["authentication_method"] == METHOD
    assert connack.properties["authentication_data"] == b"welcome"


@proves("MQTT-4.12.0-5", "MQTT-4.12.0-4")
async def test_another_method_in_between_ends_the_connection(server: Server) -> None:
    peer = await asked(server)
    peer.send(auth(CONTINUE, PIN, "other"))
    assert (await peer.receive(Connack)).reason_code >= 0x80
    assert await peer._next() is None


@proves("MQTT-3.15.2-1")
async def test_mqtt_4_12_1_1_again_with_the_same_method(server: Server) -> None:
    """While it lasts, everything else goes on."""
    peer = await welcome(server)
    peer.send(auth(REAUTHENTICATE))
    assert await peer.receive(Auth) == auth(CONTINUE, b"who?")
    assert await peer.granted(Subscription("a", 0)) == [0]
    peer.publish("a", b"x")
    assert (await peer.receive(Publish)).payload == b"x"
    peer.send(auth(CONTINUE, PIN))
    assert await peer.receive(Auth) == auth(0, b"welcome")
    await peer.quiet()


@proves("MQTT-4.12.1-1")
async def test_again_with_another_method_ends_the_connection(server: Server) -> None:
    peer = await welcome(server)
    peer.send(auth(REAUTHENTICATE, method="other"))
    assert (await peer.receive(Disconnect)).reason_code >= 0x80
    assert await peer._next() is None


async def test_mqtt_4_12_1_2_a_wrong_answer_later_ends_the_connection(server: Server) -> None:
    peer = await welcome(server)
    peer.send(auth(REAUTHENTICATE))
    await peer.receive(Auth)
    peer.send(auth(CONTINUE, b"0000"))
    assert (await peer.receive(Disconnect)).reason_code >= 0x80
    assert await peer._next() is None


@proves("MQTT-3.15.2-3")
async def test_mqtt_3_15_2_2_auth_fits_what_the_client_takes(server: Server) -> None:
    size = max(len(frame) for frame in (await welcome(server)).frames)
    peer = await welcome(server, size)
    peer.send(auth(REAUTHENTICATE))
    await peer.receive(Auth)
    peer.send(auth(CONTINUE, PIN))
    await peer.receive(Auth)
    assert all(len(frame) <= size for frame in peer.frames)
