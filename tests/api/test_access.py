"""Credentials and rights, over a real connection."""

import asyncio
import logging

import pytest
from starlette.types import Message

from bridge.api import access
from bridge.api.faults import NoCredentials
from bridge.api.resource import Call
from bridge.api.server import HttpServer
from bridge.model import failed_logins
from bridge.model.errors import StoreUnavailable
from bridge.model.failed_logins import FailedLogins
from tests.api.client import MESSAGES, Client
from tests.api.memory import PROJECT, MemoryAccess, MemoryMessages
from tests.api.signing import Outgoing
from tests.store.clock import HandClock

HELLO = '{"message":"hello"}'


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"X_Auth_Token": "app"}, 201),
        ({"x_auth_TOKEN": "app"}, 201),
        ({"X_Auth_Token": "all"}, 201),
        ({"Authorization": "Bearer app"}, 201),
        ({"Authorization": "bearer  app "}, 201),
        ({"X_Auth_Token": "app", "Authorization": "Bearer nobody"}, 201),
        ({"X_Auth_Token": "nobody", "Authorization": "Bearer app"}, 201),
        ({"X_Auth_Token": "", "Authorization": "Bearer app"}, 201),
        ({"X_Auth_Token": "reader", "Authorization": "Bearer app"}, 403),
        ({"X_Auth_Token": "app", "Authorization": "SDK-HMAC-SHA256 Access=a"}, 201),
        ({}, 401),
        ({"X_Auth_Token": "nobody"}, 401),
        ({"X_Auth_Token": "\xff\xfe"}, 401),
        ({"X_Auth_Token": "Bearer app"}, 401),
        ({"Authorization": "app"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Basic app"}, 401),
        ({"X_Auth_Token": "reader"}, 403),
        ({"X_Auth_Token": "stranger"}, 403),
    ],
)
async def test_credentials(client: Client, fields: dict[str, str], status: int) -> None:
    answer = await client.request("POST", MESSAGES, HELLO, who=None, **fields)
    assert answer.status == status
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert status == 201 or answer.code == {401: "IOTDA.000002", 403: "IOTDA.000021"}[status]


@pytest.mark.parametrize(
    ("who", "method", "path", "missing"),
    [
        ("reader", "POST", MESSAGES, "messages:send"),
        ("reader", "DELETE", MESSAGES + "/m-1", "messages:send"),
        ("sender", "GET", MESSAGES, "messages:read"),
        ("sender", "GET", MESSAGES + "/m-1", "messages:read"),
        ("stranger", "GET", MESSAGES, "another project"),
    ],
)
async def test_the_missing_right_is_named(client: Client, who: str, method: str, path: str, missing: str) -> None:
    answer = await client.request(method, path, who=who)
    assert (answer.status, answer.code) == (403, "IOTDA.000021")
    assert missing in answer.text


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store cannot say whose token it is."""

    def principal(_access: MemoryAccess, _token: str) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(MemoryAccess, "principal", principal)


@pytest.mark.usefixtures("unreadable")
async def test_tokens_that_cannot_be_looked_up(client: Client) -> None:
    for answer in (await client.post(HELLO), await client.get(MESSAGES)):
        assert (answer.status, answer.code) == (503, "IOTDA.000503")


async def test_all_projects_still_need_a_device(client: Client) -> None:
    for project in ("other", "a.b"):
        answer = await client.get(MESSAGES.replace("plant", project), who="all")
        assert (answer.status, answer.code) == (404, "IOTDA.014000")


async def test_credentials_are_checked_before_the_body_is_sent(client: Client) -> None:
    answer = await client.request("POST", MESSAGES, who=None, Content_Length="100", Expect="100-continue")
    assert (answer.status, answer.headers["connection"]) == (401, "close")
    assert await client.closed()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each answer was held back; nobody really waits."""
    seconds: list[float] = []

    async def sleep(wait: float) -> None:
        seconds.append(round(wait, 3))

    monkeypatch.setattr(access, "sleep", sleep)
    return seconds


WRONG = [
    {"X_Auth_Token": "of-nobody"},
    {"Authorization": "Bearer of-nobody"},
    {"Authorization": "Basic of-nobody"},
    {"X_Auth_Token": "of-nobody", "Authorization": "SDK-HMAC-SHA256 Access=of-nobody"},
]


async def fail(client: Client, times: int = 1, fields: dict[str, str] = WRONG[0]) -> None:
    for _ in range(times):
        answer = await client.get(MESSAGES, who=None, **fields)
        assert (answer.status, answer.code) == (401, "IOTDA.000002")


async def test_many_failures_are_held_back(client: Client, slept: list[float], clock: HandClock) -> None:
    for number in range(20):
        await fail(client, fields=WRONG[number % len(WRONG)])
    assert slept == []
    for fields in WRONG:
        await fail(client, fields=fields)
    assert slept == [0.1, 0.2, 0.3, 0.4]
    await fail(client, 30)
    assert slept[-1] == 2.0
    clock.now += 120_000
    slept.clear()
    await fail(client, 20)
    assert slept == []


async def test_right_credentials_never_wait(client: Client, slept: list[float]) -> None:
    await fail(client, 40)
    slept.clear()
    assert (await client.get(MESSAGES)).status == 200
    assert (await client.get(MESSAGES, who="sender")).status == 403
    assert (await client.exchange(Outgoing().signed().wire())).status == 201
    assert slept == []


async def test_no_credentials_are_no_failure(client: Client, slept: list[float]) -> None:
    for _ in range(30):
        assert (await client.get(MESSAGES, who=None)).status == 401
    await fail(client, 20)
    assert slept == []


async def fail_to_post(client: Client) -> None:
    answer = await client.request("POST", MESSAGES, HELLO, who=None, **WRONG[0])
    assert (answer.status, answer.code) == (401, "IOTDA.000002")


async def test_another_address_does_not_wait(client: Client, server: HttpServer, slept: list[float]) -> None:
    await fail(client, 30)
    await fail_to_post(client)
    assert len(slept) == 11
    slept.clear()
    async with Client(server.address, source="127.0.0.2") as other:
        await fail(other)
        await fail_to_post(other)
    assert slept == []


async def test_too_many_that_wait(
    client: Client, server: HttpServer, messages: MemoryMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed_logins, "MOST_WAITING", 1)
    entered, gate = asyncio.Event(), asyncio.Event()

    async def sleep(_: float) -> None:
        entered.set()
        await gate.wait()

    monkeypatch.setattr(access, "sleep", sleep)
    await fail(client, 20)
    waiting = asyncio.create_task(client.get(MESSAGES, who="of-nobody"))
    await entered.wait()
    async with Client(server.address) as other, Client(server.address) as right:
        answer = await other.get(MESSAGES, who="of-nobody")
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "IOTDA.000429", "2")
        assert await other.closed()
        assert (await right.get(MESSAGES)).status == 200
    gate.set()
    assert (await waiting).status == 401
    await fail(client)


async def test_the_log_names_the_address_and_no_secret(
    client: Client, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    signed = Outgoing().signed(sk="of-nobody")
    await fail(client, 30, {"X_Auth_Token": "of-nobody", "Authorization": dict(signed.fields)["Authorization"]})
    warnings = [record for record in caplog.records if record.name == "bridge.api.access"]
    assert [(record.levelname, record.getMessage(), record.__dict__["peer"]) for record in warnings] == [
        ("WARNING", "many failed logins", "127.0.0.1")
    ]
    known = [str(record.__dict__) for record in caplog.records]
    assert not [text for text in known if "of-nobody" in text or "Signature" in text]


async def test_a_path_that_asks_nobody_lets_nobody_in(clock: HandClock) -> None:
    async def receive() -> Message:
        raise NotImplementedError

    check = access.AccessCheck(MemoryAccess(), FailedLogins(1, clock), clock, max_body=1024)
    call = Call({"type": "http", "headers": [(b"x-auth-token", b"all")]}, receive)
    with pytest.raises(NoCredentials):
        check.enter(call, PROJECT, "messages:read")
