"""Subscribers over HTTP: idempotence, order of checks, handles, long polls."""

import asyncio

import pytest

from bridge.api.dsps.settings import ChannelSettings
from bridge.api.server import HttpServer
from bridge.model.errors import StoreUnavailable
from tests.api.client import Answer, Client
from tests.api.conftest import Readiness
from tests.api.dsps.conftest import StartServer
from tests.api.dsps.memory import MemoryChannels
from tests.api.dsps.waiting import until
from tests.api.memory import PROJECT

NEWS = "/channel/news"
APP = NEWS + "/subscription/polling/app"
OTHER = NEWS + "/subscription/polling/other"
NAMED = b'{"channelID":"news","subscriberID":"app"}'
EMPTY = b'{"channelID":"news","messages":[],"moreMessages":false}'


async def get(client: Client, path: str) -> Answer:
    return await client.get(path, who="chat")


async def put(client: Client, path: str, body: bytes | None = None) -> Answer:
    return await client.request("PUT", path, body, who="chat")


async def delete(client: Client, path: str) -> Answer:
    return await client.request("DELETE", path, who="chat")


async def publish(client: Client, message_id: str, content: bytes = b"1") -> None:
    assert (await put(client, f"{NEWS}/message/{message_id}", content)).status == 200


def ids(answer: Answer) -> list[str]:
    return [message["messageID"] for message in answer.json()["messages"]]


async def test_subscribing_again_leaves_the_queue_alone(client: Client) -> None:
    for _ in range(2):
        answer = await put(client, APP, b"whatever \xff")
        assert (answer.status, answer.body) == (200, NAMED)
        assert answer.headers["content-type"] == "application/json"
        await publish(client, "m1")
    assert ids(await get(client, APP)) == ["m1"]


async def test_unsubscribing_also_if_it_never_existed(client: Client) -> None:
    for _ in range(2):
        answer = await delete(client, APP)
        assert (answer.status, answer.body) == (200, NAMED)
    await put(client, APP)
    await publish(client, "m1")
    await delete(client, APP)
    assert (await get(client, APP)).status == 404
    await put(client, APP)
    assert (await get(client, APP)).body == EMPTY


async def test_what_was_not_acknowledged_comes_again(client: Client) -> None:
    await put(client, APP)
    for number in range(3):
        await publish(client, f"m{number}")
    first = await get(client, APP + "?max=2")
    assert ids(first) == ["m0", "m1"]
    assert first.json()["moreMessages"] is True
    assert ids(await get(client, APP)) == ["m0", "m1", "m2"]
    assert (await delete(client, f"{APP}/message?ackHandle={first.json()['ackHandle']}")).status == 204
    rest = await get(client, APP)
    assert (ids(rest), rest.json()["moreMessages"]) == (["m2"], False)
    await delete(client, f"{APP}/message?ackHandle={rest.json()['ackHandle']}")
    assert (await get(client, APP)).body == EMPTY


async def test_a_repeated_or_stale_handle_has_no_effect(client: Client) -> None:
    await put(client, APP)
    handles = []
    for number in range(3):
        await publish(client, f"m{number}")
        handles.append((await get(client, APP)).json()["ackHandle"])
    for handle, left in ((handles[1], ["m2"]), (handles[0], ["m2"]), (handles[1], ["m2"]), (handles[2], [])):
        answer = await delete(client, f"{APP}/message?ackHandle={handle}")
        assert (answer.status, answer.body) == (204, b"")
        assert ids(await get(client, APP)) == left


async def test_two_subscribers_do_not_disturb_each_other(client: Client) -> None:
    await put(client, APP)
    await publish(client, "m1")
    await put(client, OTHER)
    await publish(client, "m2")
    polled = await get(client, APP)
    assert ids(polled) == ["m1", "m2"]
    assert ids(await get(client, OTHER)) == ["m2"]
    answer = await delete(client, f"{OTHER}/message?ackHandle={polled.json()['ackHandle']}")
    assert (answer.status, answer.json()["code"]) == (400, "dsps.storage.ack-handle-malformed")
    await delete(client, f"{APP}/message?ackHandle={polled.json()['ackHandle']}")
    assert ids(await get(client, OTHER)) == ["m2"]


async def test_max_0_takes_nothing_and_waits_for_nothing(client: Client) -> None:
    await put(client, APP)
    assert (await get(client, APP + "?max=0&timeout=30s")).body == EMPTY
    await publish(client, "m1")
    assert (await get(client, APP + "?max=0&timeout=30s")).body == EMPTY.replace(b"false", b"true")


async def test_a_poll_is_answered_by_the_publish(server: HttpServer, client: Client, channels: MemoryChannels) -> None:
    await put(client, APP)
    async with Client(server.address) as poller:
        polling = asyncio.create_task(get(poller, APP + "?timeout=30s"))
        await channels.waits.wait()
        await publish(client, "m1", b"[1.0]")
        assert b'{"messageID":"m1","content":[1.0]}' in (await polling).body


async def test_a_poll_that_waits_in_vain(client: Client) -> None:
    await put(client, APP)
    assert (await get(client, APP + "?timeout=20ms")).body == EMPTY


async def test_the_wait_is_clamped(start_server: StartServer) -> None:
    async with start_server(ChannelSettings(max_wait=0.02)) as server, Client(server.address) as client:
        await put(client, APP)
        assert (await get(client, APP + "?timeout=24h")).body == EMPTY


async def test_a_poll_whose_subscriber_is_removed_ends(
    server: HttpServer, client: Client, channels: MemoryChannels
) -> None:
    await put(client, APP)
    async with Client(server.address) as poller:
        polling = asyncio.create_task(get(poller, APP + "?timeout=30s"))
        await channels.waits.wait()
        await delete(client, APP)
        answer = await polling
        assert (answer.status, answer.json()["code"]) == (404, "dsps.storage.subscription-not-found")


async def test_at_the_end_of_the_daemon_a_poll_is_answered_with_nothing(
    server: HttpServer, client: Client, channels: MemoryChannels, ready: Readiness
) -> None:
    await put(client, APP)
    polling = asyncio.create_task(get(client, APP + "?timeout=30s"))
    await channels.waits.wait()
    ready.ready = False
    channels.close()
    stopping = asyncio.create_task(server.stop())
    answer = await polling
    assert (answer.status, answer.body) == (200, EMPTY)
    await stopping


@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_leaves_is_not_waited_for(
    server: HttpServer, client: Client, channels: MemoryChannels, politely: bool
) -> None:
    await put(client, APP)
    async with Client(server.address) as poller:
        poller.writer.write(f"GET {APP}?timeout=30s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: chat\r\n\r\n".encode())
        await channels.waits.wait()
        if politely:
            poller.writer.write_eof()
            assert (await poller.answer()).body == EMPTY
            assert await poller.closed()
        else:
            poller.writer.transport.abort()
            await until(lambda: not channels.waiting)
    assert channels.waiting == 0
    await publish(client, "m1")
    assert ids(await get(client, APP + "?timeout=30s")) == ["m1"]


async def test_a_connection_serves_polls_one_after_the_other(client: Client) -> None:
    await put(client, APP)
    for _ in range(3):
        assert (await get(client, APP + "?timeout=1ms")).body == EMPTY
    await publish(client, "m1")
    assert (await get(client, APP + "?timeout=1s")).status == 200


BAD = "%0A"


@pytest.mark.parametrize(
    ("method", "path", "who", "status", "text"),
    [
        ("PUT", f"/channel/A/subscription/polling/{BAD}", None, 400, 'Invalid "channelID" parameter'),
        ("PUT", f"/channel/news{BAD}/subscription/polling/app", "chat", 400, 'Invalid "channelID" parameter'),
        ("PUT", f"/channel/news/subscription/polling/{BAD}", None, 403, "Unauthorized"),
        ("PUT", f"/channel/news/subscription/polling/{BAD}", "publisher", 403, "lack the scope events:read"),
        ("PUT", f"/channel/news/subscription/polling/app{BAD}", "chat", 400, 'Invalid "subscriberID" parameter'),
        ("PUT", "/channel/news/subscription/polling/%FF", "chat", 400, 'Invalid "subscriberID" parameter'),
        (
            "GET",
            f"/channel/news/subscription/polling/{BAD}?timeout=x&max=x",
            "chat",
            400,
            'Invalid "subscriberID" parameter',
        ),
        ("GET", APP + "?timeout=x&max=x", None, 403, "Unauthorized"),
        ("GET", APP + "?timeout=x&max=x", "chat", 400, 'Invalid "timeout" parameter'),
        ("GET", APP + "?timeout=5&max=1", "chat", 400, 'Invalid "timeout" parameter'),
        ("GET", APP + "?timeout=1s&max=x", "chat", 400, 'Invalid "max" parameter'),
        ("GET", APP + "?max=-1", "chat", 400, 'Invalid "max" parameter'),
        ("GET", APP + "?max=1000000000000", "chat", 404, "Subscription not found"),
        ("GET", APP + "?timeout=30s", "chat", 404, "Subscription not found"),
        (
            "DELETE",
            f"/channel/news/subscription/polling/{BAD}/message",
            "chat",
            400,
            'Invalid "subscriberID" parameter',
        ),
        ("DELETE", APP + "/message", None, 403, "Unauthorized"),
        ("DELETE", APP + "/message", "chat", 400, 'Missing "ackHandle" parameter'),
        ("DELETE", APP + "/message?ackHandle=x", "chat", 400, "Malformed ackHandle"),
        ("DELETE", APP + "/message?ackHandle=%00%FF%0A", "chat", 400, "Malformed ackHandle"),
        ("DELETE", APP + "/message?ackHandle=AAAAAAAAAAeH_YzvTk0PftfO", "chat", 404, "Subscription not found"),
        ("PUT", f"{NEWS}/message/{BAD}", None, 403, "Unauthorized"),
        ("PUT", f"{NEWS}/message/{BAD}", "listener", 403, "lack the scope events:write"),
        ("PUT", f"{NEWS}/message/{BAD}", "chat", 400, 'Invalid "messageID" parameter'),
        ("PUT", f"/channel/device-status/message/{BAD}", "chat", 403, "only the daemon publishes"),
        ("GET", APP + "?project=%2F", "chat", 400, 'Invalid "project" parameter'),
        ("GET", APP + "?project=other", "chat", 403, "belong to another project"),
        ("GET", APP + "?project=" + PROJECT, "chat", 404, "Subscription not found"),
    ],
)
async def test_what_is_checked_first(
    client: Client, method: str, path: str, who: str | None, status: int, text: str
) -> None:
    answer = await client.request(method, path, who=who)
    assert answer.status == status
    assert text in answer.json()["error"]
    codes = {403: "dsps.auth.rejected", 404: "dsps.storage.subscription-not-found"}
    malformed = "dsps.storage.ack-handle-malformed" if "Malformed" in text else None
    assert answer.json().get("code") == codes.get(status, malformed)
    assert answer.headers["content-type"] == "application/json"
    assert "x-request-id" in answer.headers


async def test_an_error_is_compact_and_has_no_code_without_need(client: Client) -> None:
    assert (await put(client, "/channel/A/message/m")).body == b'{"error":"Invalid \\"channelID\\" parameter"}'
    assert (await get(client, APP)).body == (
        b'{"error":"Subscription not found","code":"dsps.storage.subscription-not-found"}'
    )


async def test_a_store_that_refuses(client: Client, channels: MemoryChannels) -> None:
    channels.fails = StoreUnavailable("disk full")
    for method, path in (("PUT", APP), ("GET", APP), ("DELETE", APP), ("PUT", NEWS + "/message/m1")):
        answer = await client.request(method, path, b"1", who="chat")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "nothing was accepted" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "allow"),
    [
        ("/channel/", 404, None),
        ("/channel/a/", 404, None),
        ("/channel/a/b", 404, None),
        ("/channel/a/subscription/polling", 404, None),
        ("/channel/a/subscription/polling/b/", 404, None),
        ("/channel/a/subscription/polling/b/c", 404, None),
        ("/channel/a%2Fb/message/m", 404, None),
        ("/probe", 404, None),
        ("/admin/x", 404, None),
        (APP, 405, "DELETE, GET, HEAD, PUT"),
        (APP + "/message", 405, "DELETE"),
        (NEWS + "/message", 405, "POST"),
        (NEWS + "/message/m", 405, "PUT"),
        ("/admin/jwt/revoke", 405, "PUT"),
    ],
)
async def test_no_such_path_and_wrong_method(client: Client, path: str, status: int, allow: str | None) -> None:
    answer = await client.request("PATCH", path, who=None)
    assert (answer.status, answer.headers.get("allow")) == (status, allow)
    assert answer.headers["content-type"].startswith("text/plain")


async def test_other_paths_are_answered_as_before(client: Client) -> None:
    assert (await client.get("/nothing")).code == "IOTDA.000404"
    assert (await client.get("/channels")).status == 404


async def test_everything_may_stand_below_a_prefix(start_server: StartServer) -> None:
    async with start_server(ChannelSettings(prefix="/a/dsps")) as server, Client(server.address) as client:
        assert (await put(client, "/a/dsps" + APP)).body == NAMED
        assert (await get(client, "/a/dsps/probe/liveness")).status == 200
        assert (await get(client, "/a/dsps/else")).body == b"404 page not found\n"
        assert (await get(client, APP)).code == "IOTDA.000404"
        assert (await client.get("/healthz")).status == 200


async def test_projects_have_channels_of_their_own(client: Client) -> None:
    await put(client, APP)
    assert (await client.get(APP, who="neighbour")).status == 404
    assert (await client.get(APP, who="all")).status == 404
    assert (await client.get(f"{APP}?project={PROJECT}", who="all")).status == 200


async def test_head_is_get_without_a_body(client: Client) -> None:
    await put(client, APP)
    answer = await client.request("HEAD", APP, who="chat")
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(EMPTY)))


async def test_a_defect_tells_nothing_of_the_inside(
    client: Client, channels: MemoryChannels, caplog: pytest.LogCaptureFixture
) -> None:
    channels.fails = ZeroDivisionError("secret")
    answer = await client.request("PUT", APP, who="chat", X_Request_Id="r-1")
    assert (answer.status, answer.body) == (500, b'{"error":"Internal error. Request id: r-1"}')
    assert [record.levelname for record in caplog.records] == ["ERROR"]
