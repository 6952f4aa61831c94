"""The messages of a project, over a real connection."""

import asyncio
import json

import pytest

from bridge.api.server import HttpServer
from bridge.model.errors import StoreUnavailable
from bridge.model.inquiry import Inquiry, Page
from bridge.model.message import Outcome, Status
from tests.api.client import Client, head
from tests.api.memory import NOW, MemoryMessages

PATH = "/v5/iot/plant/messages"
EXPORT = PATH + "/export"


@pytest.fixture
async def filled(client: Client, messages: MemoryMessages) -> Client:
    for number in range(5):
        await client.post(f'{{"message":{{"n":1.0}},"message_id":"m-{number}"}}')
        messages.stored[f"m-{number}"].created_at = NOW + 1000 * number
    messages.stored["m-1"].outcome = Outcome(Status.TIMEOUT, NOW)
    return client


async def ids(client: Client, query: str) -> tuple[list[str], str | None]:
    answer = await client.get(PATH + query)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json().keys() <= {"messages", "cursor"}
    return [each["message_id"] for each in answer.json()["messages"]], answer.json().get("cursor")


async def lines(client: Client, query: str = "") -> list[str]:
    """The export, which has to be complete."""
    client.writer.write(head("GET", EXPORT + query, X_Auth_Token="app"))
    fields = (await client.reader.readuntil(b"\r\n\r\n")).lower()
    assert fields.startswith(b"http/1.1 200 ")
    assert b"content-type: application/x-ndjson\r\n" in fields
    assert b"x-request-id: " in fields
    body = b""
    while size := int(await client.reader.readuntil(b"\r\n"), 16):
        body += await client.reader.readexactly(size)
        await client.reader.readexactly(2)
    await client.reader.readexactly(2)
    assert body == b"" or body.endswith(b"\n")
    return [json.loads(line)["message_id"] for line in body.splitlines()]


async def test_pages(filled: Client) -> None:
    found, cursor = await ids(filled, "?limit=2")
    assert (found, bool(cursor)) == (["m-4", "m-3"], True)
    await filled.post('{"message":"new"}')
    found, cursor = await ids(filled, f"?limit=2&cursor={cursor}")
    assert found == ["m-2", "m-1"]
    assert await ids(filled, f"?limit=2&cursor={cursor}") == (["m-0"], None)


async def test_an_empty_page_may_have_a_cursor(filled: Client) -> None:
    found, cursor = await ids(filled, "?status=TIMEOUT")
    assert found == []
    assert (await ids(filled, f"?status=TIMEOUT&cursor={cursor}"))[0] == ["m-1"]


async def test_a_record_says_whose_it_is(filled: Client) -> None:
    shown = await filled.get("/v5/iot/plant/devices/lamp-1/messages/m-4")
    listed = await filled.get(PATH + "?device_id=lamp-1&limit=1")
    assert listed.json()["messages"] == [shown.json() | {"device_id": "lamp-1"}]
    assert b'"message":{"n":1.0}' in listed.body


async def test_export(filled: Client) -> None:
    assert await lines(filled) == ["m-4", "m-3", "m-2", "m-1", "m-0"]
    assert await lines(filled, "?limit=1&status=TIMEOUT&device_id=lamp-1") == ["m-1"]
    assert await lines(filled, "?to=20200101T000000Z") == []
    empty = await filled.request("HEAD", EXPORT)
    assert (empty.status, empty.headers["content-type"]) == (200, "application/x-ndjson")
    assert (await filled.get("/healthz")).status == 200


@pytest.mark.parametrize("path", [PATH, EXPORT])
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?limit=0", 400, "IOTDA.000017"),
        ("?cursor=x", 400, "IOTDA.000018"),
        ("?status=x", 400, "IOTDA.000006"),
        ("?from=x", 400, "IOTDA.000009"),
        ("?from=20260420T090235Z&to=20260420T090234Z", 400, "IOTDA.000010"),
        ("?device_id=nobody", 404, "IOTDA.014000"),
    ],
)
async def test_errors(client: Client, path: str, query: str, status: int, code: str) -> None:
    answer = await client.get(path + query)
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize("path", [PATH, EXPORT])
async def test_access(client: Client, path: str) -> None:
    assert (await client.get(path, who=None)).status == 401
    assert "messages:read" in (await client.get(path, who="sender")).text
    assert (await client.get(path, who="stranger")).status == 403
    assert (await client.get(path.replace("plant", "pl%20ant"), who="all")).status == 400
    assert (await client.request("POST", path, "{}")).headers["allow"] == "GET, HEAD"


async def test_a_store_that_fails(filled: Client, messages: MemoryMessages) -> None:
    messages.fails = StoreUnavailable()
    for path in (PATH, EXPORT):
        assert (await filled.get(path)).status == 503


async def test_an_export_that_breaks_off_is_seen_to(
    filled: Client, messages: MemoryMessages, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no last chunk: the client knows that something is missing."""
    find = messages.find

    async def fail(project: str, inquiry: Inquiry) -> Page:
        if inquiry.before is not None:
            raise StoreUnavailable
        return await find(project, inquiry)

    monkeypatch.setattr(messages, "find", fail)
    filled.writer.write(head("GET", EXPORT, X_Auth_Token="app"))
    async with asyncio.timeout(20):
        body = await filled.reader.read()
    assert b'"m-4"' in body
    assert not body.endswith(b"0\r\n\r\n")
    async with Client(server.address) as old:  # where the end of the connection is that of the answer, there is none
        old.writer.write(head("GET", EXPORT, X_Auth_Token="app").replace(b"HTTP/1.1", b"HTTP/1.0"))
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(20):
                await old.reader.read()


async def test_an_export_in_http_1_0_ends_with_the_connection(filled: Client) -> None:
    """RFC 9112, section 6.1: who says HTTP/1.0 does not know chunks."""
    filled.writer.write(head("GET", EXPORT, X_Auth_Token="app").replace(b"HTTP/1.1", b"HTTP/1.0"))
    async with asyncio.timeout(20):
        fields, _, body = (await filled.reader.read()).lower().partition(b"\r\n\r\n")
    assert fields.startswith(b"http/1.1 200 ")
    assert b"\r\nconnection: close" in fields
    assert b"transfer-encoding" not in fields
    assert [json.loads(line)["message_id"] for line in body.splitlines()] == ["m-4", "m-3", "m-2", "m-1", "m-0"]


async def test_a_head_in_http_1_0_has_no_body(filled: Client) -> None:
    filled.writer.write(head("HEAD", EXPORT, X_Auth_Token="app").replace(b"HTTP/1.1", b"HTTP/1.0"))
    async with asyncio.timeout(20):
        assert (await filled.reader.read()).endswith(b"\r\n\r\n")


async def test_nothing_is_read_for_who_does_not_take_it(
    client: Client, messages: MemoryMessages, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory of an export is bounded by what the connection takes; it ends with the connection."""
    await client.post(json.dumps({"message": "x" * 250_000}))
    page = await messages.find("plant", Inquiry(1))
    asked = 0

    async def find(project: str, inquiry: Inquiry) -> Page:
        nonlocal asked
        asked += 1
        return Page(page.messages, 1)

    monkeypatch.setattr(messages, "find", find)
    async with Client(server.address) as slow:
        slow.writer.write(head("GET", EXPORT, X_Auth_Token="app"))
        await slow.reader.readuntil(b"\r\n\r\n")
        before = -1
        while asked != before:  # it comes to rest
            before = asked
            for _ in range(100):
                assert (await client.get("/healthz")).status == 200
        assert asked < 100
        (export,) = server._server.server_state.tasks
    async with asyncio.timeout(20):
        await asyncio.wait([export])
