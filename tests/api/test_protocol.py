"""What the listener itself refuses, byte by byte."""

import asyncio
import json

import pytest

from bridge.api import protocol
from bridge.api.protocol import MAX_HEAD
from bridge.api.server import HttpServer
from tests.api.client import MESSAGES, Answer, Client, head
from tests.api.memory import MemoryMessages

HEALTH = head("GET", "/healthz")
DATA = b'{"message":"x"}'
POST = head("POST", MESSAGES, X_Auth_Token="app", Content_Length=str(len(DATA))) + DATA


def head_of(size: int) -> bytes:
    """A head of `size` bytes, counted as the limit counts it: without the first line's method and version."""
    fixed = len("/healthz") + len("Host") + len("bridge") + 4 + len("X") + 4
    return head("GET", "/healthz", X="x" * (size - fixed))


async def refused(client: Client, data: bytes, status: int) -> Answer:
    answer = await client.exchange(data)
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert answer.headers["x-request-id"]
    assert await client.closed()
    return answer


async def test_the_largest_head(client: Client) -> None:
    assert (await client.exchange(head_of(MAX_HEAD))).status == 200


@pytest.mark.parametrize(
    "data",
    [
        head_of(MAX_HEAD + 1),
        head_of(10 * MAX_HEAD),
        head("GET", "/" + "x" * MAX_HEAD),
        head("GET", "/healthz?" + "x" * MAX_HEAD),
        head("GET", "/healthz")[:-2] + b"a:\r\n" * (MAX_HEAD // 4),
        b"GET /healthz HTTP/1.1\r\nX: " + b"x" * (2 * MAX_HEAD),
        b"GET /" + b"x" * (2 * MAX_HEAD),
    ],
    ids=["one more", "much more", "path", "query", "many fields", "a field without end", "a line without end"],
)
async def test_header_flood(client: Client, data: bytes) -> None:
    await refused(client, data, 431)


async def test_a_large_body_is_no_head(client: Client) -> None:
    assert (await client.post(DATA.ljust(3 * MAX_HEAD))).status == 201
    assert (await client.exchange(HEALTH)).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"\x00\x01\x02\x03",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"CONNECT bridge:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_malformed(client: Client, data: bytes) -> None:
    answer = await refused(client, data, 400)
    assert json.loads(answer.body)["error_code"] == "IOTDA.000008"


async def test_a_malformed_chunk(client: Client) -> None:
    await refused(client, head("POST", MESSAGES, X_Auth_Token="app", Transfer_Encoding="chunked") + b"zz\r\n", 400)


async def test_trailers_are_bounded_and_ignored(client: Client) -> None:
    start = head("POST", MESSAGES, Transfer_Encoding="chunked") + b"f\r\n" + DATA + b"\r\n0\r\n"
    assert (await client.exchange(start + b"X-Auth-Token: app\r\n\r\n")).status == 401
    start = head("POST", MESSAGES, X_Auth_Token="app", Transfer_Encoding="chunked") + b"f\r\n" + DATA + b"\r\n0\r\n"
    client.writer.write(start)
    await client.writer.drain()
    await refused(client, b"a: b\r\n" * MAX_HEAD, 431)


async def test_pipelining(client: Client, messages: MemoryMessages) -> None:
    client.writer.write(POST + HEALTH + POST + HEALTH)
    assert [(await client.answer()).status for _ in range(4)] == [201, 200, 201, 200]
    assert len(messages.stored) == 2


async def test_many_requests_in_one_read(client: Client) -> None:
    count = 3 * MAX_HEAD // len(HEALTH)
    client.writer.write(HEALTH * count)
    assert {(await client.answer()).status for _ in range(count)} == {200}


@pytest.mark.parametrize("data", [POST, head("POST", MESSAGES + "?", X_Auth_Token="app", Content_Length="15") + DATA])
async def test_a_client_that_only_listens_any_more(client: Client, messages: MemoryMessages, data: bytes) -> None:
    messages.gate = asyncio.Event()
    client.writer.write(data)
    client.writer.write_eof()
    await messages.entered.wait()
    messages.gate.set()
    answer = await client.answer()
    assert (answer.status, answer.headers["connection"]) == (201, "close")
    assert await client.closed()


async def test_pipelining_of_a_client_that_only_listens_any_more(client: Client) -> None:
    client.writer.write(POST + HEALTH + POST)
    client.writer.write_eof()
    assert [(await client.answer()).status for _ in range(3)] == [201, 200, 201]
    assert await client.closed()


@pytest.mark.parametrize("rest", [b"", POST[:-1], HEALTH[:-1]])
async def test_a_client_that_leaves_before_the_end(client: Client, server: HttpServer, rest: bytes) -> None:
    client.writer.write(HEALTH)
    assert (await client.answer()).status == 200
    client.writer.write(rest)
    client.writer.write_eof()
    assert await client.closed()


async def test_what_came_before_the_malformed_is_answered(client: Client, messages: MemoryMessages) -> None:
    client.writer.write(POST + HEALTH + b"nonsense\r\n\r\n")
    assert [(await client.answer()).status for _ in range(2)] == [201, 200]
    assert await client.closed()
    assert len(messages.stored) == 1


async def test_what_came_before_a_malformed_body_is_answered_or_cut(client: Client, messages: MemoryMessages) -> None:
    messages.gate = asyncio.Event()
    client.writer.write(POST)
    await messages.entered.wait()
    client.writer.write(head("POST", MESSAGES, X_Auth_Token="app", Transfer_Encoding="chunked") + b"zz\r\n")
    assert await client.closed()
    messages.gate.set()


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_WAIT", 0.05)


@pytest.mark.usefixtures("short_wait")
@pytest.mark.parametrize("start", [b"G", HEALTH[:-2], HEALTH[:-1], POST[:60]])
async def test_slow_head(server: HttpServer, start: bytes) -> None:
    async with Client(server.address) as client:
        await refused(client, start, 408)


@pytest.mark.usefixtures("short_wait")
async def test_slow_head_of_the_second_request(server: HttpServer) -> None:
    async with Client(server.address) as client:
        assert (await client.exchange(HEALTH)).status == 200
        await refused(client, HEALTH[:10], 408)


@pytest.mark.usefixtures("short_wait")
async def test_slow_head_behind_a_running_request(server: HttpServer, messages: MemoryMessages) -> None:
    messages.gate = asyncio.Event()
    async with Client(server.address) as client:
        client.writer.write(POST + HEALTH[:10])
        await messages.entered.wait()
        asyncio.get_running_loop().call_later(0.2, messages.gate.set)
        assert (await client.answer()).status == 201
        assert await client.closed()


@pytest.mark.usefixtures("short_wait")
@pytest.mark.parametrize("start", [b"", b"\r\n"])
async def test_a_silent_connection_is_closed(server: HttpServer, start: bytes) -> None:
    async with Client(server.address) as client:
        client.writer.write(start)
        assert await client.closed()


H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "AAA"}


async def test_upgrade_is_ignored(client: Client) -> None:
    """As Java's HttpClient asks for HTTP/2 on its first request, body included."""
    assert (await client.post(DATA, **H2C)).status == 201
    assert (
        await client.get("/healthz", Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Key="x")
    ).status == 200
    assert (await client.exchange(HEALTH)).status == 200


@pytest.mark.parametrize("cut", [1, 50])
async def test_upgrade_in_pieces_and_behind_each_other(client: Client, cut: int) -> None:
    one = head("POST", MESSAGES, X_Auth_Token="app", Content_Length=str(len(DATA)), **H2C) + DATA
    data = (one + HEALTH + head("GET", "/healthz", **H2C)) * 3
    for at in range(0, len(data), cut):
        client.writer.write(data[at : at + cut])
        await client.writer.drain()
    assert [(await client.answer()).status for _ in range(9)] == [201, 200, 200] * 3


async def test_a_flood_of_upgrades(client: Client) -> None:
    count = 2000
    client.writer.write(head("GET", "/healthz", **H2C) * count)
    assert {(await client.answer()).status for _ in range(count)} == {200}


async def test_http_1_0(client: Client) -> None:
    answer = await client.exchange(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert await client.closed()


@pytest.mark.parametrize("cut", [1, 7, 64])
async def test_any_split(client: Client, cut: int) -> None:
    for at in range(0, len(POST), cut):
        client.writer.write(POST[at : at + cut])
        await client.writer.drain()
    assert (await client.answer()).status == 201
