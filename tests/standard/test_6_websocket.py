"""6 WebSocket as a transport."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.typing import Subprotocol

from bridge.mqtt import Connack, Connect, Decoder, Packet, Pingreq, Pingresp, Side, Version, encode
from tests.broker.times import PATIENCE
from tests.standard.conftest import NewServer
from tests.standard.peer import BOTH
from tests.standard.proves import proves


@pytest.fixture
async def socket(new_server: NewServer) -> AsyncIterator[ClientConnection]:
    server = await new_server(websocket_bind="127.0.0.1:0")
    host, port = server.site.broker.addresses["ws"]
    async with connect(f"ws://{host}:{port}/mqtt", subprotocols=[Subprotocol("mqtt")], compression=None) as opened:
        yield opened


async def receive(socket: ClientConnection, version: Version, count: int) -> list[Packet]:
    decoder = Decoder(version=version, side=Side.CLIENT)
    packets: list[Packet] = []
    while len(packets) < count:
        data = await socket.recv()
        assert isinstance(data, bytes)  # a binary frame
        packets += decoder.feed(data)
    return packets


@BOTH
@proves("MQTT3-6.0.0-1")
async def test_mqtt_6_0_0_1_binary_frames_only(socket: ClientConnection, version: Version) -> None:
    await socket.send(encode(Connect(version, "c"), version))
    (connack,) = await receive(socket, version, 1)
    assert isinstance(connack, Connack)
    assert connack.reason_code == 0
    await socket.send("\x00")
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE):
            async for data in socket:
                assert isinstance(data, bytes)
    assert socket.state is State.CLOSED


@BOTH
@proves("MQTT3-6.0.0-2")
async def test_mqtt_6_0_0_2_frames_and_packets_need_not_fit(socket: ClientConnection, version: Version) -> None:
    data = encode(Connect(version, "c"), version) + encode(Pingreq(), version) * 3
    for piece in (data[:1], data[1:7], data[7:-3], data[-3:]):
        await socket.send(piece)
    packets = await receive(socket, version, 4)
    assert isinstance(packets[0], Connack)
    assert packets[1:] == [Pingresp()] * 3


@BOTH
@proves("MQTT3-6.0.0-4")
async def test_mqtt_6_0_0_4_the_subprotocol_is_mqtt(socket: ClientConnection, version: Version) -> None:
    assert socket.subprotocol == "mqtt"
    await socket.send(encode(Connect(version, "c"), version))
    await receive(socket, version, 1)
