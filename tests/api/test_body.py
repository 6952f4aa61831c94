"""Bounds on the request body, over a real connection."""

import asyncio
import http.client

import pytest

from bridge.api import protocol
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from tests.api.client import MESSAGES, Answer, Client, head

LIMIT = 1_048_576
TEXT = f"Invalid input data. body: larger than {LIMIT} bytes"


def padded(size: int) -> bytes:
    return b'{"message":"x"}'.ljust(size)


def chunked(data: bytes, size: int) -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


async def post_chunked(client: Client, data: bytes, size: int) -> Answer:
    fields = {"X_Auth_Token": "app", "Transfer_Encoding": "chunked"}
    return await client.exchange(head("POST", MESSAGES, **fields) + chunked(data, size))


def test_the_default() -> None:
    assert HttpSettings().max_body == LIMIT


@pytest.mark.parametrize(("size", "fits"), [(LIMIT, True), (LIMIT + 1, False), (8 * LIMIT, False)])
async def test_declared_size(client: Client, size: int, *, fits: bool) -> None:
    answer = await client.post(padded(size))
    assert answer.status == (201 if fits else 400)
    assert fits or (answer.code, answer.text) == ("IOTDA.000006", TEXT)
    assert (await client.get("/healthz")).status == 200  # the rest was thrown away, the connection goes on


@pytest.mark.parametrize(("size", "fits"), [(LIMIT, True), (LIMIT + 1, False), (4 * LIMIT, False)])
@pytest.mark.parametrize("piece", [65_000, 1_000_000])
async def test_counted_size(client: Client, size: int, piece: int, *, fits: bool) -> None:
    answer = await post_chunked(client, padded(size), piece)
    assert answer.status == (201 if fits else 400)
    assert fits or (answer.code, answer.text) == ("IOTDA.000006", TEXT)
    assert (await client.get("/healthz")).status == 200


@pytest.mark.parametrize("settings", [HttpSettings(bind="127.0.0.1:0", max_body=1024)])
async def test_one_byte_more_in_one_piece(client: Client) -> None:
    assert (await post_chunked(client, padded(1024), 10_000)).status == 201
    answer = await post_chunked(client, padded(1025), 10_000)
    assert (answer.status, answer.code) == (400, "IOTDA.000006")


async def test_an_absurd_size_closes_the_connection(client: Client) -> None:
    answer = await client.request("POST", MESSAGES, Content_Length=str(8 * LIMIT + 1))
    assert (answer.code, answer.text, answer.headers["connection"]) == ("IOTDA.000006", TEXT, "close")
    assert await client.closed()


async def test_an_ordinary_client_sees_the_answer(server: HttpServer) -> None:
    """http.client sends all of the body before it reads anything."""

    def post() -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*server.address, timeout=20)
        connection.request("POST", MESSAGES, padded(6 * LIMIT), {"X-Auth-Token": "app"})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, text

    status, text = await asyncio.to_thread(post)
    assert status == 400
    assert TEXT.encode() in text


@pytest.mark.parametrize("settings", [HttpSettings(bind="127.0.0.1:0", max_body=1024)])
async def test_what_was_refused_before_does_not_count(client: Client) -> None:
    for _ in range(4):
        assert (await client.request("POST", MESSAGES, Content_Length="4096")).code == "IOTDA.000006"
        client.writer.write(bytes(4096))


async def test_a_body_that_does_not_come(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_WAIT", 0.05)
    answer = await client.request("POST", MESSAGES, Content_Length="10")
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert await client.closed()


async def test_a_body_that_nobody_waits_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_WAIT", 0.05)
    answer = await client.request("POST", MESSAGES, who=None, Content_Length="10")
    assert answer.status == 401
    assert await client.closed()


async def test_a_client_that_leaves_inside_its_body(server: HttpServer) -> None:
    async with Client(server.address) as client:
        client.writer.write(head("POST", MESSAGES, X_Auth_Token="app", Content_Length="10", Expect="100-continue"))
        assert (await client.answer()).status == 100
        client.writer.write(b"{")
        client.writer.write_eof()
    async with Client(server.address) as client:
        assert (await client.get("/healthz")).status == 200


async def test_100_continue(client: Client) -> None:
    data = b'{"message":"x"}'
    client.writer.write(
        head("POST", MESSAGES, X_Auth_Token="app", Content_Length=str(len(data)), Expect="100-continue")
    )
    assert (await client.answer()).status == 100
    assert (await client.exchange(data)).status == 201
    assert (await client.get("/healthz")).status == 200
