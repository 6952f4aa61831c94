import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bridge.webhooks.client import MOST_ANSWER, Client
from bridge.webhooks.resolver import Resolver
from bridge.webhooks.settings import WebhookSettings
from tests.webhooks.receiver import PATIENCE, Receiver, answering


@asynccontextmanager
async def client_of(**settings: Any) -> AsyncIterator[Client]:
    resolver = Resolver()
    client = Client(resolver, WebhookSettings(**{"allow_private": True, **settings}), ssl.create_default_context())
    yield client
    await client.close()
    resolver.close()


async def test_a_push(receiver: Receiver) -> None:
    async with client_of() as client:
        for _ in range(3):
            attempt = await client.post(receiver.url, {"webhook-id": "m"}, b'{"a":1}')
            assert (attempt.status, attempt.error, attempt.retry_after) == (204, None, None)
    assert receiver.connections == 1
    received = receiver.received[0]
    assert (received.target, received.body, received.id) == ("/hook?x=1", b'{"a":1}', "m")
    assert received.head["host"] == f"127.0.0.1:{receiver.port}"
    assert "cookie" not in received.head


async def test_the_name_of_the_target_is_in_the_request(receiver: Receiver) -> None:
    async with client_of() as client:
        attempt = await client.post(f"http://localhost:{receiver.port}/", {}, b"")
    assert attempt.error is None
    assert receiver.received[0].head["host"] == f"localhost:{receiver.port}"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 410, 429, 500, 503])
async def test_what_is_not_2xx_has_failed_and_nothing_is_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: answering(status, "Retry-After: 7", f"Location: {receiver.url}", "Set-Cookie: a=b")
    async with client_of() as client:
        attempt = await client.post(receiver.url, {}, b"")
        assert (attempt.status, attempt.error) == (status, f"the target answered {status}")
        assert attempt.retry_after == "7"
        await client.post(receiver.url, {}, b"")
    assert len(receiver.received) == 2
    assert "cookie" not in receiver.received[1].head


async def test_a_long_answer_is_not_read(receiver: Receiver) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n" + b"x" * (4 * MOST_ANSWER)

    receiver.answer = lambda _: endless()
    async with client_of() as client:
        assert (await client.post(receiver.url, {}, b"")).error is None
        assert (await client.post(receiver.url, {}, b"")).error is None
    assert receiver.connections == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"read_timeout": 0.1}, "no answer in time"), ({"total_timeout": 0.1}, "no answer within 0.1 s")],
)
async def test_a_target_that_says_nothing(receiver: Receiver, settings: dict[str, float], said: str) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    receiver.answer = lambda _: never()
    async with client_of(**settings) as client:
        attempt = await client.post(receiver.url, {}, b"")
    assert (attempt.status, attempt.error) == (None, said)
    assert 0.05 < attempt.latency < 5


async def test_a_target_that_trickles(receiver: Receiver) -> None:
    """Each piece in time, all of it not."""

    async def trickle() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        while True:
            yield b"x"
            await asyncio.sleep(0.02)

    receiver.answer = lambda _: trickle()
    async with client_of(total_timeout=0.3, read_timeout=0.2) as client:
        attempt = await client.post(receiver.url, {}, b"")
    assert attempt.error == "no answer within 0.3 s"


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b""])
async def test_no_http(receiver: Receiver, answer: bytes) -> None:
    receiver.answer = lambda _: answer
    async with client_of(read_timeout=0.2) as client:
        attempt = await client.post(receiver.url, {}, b"")
    assert attempt.status is None
    assert attempt.error


async def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with client_of() as client:
        assert (await client.post(f"http://127.0.0.1:{port}/", {}, b"")).error
        assert (await client.post("http://name.invalid/", {}, b"")).error


@pytest.mark.slow
async def test_tls_is_checked(receiver: Receiver) -> None:
    async with client_of() as client:
        attempt = await client.post(f"https://127.0.0.1:{receiver.port}/", {}, b"")
    assert attempt.error


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"],  # noqa: S104
)
async def test_an_address_that_is_not_public_is_not_connected_to(receiver: Receiver, host: str) -> None:
    async with client_of(allow_private=False) as client:
        attempt = await client.post(f"http://{host}:{receiver.port}/", {}, b"")
    assert attempt.error is not None
    assert "not public (webhooks.allow_private)" in attempt.error
    assert receiver.connections == 0


async def test_a_name_that_changes_is_checked_as_it_is_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public for whoever checks, loopback for whoever connects."""
    answers = iter([["8.8.8.8"], ["127.0.0.1"], ["127.0.0.1"]])

    def look_up(host: str, *_: object, **__: object) -> list[Any]:
        assert host == "rebinding.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in next(answers)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr("bridge.webhooks.resolver.KEPT_FOR", -1.0)
    async with client_of(allow_private=False, connect_timeout=0.1, total_timeout=0.3) as client:
        url = f"http://rebinding.example:{receiver.port}/"
        first, second = await client.post(url, {}, b""), await client.post(url, {}, b"")
    assert first.error in {"no connection in time", "no answer within 0.3 s", "All connection attempts failed"}
    assert second.error == "rebinding.example is 127.0.0.1: not public (webhooks.allow_private)"
    assert receiver.connections == 0


async def test_the_next_address_is_tried(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.webhooks.resolver._look_up", lambda _: ["127.0.0.2", "127.0.0.1"])
    async with client_of() as client:
        assert (await client.post(f"http://two.example:{receiver.port}/", {}, b"")).error is None


async def test_a_name_is_looked_up_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    found = threading.Event()

    def slow(host: str) -> list[str]:
        asked.append(host)
        found.wait(PATIENCE)
        return ["127.0.0.1"]

    monkeypatch.setattr("bridge.webhooks.resolver._look_up", slow)
    resolver = Resolver()
    waiting = asyncio.gather(*(resolver.addresses("a.example") for _ in range(5)))
    await asyncio.sleep(0)  # all of them have asked
    found.set()
    assert await waiting == [["127.0.0.1"]] * 5
    assert await resolver.addresses("a.example") == ["127.0.0.1"]
    assert asked == ["a.example"]
    resolver.close()
