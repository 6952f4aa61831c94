"""Publishing over HTTP: one message, a batch, and what does not get in."""

import asyncio

import pytest

from bridge.api.settings import HttpSettings
from tests.api.client import Client
from tests.api.dsps.memory import MemoryChannels
from tests.api.memory import PROJECT

NEWS = "/channel/news"
APP = NEWS + "/subscription/polling/app"


@pytest.mark.parametrize(
    "content",
    [
        b"1.0",
        b"1e400",
        b"12345678901234567890123",
        b'{"a": 1,"a": 2}',
        b'"\\ud83d\\ude00 \\u0000"',
        '"é"'.encode(),
        b"null",
    ],
)
async def test_a_content_comes_back_as_it_was_sent(client: Client, content: bytes) -> None:
    await client.request("PUT", APP, who="chat")
    answer = await client.request("PUT", NEWS + "/message/m1", content, who="chat", Content_Type="text/plain")
    assert (answer.status, answer.body) == (200, b'{"channelID":"news","messageID":"m1"}')
    assert b'"content":' + content + b"}]" in (await client.get(APP, who="chat")).body


async def test_the_first_content_of_an_id_wins(client: Client) -> None:
    await client.request("PUT", APP, who="chat")
    for content in (b"1", b"2"):
        answer = await client.request("PUT", NEWS + "/message/m1", content, who="chat")
        assert (answer.status, answer.body) == (200, b'{"channelID":"news","messageID":"m1"}')
    assert [message["content"] for message in (await client.get(APP, who="chat")).json()["messages"]] == [1]


@pytest.mark.parametrize(
    "body",
    [None, b"", b"hello", b"[1", b'"\xff"', b'"\\ud800"', b"[" * 100_000 + b"]" * 100_000],
    ids=lambda body: repr(body)[:12],
)
async def test_what_is_not_json_is_not_published(client: Client, channels: MemoryChannels, body: bytes | None) -> None:
    answer = await client.request("PUT", NEWS + "/message/m1", body, who="chat")
    assert (answer.status, answer.body) == (400, b'{"error":"Request body is not JSON"}')
    assert not channels.logs


@pytest.fixture
def small(settings: HttpSettings) -> int:
    return settings.max_body


async def test_a_body_that_is_too_large(client: Client, channels: MemoryChannels, small: int) -> None:
    answer = await client.request("PUT", NEWS + "/message/m1", b'"' + b"a" * small + b'"', who="chat")
    assert (answer.status, answer.json()) == (413, {"error": f"Request body is larger than {small} bytes"})
    assert not channels.logs
    assert (await client.request("PUT", NEWS + "/message/m1", b"1", who="chat")).status == 200


@pytest.mark.parametrize(
    "channel", ["device-message-status", "device-status", "device-message-report", "service-message"]
)
async def test_built_in_channels_are_heard_and_not_spoken_in(client: Client, channel: str) -> None:
    assert (await client.request("PUT", f"/channel/{channel}/subscription/polling/app", who="chat")).status == 200
    for who in ("chat", "all"):
        for method, path in (("PUT", "/message/m1"), ("POST", "/message")):
            answer = await client.request(method, f"/channel/{channel}{path}", b"1", who=who)
            assert (answer.status, answer.json()["code"]) == (403, "dsps.auth.rejected")


async def test_a_batch_is_published_in_order(client: Client) -> None:
    await client.request("PUT", APP, who="chat")
    await client.request("PUT", NEWS + "/message/m3", b"0", who="chat")
    lines = b"".join(b'{"messageID":"m%d","content":%d.0}\n' % (number, number) for number in range(100))
    answer = await client.request("POST", NEWS + "/message", lines, who="chat", Content_Type="application/x-ndjson")
    assert (answer.status, answer.body) == (200, b'{"channelID":"news","published":99,"duplicates":1}')
    polled = (await client.get(APP + "?max=1000", who="chat")).json()["messages"]
    assert [message["messageID"] for message in polled] == ["m3", *(f"m{n}" for n in range(100) if n != 3)]


async def test_nothing_of_a_batch_with_a_bad_line_is_published(client: Client, channels: MemoryChannels) -> None:
    lines = b'{"messageID":"a","content":1}\n{"messageID":"A","content":1}'
    answer = await client.request("POST", NEWS + "/message", lines, who="chat")
    assert (answer.status, answer.json()) == (400, {"error": 'Line 2: Invalid "messageID" parameter'})
    assert not channels.logs


async def test_what_there_is(client: Client) -> None:
    answer = await client.get(NEWS, who="chat")
    assert (answer.status, answer.json()["code"]) == (404, "dsps.storage.channel-not-found")
    assert (await client.get("/channel", who="chat")).body == b'{"channels":[]}'
    await client.request("PUT", APP, who="chat")
    await client.request("PUT", NEWS + "/message/m1", b"1", who="chat")
    await client.request("PUT", "/channel/alone/message/m1", b"1", who="neighbour")
    shown = (await client.get(NEWS, who="chat")).json()
    assert (shown["channelID"], shown["messages"], shown["subscribers"][0]["lag"]) == ("news", 1, 1)
    assert (await client.get("/channel", who="chat")).json() == {"channels": [shown]}
    assert (await client.get(f"/channel?project={PROJECT}", who="all")).json() == {"channels": [shown]}
    assert (await client.get("/channel", who="publisher")).status == 403
    assert (await client.get("/channel", who=None)).status == 403


async def test_two_who_publish_the_same_id_at_once(client: Client, channels: MemoryChannels) -> None:
    published = [channels.publish(PROJECT, "news", "m1", "1") for _ in range(2)]
    assert sorted(await asyncio.gather(*published)) == [False, True]
