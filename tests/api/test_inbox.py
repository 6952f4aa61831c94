"""The inbox through HTTP, on the real store."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bridge.api.server import HttpServer
from bridge.model.notification import Kind, Occurrence
from tests.api.client import Answer, Client
from tests.api.managed_inbox import ManagedInbox, serving
from tests.api.memory import PROJECT
from tests.store.clock import HandClock

INBOX = "/api/v1/messages"
HISTORY = f"{INBOX}/history"
BOUNDS = f"{HISTORY}/bounds"


@pytest.fixture
async def managed(clock: HandClock) -> AsyncIterator[ManagedInbox]:
    async with ManagedInbox(clock) as managed:
        yield managed


@pytest.fixture
async def server(managed: ManagedInbox, clock: HandClock) -> AsyncIterator[HttpServer]:
    async with serving(managed, clock) as server:
        yield server


async def post(
    client: Client, text: str = "hello", about: str = "lamp", importance: str = "important"
) -> dict[str, Any]:
    body = json.dumps({"id": about, "importance": importance, "text": text})
    answer = await client.request("POST", INBOX, body, who="clerk")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def listed(client: Client, path: str = INBOX, who: str = "clerk") -> list[str]:
    answer = await client.get(path, who=who)
    assert answer.status == 200, answer.body
    return [entity["body"]["text"] for entity in answer.json()]


def refused(answer: Answer, status: int) -> str:
    """The message of an error in the dialect's form."""
    error = answer.json()
    assert (answer.status, error["code"], error["success"]) == (status, str(status), False)
    assert error["tags"] == error["codes"]
    assert error["tags"][1] == "error_messages"
    assert "x-request-id" in answer.headers
    return str(error["message"])


async def test_what_is_posted_is_answered_and_listed(client: Client, clock: HandClock) -> None:
    entity = await post(client, "It's\n灯")
    assert entity == {
        "_id": entity["_id"],
        "type": "object",
        "time": clock.now,
        "id": "lamp",
        "body": {"text": "It's\n灯", "type": "text"},
        "importance": "important",
        "read": False,
    }
    assert int(entity["_id"][:8], 16) == clock.now // 1000
    for path in (INBOX, HISTORY):
        assert (await client.get(path, who="clerk")).json() == [entity]


async def test_newest_first_in_a_window(client: Client, clock: HandClock) -> None:
    start = clock.now
    posted = []
    for text in "abcd":
        posted.append(await post(client, text))
        clock.now += 10
    assert await listed(client) == list("dcba")
    assert await listed(client, f"{INBOX}?begin={start + 10}&end={start + 20}") == list("cb")
    assert await listed(client, f"{HISTORY}?from={start + 10}&to={start + 20}&offset=1") == ["b"]
    assert await listed(client, f"{INBOX}?limit=1&offset=1") == ["c"]
    assert (await client.get(f"{BOUNDS}?end={start + 25}", who="clerk")).json() == {
        "count": 3,
        "min": posted[0],
        "max": posted[2],
        "success": True,
    }


async def test_filters_and_projection(client: Client) -> None:
    await post(client, "It is dark", about="lamp", importance="information")
    fan = await post(client, "It is hot", about="fan", importance="critical")
    assert await listed(client, f"{INBOX}?id=lamp") == ["It is dark"]
    assert await listed(client, f"{HISTORY}?importance=critical") == ["It is hot"]
    assert await listed(client, f"{HISTORY}?search=DARK") == ["It is dark"]
    assert await listed(client, f"{INBOX}?read=true") == []
    answer = await client.get(f"{INBOX}?id=fan&only=_id,body.text", who="clerk")
    assert answer.json() == [{"_id": fan["_id"], "body": {"text": "It is hot"}}]
    assert (await client.get(f"{BOUNDS}?only=count&importance=critical", who="clerk")).json() == {"count": 1}


async def test_read_and_unread(client: Client) -> None:
    entity = await post(client)
    for read in (True, True, False):
        answer = await client.request("PATCH", f"{INBOX}/read/{entity['_id']}", json.dumps({"read": read}), who="clerk")
        assert (answer.status, answer.json()) == (200, {**entity, "read": read})
        assert await listed(client, f"{INBOX}?read={json.dumps(read)}") == ["hello"]


async def test_clear_leaves_the_history(client: Client) -> None:
    await post(client, "a")
    answer = await client.request("DELETE", f"{INBOX}/clear", who="clerk")
    assert (answer.status, answer.json()) == (200, {"success": True})
    await post(client, "b")
    assert await listed(client) == ["b"]
    assert await listed(client, HISTORY) == ["b", "a"]


async def test_an_empty_history(client: Client) -> None:
    assert (await client.get(BOUNDS, who="clerk")).body == b'{"count":0,"min":null,"max":null,"success":true}'
    assert (await client.get(INBOX, who="clerk")).body == b"[]"
    assert (await client.request("DELETE", f"{INBOX}/clear", who="clerk")).status == 200


async def test_a_bearer_token_and_head(client: Client) -> None:
    answer = await client.get(INBOX, who=None, Authorization="Bearer clerk")
    assert answer.status == 200
    assert (await client.request("HEAD", INBOX, who="clerk")).status == 200


async def test_the_project_is_that_of_the_token(client: Client) -> None:
    await post(client)
    assert await listed(client, who="outsider") == []
    assert await listed(client, f"{INBOX}?project={PROJECT}", who="all") == ["hello"]
    assert await listed(client, f"{INBOX}?project={PROJECT}") == ["hello"]
    assert await listed(client, INBOX, who="all") == [], "the default project"
    assert "another project" in refused(await client.get(f"{INBOX}?project=other", who="clerk"), 403)
    assert "project" in refused(await client.get(f"{INBOX}?project=a/b", who="all"), 400)


@pytest.mark.parametrize(
    ("method", "path", "who", "status", "words"),
    [
        ("GET", INBOX, None, 401, "X-Auth-Token"),
        ("GET", INBOX, "nobody", 401, "X-Auth-Token"),
        ("GET", INBOX, "app", 403, "events:read"),
        ("POST", INBOX, "auditor", 403, "events:write"),
        ("DELETE", f"{INBOX}/clear", "auditor", 403, "events:write"),
        ("PATCH", f"{INBOX}/read/{'0' * 24}", "auditor", 403, "events:write"),
        ("PUT", INBOX, "clerk", 405, "Method Not Allowed"),
        ("POST", HISTORY, "clerk", 405, "Method Not Allowed"),
        ("GET", f"{INBOX}/clear", "clerk", 405, "Method Not Allowed"),
        ("GET", f"{INBOX}/", "clerk", 404, "Not Found"),
        ("GET", "/api/v1/objects", "clerk", 404, "Not Found"),
        ("GET", f"{INBOX}?limit=-1", "clerk", 400, "limit"),
        ("GET", f"{HISTORY}?begin=1{'0' * 30}", "clerk", 400, "begin"),
        ("GET", f"{BOUNDS}?end=soon", "clerk", 400, "end"),
        ("GET", f"{INBOX}?importance=urgent", "clerk", 400, "importance"),
        ("GET", f"{INBOX}?id=%ff", "clerk", 400, "query"),
    ],
)
async def test_refusals(client: Client, method: str, path: str, who: str | None, status: int, words: str) -> None:
    assert words in refused(await client.request(method, path, b"{}" if method != "GET" else None, who=who), status)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"not json", "body"),
        (b'{"id": "lamp", "importance": "important", "text": "\xff"}', "body"),
        (b'{"id": 1, "importance": "important", "text": "x"}', "id"),
        (b'{"id": "lamp", "importance": "urgent", "text": "x"}', "importance"),
        (b'{"id": "lamp", "importance": "important", "text": ""}', "text"),
        (b'{"a": ' + b"[" * 200_000, "body"),
    ],
)
async def test_bodies_that_cannot_be(client: Client, body: bytes, words: str) -> None:
    assert words in refused(await client.request("POST", INBOX, body, who="clerk"), 400)
    assert await listed(client, HISTORY) == []


async def test_the_body_is_bounded_and_its_media_type_json(client: Client) -> None:
    assert "body" in refused(await client.request("POST", INBOX, b" " * 1_048_577, who="clerk"), 413)
    answer = await client.request("POST", INBOX, b"{}", who="clerk", Content_Type="text/plain")
    assert "media type" in refused(answer, 400)


@pytest.mark.parametrize("wrong", ["x", "0" * 24, "%0a", "f" * 24, "a%2Fb"])
async def test_what_is_not_there_cannot_be_read(client: Client, wrong: str) -> None:
    await post(client)
    answer = await client.request("PATCH", f"{INBOX}/read/{wrong}", b'{"read": true}', who="clerk")
    assert refused(answer, 404) == "Not Found"


async def test_a_refusing_disk(client: Client, managed: ManagedInbox) -> None:
    managed.store._writer._connection.execute("PRAGMA query_only = ON")
    body = json.dumps({"id": "lamp", "importance": "important", "text": "x"})
    answer = await client.request("POST", INBOX, body, who="clerk")
    assert "try again" in refused(answer, 503)
    assert answer.headers["retry-after"] == "1"
    managed.store._writer._connection.execute("PRAGMA query_only = OFF")
    await post(client, "later")
    assert await listed(client) == ["later"]


async def test_a_defect_shows_nothing_of_the_inside(
    client: Client, managed: ManagedInbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(managed.store, "notifications", None)
    assert "NoneType" not in refused(await client.get(INBOX, who="clerk"), 500)
    assert "NoneType" in caplog.text


async def test_what_happens_to_devices_enters(client: Client, managed: ManagedInbox) -> None:
    managed.inbox.heard(Occurrence(Kind.ONLINE, PROJECT, "lamp"))
    await managed.store.flush()
    [entity] = (await client.get(INBOX, who="clerk")).json()
    assert (entity["id"], entity["importance"], entity["body"]["text"]) == (
        "lamp",
        "information",
        "Device lamp is online.",
    )
