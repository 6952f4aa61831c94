"""What an application asks about the pushes of an action, over a real connection; the store behind it is real."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge.api.app import create_app
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from tests.api.client import Answer, Client
from tests.api.memory import MemoryAccess, MemoryMessages, NoReplies
from tests.api.no_devices import NoDevices
from tests.webhooks.push_site import PROJECT as SITE_PROJECT
from tests.webhooks.push_site import PushSite, until
from tests.webhooks.receiver import NO_CONTENT, Receiver, answering

ACTIONS = f"/v5/iot/{SITE_PROJECT}/routing-rule/actions"
HOUR = 3_600_000


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[PushSite]:
    async with PushSite(tmp_path / "bridge.db") as site:
        yield site


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def client(site: PushSite) -> AsyncIterator[Client]:
    settings = HttpSettings(bind="127.0.0.1:0")
    app = create_app(
        messages=MemoryMessages(),
        replies=NoReplies(),
        devices=NoDevices(),
        rules=site.rules,
        access=MemoryAccess(),
        pushes=site.webhooks,
        ready=lambda: True,
        settings=settings,
        max_ttl=1440,
        clock=site.clock,
    )
    server = HttpServer(app, settings)
    await server.start()
    async with Client(server.address) as client:
        yield client
    await server.stop()


async def call(client: Client, method: str, path: str, body: Any = None, *, who: str = "pusher") -> Answer:
    data = body if isinstance(body, str | None) else json.dumps(body)
    return await client.request(method, ACTIONS + path, data, who=who)


@pytest.fixture
async def action_id(site: PushSite, receiver: Receiver) -> str:
    return site.actions(await site.rule(receiver.url))[0].action_id


async def dead_letters(site: PushSite, receiver: Receiver, action_id: str, count: int) -> None:
    receiver.answer = lambda _: answering(404)
    await site.report("lamp", *map(str, range(count)))
    await receiver.have(1)
    site.clock.now += 24 * HOUR
    await until(lambda: site.webhooks.status(SITE_PROJECT, action_id).record.dead == count)


async def test_status(client: Client, site: PushSite, receiver: Receiver, action_id: str) -> None:
    shown = (await call(client, "GET", f"/{action_id}")).json()
    assert shown["push_status"] == {"state": "ACTIVE", "outstanding": 0, "dropped": 0, "dead_letters": 0}
    await dead_letters(site, receiver, action_id, 2)
    shown = (await call(client, "GET", f"/{action_id}")).json()
    assert shown["push_status"] == {
        "state": "ACTIVE",
        "outstanding": 0,
        "dropped": 0,
        "dead_letters": 2,
        "last_error": "the target answered 404",
        "last_error_time": "20231115T221320Z",
    }


async def test_a_sample(client: Client, receiver: Receiver, action_id: str) -> None:
    shown = (await call(client, "POST", f"/{action_id}/test")).json()
    assert shown.pop("latency_ms") >= 0
    assert shown == {"success": True, "status_code": 204}
    receiver.answer = lambda _: answering(302)
    shown = (await call(client, "POST", f"/{action_id}/test")).json()
    assert (shown["success"], shown["status_code"]) == (False, 302)
    assert shown["error_msg"] == "the target answered 302"
    await receiver.stop()
    shown = (await call(client, "POST", f"/{action_id}/test")).json()
    assert "status_code" not in shown
    assert shown["error_msg"]
    await receiver.start()


async def test_dead_letters_in_pages_and_replayed(
    client: Client, site: PushSite, receiver: Receiver, action_id: str
) -> None:
    path = f"/{action_id}/dead-letters"
    assert (await call(client, "GET", path)).json() == {"dead_letters": [], "count": 0}
    await dead_letters(site, receiver, action_id, 3)
    first = (await call(client, "GET", f"{path}?limit=2")).json()
    second = (await call(client, "GET", f"{path}?limit=2&marker={first['marker']}")).json()
    letters = first["dead_letters"] + second["dead_letters"]
    assert (first["count"], second["count"], len(letters)) == (3, 3, 3)
    assert [each["event"]["notify_data"]["body"]["content"] for each in letters] == ["2", "1", "0"]
    assert {(each["device_id"], each["error_msg"]) for each in letters} == {("lamp", "the target answered 404")}
    receiver.answer = lambda _: NO_CONTENT
    receiver.received.clear()
    chosen = {"webhook_ids": [letters[0]["webhook_id"], "msg_of_nobody"]}
    assert (await call(client, "POST", f"{path}/replay", chosen)).json() == {"replayed": 1}
    assert [each.id for each in await receiver.have(1)] == [letters[0]["webhook_id"]]
    assert (await call(client, "POST", f"{path}/replay")).json() == {"replayed": 2}
    await receiver.have(3)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("[]", "IOTDA.000008"),
        ("{", "IOTDA.000008"),
        ({"webhook_ids": "all"}, "IOTDA.000006"),
        ({"webhook_ids": []}, "IOTDA.000006"),
        ({"webhook_ids": [1]}, "IOTDA.000006"),
        ({"webhook_ids": ["x"] * 1001}, "IOTDA.000006"),
    ],
)
async def test_a_bad_replay(client: Client, action_id: str, body: Any, code: str) -> None:
    answer = await call(client, "POST", f"/{action_id}/dead-letters/replay", body)
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "IOTDA.000017"),
        ("limit=51", "IOTDA.000017"),
        ("marker=x", "IOTDA.000018"),
        ("offset=-1", "IOTDA.000006"),
    ],
)
async def test_a_bad_page(client: Client, action_id: str, query: str, code: str) -> None:
    answer = await call(client, "GET", f"/{action_id}/dead-letters?{query}")
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/test"), ("GET", "/dead-letters"), ("POST", "/dead-letters/replay")]
)
async def test_who_may_and_what_there_is(client: Client, action_id: str, method: str, path: str) -> None:
    for unknown in ("no-such-action", "00000000-0000-4000-8000-000000000000", "%0A"):
        answer = await call(client, method, f"/{unknown}{path}")
        assert (answer.status, answer.code) == (404, "IOTDA.010102")
    answer = await call(client, "PUT", f"/{action_id}{path}")
    assert (answer.status, answer.code) == (405, "IOTDA.000405")
    answer = await client.request(method, f"{ACTIONS}/{action_id}{path}", None, who=None)
    assert (answer.status, answer.code) == (401, "IOTDA.000002")
    if method == "POST":
        answer = await call(client, method, f"/{action_id}{path}", who="watcher")
        assert (answer.status, answer.code) == (403, "IOTDA.000021")
    answer = await call(client, method, f"/{action_id}{path}", who="manager")
    assert (answer.status, answer.code) == (403, "IOTDA.000021")
