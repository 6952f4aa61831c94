"""Device messages over a real connection."""

import logging
import re

import pytest

from bridge.model.errors import OutcomeUnknown, QueueFull, StoreUnavailable
from bridge.model.message import AcknowledgedBy, Outcome, Status
from tests.api.client import MESSAGES, Answer, Client
from tests.api.memory import NOW, MemoryMessages

HELLO = '{"message":"hello","message_id":"m-1"}'


async def test_create_show_list_delete(client: Client) -> None:
    created = await client.post(HELLO)
    assert (created.status, created.headers["content-type"]) == (201, "application/json")
    assert created.json() == {
        "message_id": "m-1",
        "result": {"status": "PENDING", "created_time": "20260420T090235Z"},
    }
    shown = await client.get(MESSAGES + "/m-1")
    assert shown.json()["message"] == "hello"
    listed = await client.get(MESSAGES)
    assert listed.json() == {"device_id": "lamp-1", "messages": [shown.json()], "marker": "~1"}
    deleted = await client.request("DELETE", MESSAGES + "/m-1")
    assert (deleted.status, deleted.body) == (204, b"")
    assert (await client.get(MESSAGES + "/m-1")).status == 404


async def test_create_waits_for_the_outcome(client: Client, messages: MemoryMessages) -> None:
    messages.outcome = Outcome(Status.DELIVERED, NOW + 1000, AcknowledgedBy.DEVICE)
    result = (await client.post(HELLO)).json()["result"]
    assert result == {
        "status": "DELIVERED",
        "created_time": "20260420T090235Z",
        "finished_time": "20260420T090236Z",
    }


async def test_pages_newest_first(client: Client, messages: MemoryMessages) -> None:
    for number in range(5):
        await client.post(f'{{"message":"x","message_id":"m-{number}"}}')
    messages.stored["m-1"].outcome = Outcome(Status.TIMEOUT, NOW)

    async def ids(query: str) -> list[str]:
        return [each["message_id"] for each in (await client.get(MESSAGES + query)).json()["messages"]]

    assert await ids("?limit=2") == ["m-4", "m-3"]
    assert await ids("?limit=2&marker=m-3") == ["m-2", "m-1"]
    assert await ids("?status=TIMEOUT") == ["m-1"]
    assert await ids("?marker=m-0") == []
    first = (await client.get(MESSAGES + "?limit=2")).json()
    assert await ids(f"?limit=2&marker={first['marker']}") == ["m-2", "m-1"]
    assert "marker" not in (await client.get(MESSAGES + "?marker=m-0")).json()


async def test_an_unknown_marker(client: Client) -> None:
    answer = await client.get(MESSAGES + "?marker=nobody")
    assert (answer.status, answer.code) == (400, "IOTDA.000018")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=%D9%A1", "limit=%zz", "limit=%ff", "status=x", "marker=%00", "%ff=1"]
)
async def test_bad_query(client: Client, query: str) -> None:
    assert (await client.get(f"{MESSAGES}?{query}")).status == 400


async def test_head_is_get_without_the_body(client: Client) -> None:
    listed = await client.get(MESSAGES)
    answer = await client.request("HEAD", MESSAGES)
    assert (answer.status, answer.headers["content-length"]) == (200, listed.headers["content-length"])


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (QueueFull(), 403, "IOTDA.014018"),
        (StoreUnavailable("disk /var/lib/x is full"), 503, "IOTDA.000503"),
        (OutcomeUnknown("disk /var/lib/x is broken"), 503, "IOTDA.000503"),
    ],
)
async def test_errors_of_the_core(
    client: Client, messages: MemoryMessages, error: Exception, status: int, code: str
) -> None:
    messages.fails = error
    answer = await client.post(HELLO)
    assert (answer.status, answer.code) == (status, code)
    assert "/var" not in answer.text
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)


async def test_a_duplicate(client: Client) -> None:
    await client.post(HELLO)
    answer = await client.post(HELLO)
    assert (answer.status, answer.code) == (400, "IOTDA.014130")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v5/iot/plant/devices/lamp-2/messages", 404, "IOTDA.014000"),
        ("/v5/iot/plant/devices/a%20b/messages", 404, "IOTDA.014000"),
        ("/v5/iot/plant/devices/" + "a" * 129 + "/messages", 404, "IOTDA.014000"),
        ("/v5/iot/plant/devices/lamp-1%0A/messages", 404, "IOTDA.014000"),
        ("/v5/iot/plant/devices/%ff/messages", 400, "IOTDA.000006"),
        ("/v5/iot/plant/devices/%zz/messages", 400, "IOTDA.000006"),
        (MESSAGES + "/nobody", 404, "IOTDA.014131"),
        (MESSAGES + "/a%20b", 404, "IOTDA.014131"),
        (MESSAGES + "/%ed%a0%80", 400, "IOTDA.000006"),
        (MESSAGES + "/", 404, "IOTDA.000404"),
        (MESSAGES + "/m-1/x", 404, "IOTDA.000404"),
        ("/v5/iot/plant/devices/lamp%2F1/messages", 404, "IOTDA.000404"),
        ("/v5", 404, "IOTDA.000404"),
        ("//healthz", 404, "IOTDA.000404"),
        ("/healthz/", 404, "IOTDA.000404"),
        ("/%2e%2e/%00", 404, "IOTDA.000404"),
    ],
)
async def test_paths(client: Client, path: str, status: int, code: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", MESSAGES, "GET, HEAD, POST"),
        ("OPTIONS", MESSAGES, "GET, HEAD, POST"),
        ("DELETE", MESSAGES, "GET, HEAD, POST"),
        ("POST", MESSAGES + "/m-1", "DELETE, GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
async def test_wrong_method(client: Client, method: str, path: str, allow: str) -> None:
    answer = await client.request(method, path, who=None)
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "IOTDA.000405", allow)
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON;x=y", "", " application/json "],
)
async def test_media_types(client: Client, media_type: str) -> None:
    assert (await client.post(HELLO, Content_Type=media_type)).status == 201


async def test_no_media_type(client: Client) -> None:
    assert (await client.request("POST", MESSAGES, Content_Length="0")).text.startswith("Invalid JSON")


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/json-patch+json", "application/x-www-form-urlencoded"]
)
async def test_another_media_type(client: Client, media_type: str) -> None:
    answer = await client.post(HELLO, Content_Type=media_type)
    assert (answer.status, answer.code) == (400, "IOTDA.000008")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "IOTDA.000008"),
        (b"[]", "IOTDA.000008"),
        (b'{"message":"\xff"}', "IOTDA.000008"),
        (b'{"message":"\\ud800"}', "IOTDA.000008"),
        (b'{"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "IOTDA.000008"),
        (b'{"message":"x","ttl":' + b"9" * 5000 + b"}", "IOTDA.000006"),
        (b'{"message":"x","ttl":7}', "IOTDA.000006"),
        (b'{"message":"x","topic_full_name":"$share/a/b"}', "IOTDA.014150"),
    ],
)
async def test_a_refused_body_leaves_the_connection_usable(client: Client, body: bytes, code: str) -> None:
    answer = await client.post(body)
    assert (answer.status, answer.code) == (400, code)
    assert (await client.post(HELLO)).status == 201


async def test_order_of_checks(client: Client, messages: MemoryMessages) -> None:
    """Path, method, credentials, rights, names in the path, media type, size, JSON, fields, and only then the core."""
    messages.fails = QueueFull()
    elsewhere = MESSAGES.replace("plant", "other")
    too_large = {"Content_Length": str(1 << 21)}

    async def codes(*rows: tuple[str, str, str, str | None, dict[str, str]]) -> list[str]:
        found = []
        for method, path, body, who, fields in rows:
            async with Client(client.writer.get_extra_info("peername")) as fresh:
                found.append((await fresh.request(method, path, body, who=who, **fields)).code)
        return found

    assert await codes(
        ("PUT", "/nowhere", "junk", None, {"Content_Type": "x/y"}),
        ("PUT", MESSAGES, "junk", None, {"Content_Type": "x/y"}),
        ("POST", elsewhere, "junk", "nobody", {"Content_Type": "x/y"}),
        ("POST", elsewhere, "junk", "app", {"Content_Type": "x/y"}),
        ("POST", MESSAGES.replace("lamp-1", "a.b"), "junk", "app", {"Content_Type": "x/y"}),
        ("POST", MESSAGES, "", "app", {"Content_Type": "x/y", **too_large}),
        ("POST", MESSAGES, "", "app", too_large),
        ("POST", MESSAGES, '{"ttl":1', "app", {}),
        ("POST", MESSAGES, '{"message":"x","ttl":1}', "app", {}),
        ("POST", MESSAGES, HELLO, "app", {}),
    ) == [
        "IOTDA.000404",
        "IOTDA.000405",
        "IOTDA.000002",
        "IOTDA.000021",
        "IOTDA.014000",
        "IOTDA.000008",
        "IOTDA.000006",
        "IOTDA.000008",
        "IOTDA.000006",
        "IOTDA.014018",
    ]


async def test_a_defect_is_logged_and_tells_nothing(
    client: Client, messages: MemoryMessages, caplog: pytest.LogCaptureFixture
) -> None:
    messages.fails = RuntimeError("secret inside")
    with caplog.at_level(logging.ERROR):
        answer = await client.post(HELLO, X_Request_Id="req-7")
    assert (answer.status, answer.code) == (500, "IOTDA.000001")
    assert answer.text == "Internal error. Request id: req-7."
    assert answer.headers["x-request-id"] == "req-7"
    [record] = caplog.records
    assert "req-7" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is messages.fails


REQUEST_IDS = [
    ("abc_DEF-1.2", True),
    ("x" * 128, True),
    ("x" * 129, False),
    ("a b", False),
    ("", False),
    ("\xe9", False),
]


@pytest.mark.parametrize(("given", "kept"), REQUEST_IDS)
async def test_request_id(client: Client, given: str, *, kept: bool) -> None:
    answers: list[Answer] = [
        await client.request(method, path, who=None, X_Request_Id=given)
        for method, path in [("GET", "/healthz"), ("GET", "/nowhere"), ("PUT", "/healthz"), ("GET", MESSAGES)]
    ]
    ids = [answer.headers["x-request-id"] for answer in answers]
    if kept:
        assert ids == [given] * 4
    else:
        assert len(set(ids)) == 4
        assert all(re.fullmatch(r"[0-9a-f]{24}", made) for made in ids)
