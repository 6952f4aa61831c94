"""Start, address and stop of the listener."""

import asyncio
import signal
import socket

import pytest

from bridge.api.app import create_app
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from tests.api.client import MESSAGES, Client
from tests.api.memory import MemoryAccess, MemoryMessages, NoReplies
from tests.api.no_devices import NoDevices
from tests.api.no_rules import NoRules


def server_on(bind: str, messages: MemoryMessages | None = None, *, shutdown_wait: float = 5.0) -> HttpServer:
    settings = HttpSettings(bind=bind, shutdown_wait=shutdown_wait)
    messages = messages or MemoryMessages()
    app = create_app(
        messages=messages,
        replies=NoReplies(),
        devices=NoDevices(),
        rules=NoRules(),
        access=MemoryAccess(),
        ready=lambda: True,
        settings=settings,
        max_ttl=1440,
    )
    return HttpServer(app, settings)


async def health(address: tuple[str, int]) -> int:
    async with Client(address) as client:
        return (await client.get("/healthz")).status


@pytest.mark.parametrize(
    ("bind", "host"),
    [("127.0.0.1:0", "127.0.0.1"), ("localhost:0", "127.0.0.1"), ("[::1]:0", "::1"), (":0", "0.0.0.0")],  # noqa: S104
)
async def test_bind(bind: str, host: str) -> None:
    server = server_on(bind)
    try:
        await server.start()
    except OSError:
        if not socket.has_ipv6 or "[" in bind:
            pytest.skip("no IPv6 here")
        raise
    assert server.address[0] == host
    assert server.address[1] > 0
    assert await health((host, server.address[1])) == 200
    await server.stop()


@pytest.mark.parametrize(
    "bind", ["127.0.0.1:65536", "127.0.0.1:http", "127.0.0.1", "192.0.2.1:0", "no.such.host.invalid:0", "[::g]:0", ""]
)
async def test_an_address_that_cannot_be(bind: str) -> None:
    with pytest.raises(OSError, match="cannot listen on " + bind.replace("[", r"\[").replace("]", r"\]")):
        await server_on(bind).start()


async def test_a_taken_address() -> None:
    first = server_on("127.0.0.1:0")
    await first.start()
    bind = f"127.0.0.1:{first.address[1]}"
    with pytest.raises(OSError, match=f"cannot listen on {bind}: the port is in use by .* http.bind"):
        await server_on(bind).start()
    await first.stop()
    again = server_on(bind)
    await again.start()
    assert await health(again.address) == 200
    await again.stop()


async def test_stop_is_idempotent() -> None:
    server = server_on("127.0.0.1:0")
    await server.stop()
    await server.start()
    address = server.address
    await asyncio.gather(server.stop(), server.stop())
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_signals_are_left_alone() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    server = server_on("127.0.0.1:0")
    await server.start()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    await server.stop()


async def test_idle_connections_do_not_delay_the_stop() -> None:
    server = server_on("127.0.0.1:0", shutdown_wait=300)
    await server.start()
    async with Client(server.address) as fresh, Client(server.address) as used:
        await used.get("/healthz")
        async with asyncio.timeout(5):
            await server.stop()
        assert await fresh.closed()
        assert await used.closed()


@pytest.mark.slow
async def test_a_running_request_is_finished() -> None:
    messages = MemoryMessages()
    messages.gate = asyncio.Event()
    server = server_on("127.0.0.1:0", messages, shutdown_wait=300)
    await server.start()
    async with Client(server.address) as client:
        answer = asyncio.create_task(client.post('{"message":"x"}'))
        await messages.entered.wait()
        stop = asyncio.create_task(server.stop())
        asyncio.get_running_loop().call_later(0.2, messages.gate.set)
        assert (await answer).status == 201
        assert await client.closed()
        await stop


async def test_a_request_that_does_not_finish_is_cut() -> None:
    messages = MemoryMessages()
    messages.gate = asyncio.Event()
    server = server_on("127.0.0.1:0", messages, shutdown_wait=0)
    await server.start()
    async with Client(server.address) as client, Client(server.address) as sending:
        sending.writer.write(
            b"POST " + MESSAGES.encode() + b" HTTP/1.1\r\nX-Auth-Token: app\r\nContent-Length: 5\r\n\r\n"
        )
        answer = asyncio.create_task(client.post('{"message":"x"}', X_Request_Id="r-1"))
        await messages.entered.wait()
        await server.stop()
        assert ((await answer).status, (await answer).code) == (503, "IOTDA.000503")
        assert (await answer).headers["x-request-id"] == "r-1"
        assert await client.closed()


async def test_headers_of_the_server(client: Client) -> None:
    headers = (await client.get("/healthz")).headers
    assert "server" not in headers
    assert headers["date"].endswith(" GMT")


async def test_forwarded_fields_change_nothing(client: Client) -> None:
    answer = await client.get("/healthz", X_Forwarded_For="1.2.3.4", X_Forwarded_Proto="https")
    assert answer.status == 200


async def test_no_answer_is_kept_by_a_cache(client: Client) -> None:
    """Every answer: what is true now, who may read it, and each refusal."""
    answers = [
        await client.post('{"message":"x"}'),
        await client.get(MESSAGES),
        await client.post("{}"),
        await client.get(MESSAGES, who=None),
        await client.get("/nowhere"),
        await client.get("/healthz"),
        await client.get("/channel", who="chat"),
        await client.request("PUT", "/channel/news/subscription/polling/app", who="chat"),
        await client.get("/channel/news/subscription/polling/app", who="chat"),
        await client.get("/api/v1/messages", who="clerk"),
        await client.exchange(b"nonsense\r\n\r\n"),
    ]
    assert {answer.status for answer in answers} == {200, 201, 400, 401, 404}
    assert {answer.headers.get("cache-control") for answer in answers} == {"no-store"}


@pytest.mark.parametrize("path", ["/channel/news/subscription/polling/app/stream", "/v5/iot/plant/messages/export"])
async def test_no_stream_is_kept_by_a_cache(client: Client, path: str) -> None:
    who = "chat" if path.startswith("/channel") else "app"
    await client.request("PUT", "/channel/news/subscription/polling/app", who="chat")
    answer = await client.request("HEAD", path, who=who)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
