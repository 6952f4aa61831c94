"""Probes, log level, revocation; who may do what."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.api.dsps.settings import ChannelSettings
from bridge.model.errors import StoreUnavailable
from tests.api.client import Client
from tests.api.conftest import Readiness
from tests.api.dsps.conftest import StartServer
from tests.api.dsps.issuer import SECOND, Issuer
from tests.api.dsps.memory import MemoryChannels, MemoryRevocations
from tests.api.memory import PROJECT

APP = "/channel/chat-room-7/subscription/polling/app"
LEVEL = "/admin/log/level"
REVOKE = "/admin/jwt/revoke"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("bridge.tests.level")
    yield logger
    logger.setLevel(logging.NOTSET)


async def test_probes_need_no_credentials(client: Client, ready: Readiness) -> None:
    for probe in ("liveness", "readiness"):
        assert (await client.get(f"/probe/{probe}", who=None)).status == 200
    ready.ready = False
    assert (await client.get("/probe/liveness", who=None)).status == 200
    assert (await client.get("/probe/readiness", who=None)).status == 503


async def test_the_log_level_is_changed(client: Client, logger: logging.Logger) -> None:
    for level, number in (("DEBUG", 10), ("info", 20), ("WARN", 30), ("warning", 30), ("Error", 40)):
        answer = await client.request("PUT", f"{LEVEL}?category={logger.name}&level={level}", who="all")
        assert (answer.status, answer.body) == (204, b"")
        assert logger.level == number


async def test_everything_else_has_the_level_of_the_root(client: Client) -> None:
    root, noisy = logging.getLogger(), logging.getLogger("uvicorn")
    before = root.level, noisy.level
    try:
        assert (await client.request("PUT", f"{LEVEL}?category=*&level=debug", who="all")).status == 204
        assert (root.level, noisy.level) == (logging.DEBUG, logging.WARNING)
    finally:
        root.setLevel(before[0])
        noisy.setLevel(before[1])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (LEVEL, 'Missing "category" parameter'),
        (LEVEL + "?category=*", 'Missing "level" parameter'),
        (LEVEL + "?category=*&level=loud", 'Invalid "level" parameter'),
        (LEVEL + "?category=no.such.logger&level=info", 'Invalid "category" parameter'),
        (REVOKE, 'Missing "jti" parameter'),
        (REVOKE + "?jti=a", 'Invalid "exp" parameter'),
    ],
)
async def test_bad_parameters(client: Client, path: str, text: str) -> None:
    answer = await client.request("PUT", path, who="all")
    assert (answer.status, answer.json()) == (400, {"error": text})


@pytest.mark.parametrize("who", [None, "chat", "wrong"])
@pytest.mark.parametrize("path", [LEVEL, REVOKE])
async def test_only_admins(client: Client, who: str | None, path: str) -> None:
    answer = await client.request("PUT", path, who=who)
    assert (answer.status, answer.json()["code"]) == (403, "dsps.auth.rejected")


async def test_a_revocation(client: Client, revocations: MemoryRevocations) -> None:
    answer = await client.request("PUT", REVOKE + "?jti=a%22b&exp=1776675755", who="all")
    assert (answer.status, answer.body) == (200, b'{"jti":"a\\"b","exp":1776675755}')
    assert revocations.revoked == {'a"b': 1_776_675_755}


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


ROOMS: dict[str, Any] = {
    "chat-room-(?P<id>[0-9]+)": {"tokens": ["chat"], "claims": {"room": "{id}"}},
    "news|device-status": {},
}


async def test_a_web_token_opens_its_room_until_it_is_revoked(
    start_server: StartServer, issuer: Issuer, channels: MemoryChannels
) -> None:
    async with (
        start_server(ChannelSettings(rules=ROOMS, jwt=issuer.settings)) as server,
        Client(server.address) as client,
    ):
        bearer = "Bearer " + issuer.token("ES256", room=7, jti="one")

        async def status(method: str, path: str) -> int:
            return (await client.request(method, path, b"1", who=None, Authorization=bearer)).status

        assert await status("PUT", APP) == 200
        assert await status("PUT", APP.replace("7", "8")) == 403
        assert await status("PUT", "/channel/chat-room-7/message/m1") == 200
        assert await status("PUT", "/channel/news/message/m1") == 200
        assert await status("GET", APP) == 200
        assert await status("PUT", LEVEL) == 403
        assert await status("GET", f"{APP}?project=other") == 403
        assert channels.logs.keys() == {(PROJECT, "chat-room-7"), (PROJECT, "news")}
        assert (await client.request("PUT", f"{REVOKE}?jti=one&exp={SECOND + 60}", who="all")).status == 200
        answer = await client.get(APP, who=None, Authorization=bearer)
        assert (answer.status, answer.json()["error"]) == (403, "Unauthorized: the JSON Web Token has been revoked")


async def test_a_list_has_only_what_its_reader_may_use(
    start_server: StartServer, issuer: Issuer, channels: MemoryChannels
) -> None:
    for channel in ("chat-room-7", "chat-room-8", "news", "old"):
        await channels.publish(PROJECT, channel, "m1", "1")
    async with (
        start_server(ChannelSettings(rules=ROOMS, jwt=issuer.settings)) as server,
        Client(server.address) as client,
    ):

        async def shown(**fields: str) -> list[str]:
            answer = await client.get(f"/channel?project={PROJECT}", who=None, **fields)
            return [channel["channelID"] for channel in answer.json()["channels"]]

        assert await shown(Authorization="Bearer " + issuer.token(room=7)) == ["chat-room-7", "news"]
        assert await shown(X_Auth_Token="chat") == ["chat-room-7", "chat-room-8", "news"]
        assert await shown(X_Auth_Token="listener") == ["news"]
        assert await shown(X_Auth_Token="all") == ["chat-room-7", "chat-room-8", "news"]


async def test_a_channel_that_no_rule_permits(start_server: StartServer) -> None:
    async with start_server(ChannelSettings(rules=ROOMS)) as server, Client(server.address) as client:
        answer = await client.request("PUT", "/channel/other/message/%0A", who=None)
        assert (answer.status, answer.json()) == (
            400,
            {"error": 'Invalid "channelID" parameter', "code": "dsps.storage.invalid-channel"},
        )
        answer = await client.request("PUT", APP, who="listener")
        assert (answer.status, answer.json()["error"]) == (
            403,
            "Unauthorized: this channel is not for these credentials",
        )
        assert (await client.request("PUT", APP, who="chat")).status == 200
        assert (await client.request("PUT", f"{APP}?project={PROJECT}", who="all")).status == 200


async def test_without_configuration_no_web_token_is_accepted(client: Client, issuer: Issuer) -> None:
    answer = await client.get(APP, who=None, Authorization="Bearer " + issuer.token())
    assert (answer.status, answer.json()["code"]) == (403, "dsps.auth.rejected")


async def test_a_store_that_cannot_say_whether_a_token_was_revoked(
    start_server: StartServer, issuer: Issuer, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_jti: str) -> bool:
        raise StoreUnavailable("disk")

    monkeypatch.setattr(revocations, "is_revoked", fail)
    async with start_server(ChannelSettings(jwt=issuer.settings)) as server, Client(server.address) as client:
        answer = await client.get(APP, who=None, Authorization="Bearer " + issuer.token(jti="a"))
        assert answer.status == 503


async def test_wrong_web_tokens_are_counted_as_failed_logins(
    start_server: StartServer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("bridge.api.access.sleep", sleep)
    async with start_server(ChannelSettings(jwt=issuer.settings)) as server, Client(server.address) as client:
        for _ in range(25):
            answer = await client.get(APP, who=None, Authorization="Bearer " + issuer.token(iss="x"))
            assert answer.json()["error"] == "Unauthorized: the JSON Web Token has another iss"
    assert waited
