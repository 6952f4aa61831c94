"""Connections that end behind an answer: whoever still sends gets to read it, and for so long only."""

import asyncio
import socket

import pytest

from bridge.api import lingering
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from tests.api.client import MESSAGES, Client, head
from tests.api.dsps.test_stream import connections
from tests.api.dsps.waiting import until
from tests.api.memory import PROJECT, MemoryMessages

MEBIBYTE = 1_048_576
TASKS = f"/v5/iot/{PROJECT}/batchtasks"
JSON = {"Content_Type": "application/json"}
PIECE = bytes(65_536)


def said(address: tuple[str, int], data: bytes, size: int) -> bytes:
    """What a client reads that first sends everything, `data` and `size` bytes behind it, as most libraries do."""
    with socket.create_connection(address, 60) as connection:
        connection.sendall(data)
        connection.sendall(bytes(size))
        answer = bytearray()
        while piece := connection.recv(65_536):
            answer += piece
        return bytes(answer)


def request(method: str, path: str, version: str, **fields: str) -> bytes:
    return head(method, path, **fields).replace(b"HTTP/1.1", version.encode())


REFUSED = {
    "too large": (400, MESSAGES, {"X_Auth_Token": "app"}),
    "no credentials": (401, MESSAGES, {}),
    "wrong credentials": (401, MESSAGES, {"X_Auth_Token": "nobody"}),
    "another project": (403, MESSAGES.replace(PROJECT, "another"), {"X_Auth_Token": "app"}),
    "no such path": (404, "/nowhere", {}),
    "wrong method": (405, "/healthz", {}),
    "compressed": (415, MESSAGES, {"X_Auth_Token": "app", "Content_Encoding": "gzip"}),
    "no JSON": (400, MESSAGES, {"X_Auth_Token": "app", "Content_Type": "text/plain"}),
    "too large for a channel": (413, "/channel/news/message/m", {"X_Auth_Token": "chat"}),
    "no credentials for a channel": (403, "/channel/news/message/m", {}),
    "too large for the inbox": (413, "/api/v1/messages", {"X_Auth_Token": "pusher"}),
    "expecting": (401, MESSAGES, {"Expect": "100-continue"}),
}


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize("case", REFUSED)
async def test_a_refusal_is_read_by_who_sends_first(server: HttpServer, case: str, version: str) -> None:
    status, path, fields = REFUSED[case]
    method = "PUT" if path.startswith("/channel") else "POST"
    data = request(method, path, version, **{**JSON, **fields}, Content_Length=str(4 * MEBIBYTE), Connection="close")
    answer = await asyncio.to_thread(said, server.address, data, 4 * MEBIBYTE)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert answer.endswith(b"}") or status in {404, 405}


@pytest.mark.parametrize(
    ("statuses", "data"),
    [
        ({400, 431}, b"nonsense\r\n\r\n"),
        ({400}, head("POST", MESSAGES, X_Auth_Token="app", Transfer_Encoding="chunked") + b"zz\r\n"),
        ({400, 431}, b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        ({400, 431}, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ({431}, head("GET", "/healthz", X="x" * 70_000)),
        ({401}, head("POST", MESSAGES, Content_Length="2", Connection="close") + b"{}"),
        ({200}, head("GET", "/healthz", Connection="close")),
    ],
    ids=[
        "no HTTP",
        "no chunk",
        "two lengths",
        "too old for chunks",
        "head",
        "more than announced",
        "nothing announced",
    ],
)
async def test_an_answer_is_read_by_who_goes_on(server: HttpServer, statuses: set[int], data: bytes) -> None:
    answer = await asyncio.to_thread(said, server.address, data, 4 * MEBIBYTE)
    assert int(answer.split()[1]) in statuses, answer


@pytest.mark.parametrize("size", [8 * MEBIBYTE + 1, 40 * MEBIBYTE])
@pytest.mark.parametrize("fields", [{}, {"Connection": "close"}], ids=["keep-alive", "close"])
async def test_a_batch_that_is_too_large_is_answered(server: HttpServer, size: int, fields: dict[str, str]) -> None:
    """The largest body that any path takes is the measure for all of them."""

    def post() -> bytes:
        with socket.create_connection(server.address, 60) as connection:
            connection.sendall(head("POST", TASKS, X_Auth_Token="app", Content_Length=str(size), **JSON, **fields))
            connection.sendall(bytes(size))
            return connection.recv(65_536)

    assert (await asyncio.to_thread(post)).startswith(b"HTTP/1.1 400 ")


def sent(address: tuple[str, int], data: bytes) -> int:
    """Bytes that somebody gets rid of who sends on and on, until the connection is cut."""
    count = 0
    with socket.create_connection(address, 60) as connection:
        connection.sendall(data)
        try:
            while True:
                count += connection.send(PIECE)
        except (ConnectionResetError, BrokenPipeError):
            return count


@pytest.mark.parametrize("who", ["app", "nobody"])
@pytest.mark.parametrize("mode", ["close", "keep-alive"])
@pytest.mark.parametrize("settings", [HttpSettings(bind="127.0.0.1:0", max_body=1024)])
async def test_who_never_stops_is_cut_off(server: HttpServer, who: str, mode: str) -> None:
    data = head("POST", MESSAGES, X_Auth_Token=who, Transfer_Encoding="chunked", Connection=mode) + b"fffffff0\r\n"
    bound = 8 * (4 * MEBIBYTE + 1024)
    assert bound < await asyncio.to_thread(sent, server.address, data) < bound + 16 * MEBIBYTE  # what sockets hold


async def test_who_keeps_it_open_is_left_after_a_while(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "QUIET", 0.05)
    async with Client(server.address) as client:
        answer = await client.request("POST", MESSAGES, who=None, Content_Length="10", Connection="close")
        assert answer.status == 401
        assert await client.closed()
        await until(lambda: not connections(server))


async def test_who_sends_a_little_now_and_then_is_left_as_well(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lingering, "LONGEST", 0.05)

    def dripped() -> None:
        with socket.create_connection(server.address, 60) as connection:
            connection.sendall(head("POST", MESSAGES, Content_Length="100000000", Connection="close"))
            for _ in range(1_000_000):
                connection.send(b"x")

    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        await asyncio.to_thread(dripped)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [HttpSettings(bind="127.0.0.1:0", shutdown_wait=300)])
async def test_nobody_who_lingers_holds_up_the_stop(
    server: HttpServer, messages: MemoryMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lingering, "QUIET", 300)
    monkeypatch.setattr(lingering, "LONGEST", 300)
    messages.gate = asyncio.Event()
    async with Client(server.address) as lingers, Client(server.address) as running, Client(server.address) as starts:
        await lingers.request("POST", MESSAGES, who=None, Content_Length="10", Connection="close")
        starts.writer.write(b"POST /")
        running.writer.write(head("POST", MESSAGES, X_Auth_Token="app", Content_Length="15") + b'{"message":"x"}')
        await messages.entered.wait()
        async with asyncio.timeout(20):
            stop = asyncio.create_task(server.stop())
            assert await starts.closed()
            messages.gate.set()
            assert (await running.answer()).status == 201
            await stop
        assert await lingers.closed()


async def test_who_sends_again_is_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "QUIET", 0.02)
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    tested = lingering.Lingering(loop, closed.set, at_most=10)
    tested.received(1)
    before = loop.time()
    async with asyncio.timeout(20):
        await closed.wait()
    assert loop.time() - before > 1.5 * lingering.QUIET  # how much longer is the machine's matter
    tested.received(100)  # what was under way
    tested.cancel()


async def test_the_bound_in_bytes() -> None:
    closed = asyncio.Event()
    tested = lingering.Lingering(asyncio.get_running_loop(), closed.set, at_most=10)
    tested.received(10)
    assert not closed.is_set()
    tested.received(1)
    assert closed.is_set()
