"""Events as they happen: Server-Sent Events."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.api import closing, protocol
from bridge.api.dsps.settings import ChannelSettings
from bridge.api.dsps.stream import AT_ONCE
from bridge.api.server import HttpServer
from tests.api.client import Client, head
from tests.api.conftest import Readiness
from tests.api.dsps.conftest import StartServer
from tests.api.dsps.issuer import SECOND, Issuer
from tests.api.dsps.memory import MemoryChannels, MemoryRevocations
from tests.api.dsps.waiting import until
from tests.api.memory import PROJECT
from tests.api.signing import PUSHER_AK, Outgoing

NEWS = "/channel/news"
APP = NEWS + "/subscription/polling/app"
STREAM = APP + "/stream"


class Events:
    """An open stream, as a browser reads it."""

    def __init__(self, client: Client) -> None:
        self._reader = client.reader
        self._text = b""
        self.head = b""

    async def open(self) -> None:
        async with asyncio.timeout(20):
            self.head = await self._reader.readuntil(b"\r\n\r\n")

    async def block(self) -> str | None:
        """What stands before the next empty line; None at the end."""
        async with asyncio.timeout(20):
            while b"\n\n" not in self._text:
                size = int(await self._reader.readuntil(b"\r\n"), 16)
                self._text += (await self._reader.readexactly(size + 2))[:-2]
                if size == 0:
                    return None
        block, _, self._text = self._text.partition(b"\n\n")
        return block.decode()

    async def next(self) -> tuple[str, Any]:
        """(id, data) of the next event; comments are passed over."""
        while (block := await self.block()) == ":":
            pass
        assert block is not None
        first, *rest = block.split("\n")
        return first.removeprefix("id: "), json.loads("\n".join(line.removeprefix("data: ") for line in rest))


async def opened(client: Client, path: str = STREAM, **fields: str) -> Events:
    client.writer.write(head("GET", path, **(fields or {"X_Auth_Token": "chat"})))
    events = Events(client)
    await events.open()
    return events


async def test_events_come_as_they_are_published(server: HttpServer, channels: MemoryChannels) -> None:
    await channels.subscribe(PROJECT, "news", "app")
    await channels.publish(PROJECT, "news", "m1", "[1.0,\r\n2]")
    async with Client(server.address) as client:
        events = await opened(client)
        assert b"HTTP/1.1 200 OK" in events.head
        assert b"content-type: text/event-stream; charset=utf-8\r\n" in events.head
        assert b"content-length" not in events.head
        assert (await events.next())[1] == {"messageID": "m1", "content": [1.0, 2]}
        for number in range(3):
            await channels.publish(PROJECT, "news", f"n{number}", str(number))
            assert (await events.next())[1] == {"messageID": f"n{number}", "content": number}


async def test_a_stream_in_http_1_0_is_not_chunked(
    server: HttpServer, channels: MemoryChannels, ready: Readiness
) -> None:
    await channels.subscribe(PROJECT, "news", "app")
    await channels.publish(PROJECT, "news", "m1", "1")
    async with Client(server.address) as client:
        client.writer.write(head("GET", STREAM, X_Auth_Token="chat").replace(b"HTTP/1.1", b"HTTP/1.0"))
        async with asyncio.timeout(20):
            fields = await client.reader.readuntil(b"\r\n\r\n")
            assert b"transfer-encoding" not in fields
            assert b"connection: close" in fields
            assert await client.reader.readline() == b":\n"
            assert await client.reader.readline() == b"\n"
            assert (await client.reader.readline()).startswith(b"id: ")
            ready.ready = False
            channels.close()
            assert (await client.reader.read()).startswith(b'data: {"messageID":"m1"')


async def test_last_event_id_acknowledges_and_resumes(server: HttpServer, channels: MemoryChannels) -> None:
    await channels.subscribe(PROJECT, "news", "app")
    for number in range(4):
        await channels.publish(PROJECT, "news", f"m{number}", "1")
    async with Client(server.address) as client:
        events = await opened(client)
        await events.next()
        last, _ = await events.next()
    async with Client(server.address) as client:  # nothing is acknowledged by having been sent
        assert (await (await opened(client)).next())[1]["messageID"] == "m0"
    async with Client(server.address) as client:
        events = await opened(client, X_Auth_Token="chat", Last_Event_ID=last)
        assert [(await events.next())[1]["messageID"] for _ in range(2)] == ["m2", "m3"]
    async with Client(server.address) as client:
        polled = (await client.get(APP, who="chat")).json()
        assert [message["messageID"] for message in polled["messages"]] == ["m2", "m3"]


async def test_an_id_is_the_handle_of_the_call(server: HttpServer, client: Client, channels: MemoryChannels) -> None:
    await channels.subscribe(PROJECT, "news", "app")
    for number in range(3):
        await channels.publish(PROJECT, "news", f"m{number}", "1")
    async with Client(server.address) as reader:
        events = await opened(reader)
        await events.next()
        last, _ = await events.next()
        assert (await client.request("DELETE", f"{APP}/message?ackHandle={last}", who="chat")).status == 204
        assert (await events.next())[1]["messageID"] == "m2"
    assert len((await client.get(APP, who="chat")).json()["messages"]) == 1


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (STREAM, {}, 403),
        (STREAM, {"X_Auth_Token": "publisher"}, 403),
        (STREAM, {"X_Auth_Token": "chat"}, 404),
        (STREAM, {"X_Auth_Token": "chat", "Last_Event_ID": "x"}, 400),
        (STREAM + "?access_token=wrong", {}, 403),
        (STREAM + "?access_token=%C3%A9%E2%82%AC", {}, 403),
        (STREAM + "?access_token=chat", {}, 404),
        (STREAM + "?access_token=chat", {"Authorization": "Bearer wrong"}, 403),
        (STREAM.replace("app", "A"), {"X_Auth_Token": "chat"}, 400),
    ],
)
async def test_a_stream_that_does_not_begin(client: Client, path: str, fields: dict[str, str], status: int) -> None:
    assert (await client.get(path, who=None, **fields)).status == status


async def test_the_parameter_access_token_is_for_the_stream_alone(client: Client, channels: MemoryChannels) -> None:
    await channels.subscribe(PROJECT, "news", "app")
    assert (await client.get(APP + "?access_token=chat", who=None)).status == 403
    assert b"200 OK" in (await opened(client, STREAM + "?access_token=chat", Accept="text/event-stream")).head


async def test_a_quiet_stream_has_heartbeats(start_server: StartServer, channels: MemoryChannels) -> None:
    await channels.subscribe(PROJECT, "news", "app")
    async with start_server(ChannelSettings(heartbeat=0.01)) as server, Client(server.address) as client:
        events = await opened(client)
        for _ in range(3):
            assert await events.block() == ":"


async def test_a_stream_ends_with_its_token(
    start_server: StartServer, channels: MemoryChannels, revocations: MemoryRevocations, tmp_path: Path
) -> None:
    issuer = Issuer(tmp_path)
    await channels.subscribe(PROJECT, "news", "app")
    settings = ChannelSettings(heartbeat=0.01, jwt=issuer.settings)
    async with start_server(settings) as server, Client(server.address) as client:
        events = await opened(client, Authorization=f"Bearer {issuer.token(jti='j-1')}")
        for _ in range(3):
            assert await events.block() == ":"
        revocations.revoked["j-1"] = SECOND + 60
        blocks: list[str | None] = [":"]
        while blocks[-1] is not None and len(blocks) < 500:
            blocks.append(await events.block())
        assert blocks[-1] is None
        assert set(blocks[:-1]) <= {":"}


async def test_a_signature_is_looked_at_once(start_server: StartServer, channels: MemoryChannels) -> None:
    """It covers the body, which is read, and its time passes."""
    await channels.subscribe(PROJECT, "news", "app")
    async with start_server(ChannelSettings(heartbeat=0.01)) as server, Client(server.address) as client:
        client.writer.write(Outgoing("GET", STREAM, body="").signed(ak=PUSHER_AK).wire())
        events = Events(client)
        await events.open()
        assert b" 200 OK" in events.head
        for _ in range(5):
            assert await events.block() == ":"


async def test_a_stream_ends_with_its_subscriber(server: HttpServer, client: Client, channels: MemoryChannels) -> None:
    await channels.subscribe(PROJECT, "news", "app")
    async with Client(server.address) as reader:
        events = await opened(reader)
        assert await events.block() == ":"
        await client.request("DELETE", APP, who="chat")
        assert await events.block() is None


async def test_a_stream_ends_with_the_daemon(
    server: HttpServer, channels: MemoryChannels, ready: Readiness, caplog: pytest.LogCaptureFixture
) -> None:
    await channels.subscribe(PROJECT, "news", "app")
    async with Client(server.address) as client:
        events = await opened(client)
        assert await events.block() == ":"
        ready.ready = False
        channels.close()
        stopping = asyncio.create_task(server.stop())
        assert await events.block() is None
        await stopping
    assert not caplog.records


@pytest.mark.parametrize("politely", [True, False])
async def test_a_reader_that_leaves_is_forgotten(
    server: HttpServer, channels: MemoryChannels, politely: bool, caplog: pytest.LogCaptureFixture
) -> None:
    await channels.subscribe(PROJECT, "news", "app")
    async with Client(server.address) as client:
        await opened(client)
        await channels.waits.wait()
        if politely:
            client.writer.write_eof()
        else:
            client.writer.transport.abort()
        await until(lambda: not channels.waiting)
    assert not caplog.records


async def open_unread(
    server: HttpServer, channels: MemoryChannels, client: Client, *, count: int = 400, size: int = 100_000
) -> None:
    """A stream with more on it than fits into all buffers, and nobody reads. Returns when it is full."""
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await channels.subscribe(PROJECT, "news", "app")
    for number in range(count):
        await channels.publish(PROJECT, "news", f"m{number}", '"' + "x" * size + '"')
    client.writer.write(head("GET", STREAM, X_Auth_Token="chat"))
    await until(lambda: any(connection.flow.write_paused for connection in connections(server)))


def connections(server: HttpServer) -> Any:
    return server._server.server_state.connections


async def test_what_is_not_read_stays_in_the_store(server: HttpServer, channels: MemoryChannels) -> None:
    async with Client(server.address) as client:
        await open_unread(server, channels, client)
        assert sum(connection.transport.get_write_buffer_size() for connection in connections(server)) < 1_000_000


async def test_what_was_acknowledged_meanwhile_is_not_sent(server: HttpServer, channels: MemoryChannels) -> None:
    """By another connection of the subscriber, while the client of the stream did not read."""
    async with Client(server.address) as client:
        await open_unread(server, channels, client, count=AT_ONCE, size=600_000)
        await channels.acknowledge(PROJECT, "news", "app", AT_ONCE)
        await channels.publish(PROJECT, "news", "next", "1")
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        events = Events(client)
        await events.open()
        heard = 0
        while (await events.next())[1]["messageID"] != "next":
            heard += 1
        assert heard < AT_ONCE


async def test_a_reader_that_does_not_read_is_cut_off(
    server: HttpServer, channels: MemoryChannels, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(closing, "WRITE_WAIT", 0.05)
    async with Client(server.address) as client:
        await open_unread(server, channels, client)
        await until(lambda: not connections(server))
    assert not caplog.records


async def test_a_slow_reader_is_not_cut_off(
    server: HttpServer, channels: MemoryChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "WRITE_WAIT", 0.05)
    checks = 0
    check = protocol.HttpProtocol._check_writing

    def counted(connection: protocol.HttpProtocol) -> None:
        nonlocal checks
        checks += 1
        monkeypatch.setattr(connection, "_unread", connection._unread + 1)  # as if something had been read since
        check(connection)

    monkeypatch.setattr(protocol.HttpProtocol, "_check_writing", counted)
    async with Client(server.address) as client:
        await open_unread(server, channels, client)
        await until(lambda: checks > 2)
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        events = Events(client)
        await events.open()
        for number in range(400):
            assert (await events.next())[1]["messageID"] == f"m{number}"


@pytest.mark.slow
async def test_a_reader_that_does_not_read_does_not_hold_up_the_end(
    server: HttpServer, channels: MemoryChannels, ready: Readiness, caplog: pytest.LogCaptureFixture
) -> None:
    async with Client(server.address) as client:
        await open_unread(server, channels, client)
        ready.ready = False
        channels.close()
        async with asyncio.timeout(20):
            await server.stop()
        await until(lambda: not connections(server))
    assert [record.getMessage() for record in caplog.records] == [
        "Cancel 1 running task(s), timeout graceful shutdown exceeded"
    ]


async def test_head_of_a_stream_ends(client: Client, channels: MemoryChannels) -> None:
    await channels.subscribe(PROJECT, "news", "app")
    answer = await client.request("HEAD", STREAM, who="chat")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (await client.get("/healthz")).status == 200
