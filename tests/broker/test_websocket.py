"""MQTT over WebSocket [MQTT-6]: each rule of the chapter, the framing under it, and its bounds."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from websockets.frames import CTRL_OPCODES, Frame, Opcode

from bridge.broker.session import Line
from bridge.mqtt import Connack, Connect, Packet, Pingreq, Pingresp, Puback, Publish, Version, Will, encode
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt
from tests.broker.times import comes, turn
from tests.broker.websocket_client import WebSocketClient, ask

Dial = Callable[..., Awaitable[WebSocketClient]]
KEY = base64.b64encode(b"0123456789abcdef").decode()
UPGRADE = f"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n"
MOST = 4096


@pytest.fixture
async def site(new_site: NewSite) -> Site:
    return await new_site(mqtt(websocket_bind="127.0.0.1:0", allow_anonymous=True, max_packet_size=MOST))


@pytest.fixture
async def dial(site: Site) -> AsyncIterator[Dial]:
    clients: list[WebSocketClient] = []

    async def open_client(version: Version = Version.V5, **options: object) -> WebSocketClient:
        client = await WebSocketClient.dial(site.broker.addresses["ws"], version, **options)  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        client.abort()


@pytest.mark.parametrize("version", Version)
async def test_a_device(site: Site, dial: Dial, version: Version) -> None:
    """What it is sent and what it sends, at QoS 0 to 2, as over TCP."""
    pump = site.add_device()
    client = await dial(version)
    await client.log_in(pump)
    message = await site.submit(pump)
    await client.take()
    await client.quiet()
    assert await site.stored_as(message) == "DELIVERED"
    assert await client.subscribe("plant/#", 2) == 2
    for qos in (0, 1, 2):
        other = await dial(version)
        await other.connect(f"other-{qos}")
        other.publish("plant/1", b"x" * qos, qos)
        assert (await client.take()).payload == b"x" * qos


@pytest.mark.parametrize("offered", [("mqtt",), ("chat", "mqtt"), ("mqttv3.1", "mqtt")])
async def test_mqtt_6_0_0_3_and_4_the_subprotocol(dial: Dial, offered: tuple[str, ...]) -> None:
    """[MQTT-6.0.0-3] [MQTT-6.0.0-4]"""
    client = await dial(subprotocols=offered)
    assert client.protocol.subprotocol == "mqtt"
    assert (await client.connect("c")).reason_code == 0


async def test_the_subprotocol_of_3_1(dial: Dial) -> None:
    """Clients of that version, which has no chapter on WebSockets, offer no other."""
    client = await dial(Version.V31, subprotocols=("mqttv3.1",))
    assert client.protocol.subprotocol == "mqttv3.1"
    assert (await client.connect("c")).reason_code == 0


@pytest.mark.parametrize("offered", [(), ("chat",), ("MQTT",)])
async def test_another_subprotocol_or_none(dial: Dial, offered: tuple[str, ...]) -> None:
    client = await dial(subprotocols=offered)
    assert client.response is not None
    assert client.response.status_code == 400
    assert b"subprotocol" in client.response.body
    assert await client.ended() is None


@pytest.mark.parametrize("path", ["/", "/mqtt", "/mqtt?token=1"])
async def test_paths(dial: Dial, path: str) -> None:
    assert (await dial(path=path)).accepted


async def test_another_path(dial: Dial) -> None:
    client = await dial(path="/chat")
    assert client.response is not None
    assert (client.response.status_code, client.response.body) == (404, b"MQTT over WebSocket is at /mqtt and /.\n")
    assert await client.ended() is None


async def test_nothing_is_compressed(dial: Dial) -> None:
    """The client offers it."""
    client = await dial()
    assert client.protocol.extensions == []


@pytest.mark.parametrize("version", [Version.V311, Version.V5])
async def test_mqtt_6_0_0_1_a_text_frame(site: Site, dial: Dial, version: Version) -> None:
    """[MQTT-6.0.0-1] the connection is closed, and what came before it counts."""
    watcher = await site.client()
    await watcher.connect("watcher")
    await watcher.subscribe("#", 0)
    client = await dial(version)
    await client.connect("c", will=Will("gone", b"!"))
    client.publish("before")
    client.send_frame(Opcode.TEXT, b"hello")
    client.publish("behind")
    assert [(await watcher.take()).topic for _ in range(2)] == ["before", "gone"]
    await watcher.quiet()
    assert await client.ended() == (0x82 if version is Version.V5 else None)
    assert client.close_code == 1003


async def test_a_text_frame_first(dial: Dial) -> None:
    client = await dial()
    client.send_frame(Opcode.TEXT, b"hello")
    assert await client.ended() is None
    assert client.close_code == 1003


def some_packets() -> bytes:
    packets: list[Packet] = [Connect(Version.V5, "c"), Publish("a", b"1" * 300, 1, packet_id=7), Pingreq()]
    return b"".join(encode(packet, Version.V5) for packet in packets)


async def answered(client: WebSocketClient) -> None:
    assert (await client.receive(Connack)).reason_code == 0
    assert (await client.receive(Puback)).packet_id == 7
    await client.receive(Pingresp)


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
async def test_mqtt_6_0_0_2_packets_and_frames_are_not_aligned(dial: Dial, size: int) -> None:
    """[MQTT-6.0.0-2] several packets in a frame, and one in many."""
    client = await dial()
    data = some_packets()
    for at in range(0, len(data), size):
        client.send_bytes(data[at : at + size])
    await answered(client)


async def test_fragmented_messages_with_pings_between(dial: Dial) -> None:
    client = await dial()
    data = some_packets()
    pieces = [data[at : at + 50] for at in range(0, len(data), 50)]
    for number, piece in enumerate(pieces):
        client.send_frame(Opcode.CONT if number else Opcode.BINARY, piece, fin=number == len(pieces) - 1)
        client.send_frame(Opcode.PING, b"%d" % number)
        client.send_frame(Opcode.PONG, b"")
    await answered(client)
    assert [bytes(frame.data) for frame in client.frames] == [b"%d" % number for number in range(len(pieces))]
    assert {frame.opcode for frame in client.frames} == {Opcode.PONG}


async def test_frames_that_trickle_in(dial: Dial) -> None:
    client = await dial()
    for byte in Frame(Opcode.BINARY, some_packets()).serialize(mask=True):
        client.transport.write(bytes([byte]))
        await turn()
    await answered(client)


async def test_pings_do_not_keep_alive(site: Site, dial: Dial) -> None:
    """Only MQTT packets count [MQTT-3.1.2-22]."""
    client = await dial()
    await client.connect("c", keep_alive=10)
    await site.let_pass(9)
    client.send_frame(Opcode.PING, b"?")
    await comes(client._more)
    await site.let_pass(8)
    assert await client.ended() == 0x8D


async def test_the_client_closes(site: Site, dial: Dial) -> None:
    """What it asked before is answered before the Close."""
    watcher = await site.client()
    await watcher.connect("watcher")
    await watcher.subscribe("gone", 0)
    client = await dial()
    await client.connect("c", will=Will("gone", b"!"))
    client.publish("a", b"", 1)
    client.send_close()
    await client.receive(Puback)
    assert await client.ended() is None
    assert client.close_code == 1000
    await watcher.take()


async def test_a_normal_disconnect(dial: Dial) -> None:
    client = await dial()
    await client.connect("c")
    await client.disconnect()
    assert client.close_code == 1000


async def test_taken_over(dial: Dial) -> None:
    first, second = await dial(), await dial()
    await first.connect("c")
    await second.connect("c")
    assert await first.ended() == 0x8E
    assert first.close_code == 1000
    await second.quiet()


async def test_a_client_that_does_not_answer_close(site: Site, dial: Dial) -> None:
    first, second = await dial(), await dial()
    first.obliging = False
    await first.connect("c")
    await second.connect("c")
    await comes(first._more)
    first.send_bytes(some_packets())  # not heard any more
    await site.let_pass(6)
    assert await first.ended() == 0x8E
    assert len(site.hub._lines) == 1


async def test_pings_behind_the_close(site: Site, dial: Dial) -> None:
    """They are not answered: a client that reads nothing would be sent more and more."""
    first, second = await dial(), await dial()
    first.obliging = False
    await first.connect("c")
    await second.connect("c")
    await comes(first._more)
    first.send_frame(Opcode.PING, b"?")
    first.send_frame(Opcode.CLOSE, b"")
    assert await first.ended() == 0x8E
    assert first.close_code == 1000
    assert first.behind_close == b""


@pytest.mark.parametrize("obliging", [True, False])
async def test_the_daemon_stops(site: Site, dial: Dial, obliging: bool) -> None:
    """Nobody's Close is waited for."""
    client = await dial()
    client.obliging = obliging
    await client.connect("c")
    await site.broker.stop()
    assert await client.ended() == 0x8B
    assert client.close_code == 1000
    await site.broker.start()


@pytest.mark.parametrize("payload", [b"", b"x" * (MOST + 65_537)])
async def test_frames_that_break_the_rules(dial: Dial, payload: bytes) -> None:
    """One that is too large, and one that continues nothing."""
    client = await dial()
    await client.connect("c")
    client.send_frame(Opcode.BINARY if payload else Opcode.CONT, payload)
    assert await client.ended() == (0x95 if payload else 0x82)
    assert client.close_code == (1009 if payload else 1002)


async def test_a_packet_that_is_too_large(dial: Dial) -> None:
    client = await dial()
    await client.connect("c")
    client.publish("a", b"x" * MOST)
    assert await client.ended() == 0x95


@pytest.mark.parametrize(
    ("request_bytes", "begins", "says"),
    [
        (b"GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 426 Upgrade Required", b"WebSocket client"),
        (b"POST /mqtt HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 Bad Request", b"MQTT over WebSocket"),
        (b"GET /mqtt HTTP/1.0\r\n\r\n", b"HTTP/1.1 400 Bad Request", b"MQTT over WebSocket"),
        (b"GET /mqtt HTTP/1.1\r\nno header\r\n\r\n", b"HTTP/1.1 400 Bad Request", b"MQTT over WebSocket"),
        (f"GET /mqtt HTTP/1.1\r\n{UPGRADE}\r\n".encode(), b"HTTP/1.1 400 Bad Request", b"Sec-WebSocket-Version"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 Bad Request", b""),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"HTTP/1.1 400 Bad Request", b""),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 9000 + b"\r\n", b"HTTP/1.1 4", b""),
        (b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * 20_000, b"HTTP/1.1 4", b""),
    ],
)
async def test_http_that_asks_for_no_websocket(
    site: Site, request_bytes: bytes, begins: bytes, says: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A short answer, and the end."""
    answer = await ask(site.broker.addresses["ws"], request_bytes)
    assert answer.startswith(begins)
    assert says in answer
    assert len(answer) < 1000
    assert answer.count(b"HTTP/1.1 ") == 1
    await until_gone(site)
    assert [record.getMessage() for record in caplog.records] == ["WebSocket refused"]


@pytest.mark.parametrize(
    "data",
    [b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00", b"\x16\x03\x01\x02\x00", b"\r\n\r\n", b"hello\r\n", b"X\n"],
)
async def test_what_is_no_http(site: Site, data: bytes) -> None:
    assert await ask(site.broker.addresses["ws"], data) == b""
    await until_gone(site)


@pytest.mark.parametrize("value", ["\xff", "", ",", "chat", "\x7f", "=" * 24, "a\tb"])
@pytest.mark.parametrize("header", ["Key", "Version", "Protocol", "Extensions", "Upgrade", "Connection", "Origin"])
async def test_headers_that_are_wrong(site: Site, header: str, value: str, caplog: pytest.LogCaptureFixture) -> None:
    """Alone or beside the right one: an answer that is short, and no trouble in the log."""
    right = f"{UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
    name = header if header in {"Upgrade", "Connection", "Origin"} else f"Sec-WebSocket-{header}"
    alone = "".join(line for line in right.splitlines(keepends=True) if not line.startswith(f"{name}:"))
    for headers in (f"{name}: {value}\r\n{right}", f"{alone}{name}: {value}\r\n"):
        request = f"GET /mqtt HTTP/1.1\r\n{headers}\r\n".encode("latin-1")
        reader, writer = await asyncio.open_connection(*site.broker.addresses["ws"])
        writer.write(request)
        line = await reader.readline()
        assert line.split()[1] in {b"101", b"400", b"426"}
        writer.close()
    await until_gone(site)
    assert {record.levelname for record in caplog.records} <= {"WARNING", "INFO"}


@pytest.mark.parametrize("data", [b"", b"GET /mqtt HTTP/1.1\r\nHost"])
async def test_a_handshake_that_does_not_come(site: Site, data: bytes) -> None:
    reader, writer = await asyncio.open_connection(*site.broker.addresses["ws"])
    writer.write(data)
    while not site.hub._lines:
        await turn()
    await site.let_pass(11)
    assert await reader.read() == b""
    writer.close()


async def test_a_connect_that_does_not_come(site: Site, dial: Dial) -> None:
    client = await dial()
    await site.let_pass(11)
    assert await client.ended() is None
    assert client.close_code == 1000


async def until_gone(site: Site) -> None:
    async with asyncio.timeout(10):
        while site.hub._lines:
            await turn()
    assert all(listener.connections == 0 for listener in site.broker._listeners)


async def test_more_connections_than_allowed(new_site: NewSite) -> None:
    site = await new_site(mqtt(websocket_bind="127.0.0.1:0", max_connections=1, allow_anonymous=True))
    first = await WebSocketClient.dial(site.broker.addresses["ws"])
    second = await WebSocketClient.dial(site.broker.addresses["ws"])
    assert second.response is None
    await first.connect("c")
    first.abort()


async def test_a_client_that_does_not_read(site: Site, dial: Dial) -> None:
    """The broker stops to read from it, too, and goes on when it reads again; nothing of QoS 1 is lost."""
    client = await dial()
    await client.connect("c")
    await client.subscribe("a", 1)
    client.transport.pause_reading()
    (session,) = site.hub.sessions._sessions.values()
    line = session.line
    assert line is not None
    sender = await site.client()
    await sender.connect("sender")
    sent = 0
    while not congested(line):
        sender.publish("a", b"x" * 3000, 0)
        await sender.quiet()
        sent += 1
        assert sent < 10_000
    client.transport.resume_reading()
    sender.publish("a", b"last", 1)
    await sender.receive(Puback)
    while (await client.take()).payload != b"last":
        pass
    await client.quiet()
    assert not congested(line)


def congested(line: Line) -> bool:
    return line.congested


async def test_random_frames(site: Site, dial: Dial) -> None:
    """Whatever comes, the connection ends in order and the broker goes on."""
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    chance = random.Random(6)  # noqa: S311
    for _ in range(150):
        client = await dial()
        if chance.random() < 0.5:
            await client.connect(f"c-{chance.random()}")
        for _ in range(chance.randrange(1, 6)):
            opcode = chance.choice([Opcode.BINARY, Opcode.CONT, Opcode.PING, Opcode.CLOSE, Opcode.TEXT])
            if chance.random() < 0.3:
                client.transport.write(chance.randbytes(chance.randrange(1, 40)))
            else:
                whole = opcode in CTRL_OPCODES or chance.random() < 0.7
                client.send_frame(opcode, chance.randbytes(chance.randrange(0, 100)), fin=whole)
        if chance.random() < 0.5:
            client.transport.close()
    for _ in range(50):
        await ask(site.broker.addresses["ws"], b"G" + chance.randbytes(300) + b"\r\n\r\n")
    await site.let_pass(11)
    await site.let_pass(6)
    assert all(line.session for line in site.hub._lines)  # these broke no rule, and want no keep-alive
    site.hub.shut_down()
    await until_gone(site)
    assert failures == []
