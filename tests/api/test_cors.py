"""Pages of other origins: who may read an answer, and what they may send (Fetch standard, section 3.3)."""

import re
from pathlib import Path

import pytest
from starlette.routing import Route

from bridge.api.app import Api
from bridge.api.cors import ANSWER_FIELDS, REQUEST_FIELDS, check_origins
from bridge.api.resource import Resource
from bridge.api.settings import HttpSettings
from tests.api.client import MESSAGES, Answer, Client, head
from tests.api.test_content_coding import PATHS

APP = "https://app.example.com"
TOOL = "http://localhost:5173"
OTHER = "https://evil.example.com"
API = Path(__file__).parents[2] / "bridge" / "api"
STANDARD = {"accept", "content-length", "expect", "host", "origin", "transfer-encoding", "upgrade"}
"""Fields that a browser sets, or lets any page set."""


@pytest.fixture
def settings() -> HttpSettings:
    return HttpSettings(bind="127.0.0.1:0", cors_origins=(APP, TOOL), shutdown_wait=1.0)


async def preflight(client: Client, path: str, origin: str = APP, method: str = "POST", **fields: str) -> Answer:
    return await client.request(
        "OPTIONS", path, who=None, Origin=origin, Access_Control_Request_Method=method, **fields
    )


def listed(answer: Answer, name: str) -> set[str]:
    return set(answer.headers[name].split(", "))


async def test_every_path_says_its_methods(app: Api, client: Client) -> None:
    routes = [each for each in app.routes if isinstance(each, Route) and isinstance(each.endpoint, Resource)]
    assert len(routes) > 30
    for route in routes:
        path = re.sub(r"\{(\w+)(:path)?\}", lambda found: PATHS.get(found[1], "1"), route.path)
        answer = await preflight(client, path)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, APP), path
        assert listed(answer, "vary") == {"Origin"}
        assert listed(answer, "access-control-allow-headers") == set(REQUEST_FIELDS)
        assert int(answer.headers["access-control-max-age"]) > 0
        assert "x-request-id" in answer.headers
        assert isinstance(route.endpoint, Resource)
        expected = route.endpoint.methods
        assert listed(answer, "access-control-allow-methods") >= expected
        assert not expected or listed(answer, "access-control-allow-methods") <= expected | {"HEAD"}


async def test_a_page_sees_the_404_of_a_wrong_path(client: Client) -> None:
    for path in ("/nowhere", "/channel/news/nowhere", "/api/v1/nowhere", "/v1/nowhere"):
        answer = await preflight(client, path, method="PUT")
        assert answer.status == 204
        assert "PUT" in listed(answer, "access-control-allow-methods")
        answer = await client.request("PUT", path, "{}", Origin=APP)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (404, APP)


async def test_answers_and_errors_can_be_read(client: Client) -> None:
    long_way = {"Idempotency_Key": "k"}
    for origin in (APP, TOOL):
        answers = [
            await client.post('{"message":"x"}', Origin=origin),
            await client.post('{"message":"x"}', Origin=origin, **long_way),
            await client.post("{}", Origin=origin),
            await client.post('{"message":"x"}', who="nobody", Origin=origin),
            await client.get(MESSAGES, Origin=origin),
            await client.request("PATCH", MESSAGES, "{}", Origin=origin),
            await client.get("/channel/news/subscription/polling/app", who="chat", Origin=origin),
            await client.get("/openapi.json", who=None, Origin=origin),
        ]
        assert [answer.status for answer in answers] == [201, 201, 400, 401, 200, 405, 404, 200]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["vary"] == "Origin"
            assert listed(answer, "access-control-expose-headers") == set(ANSWER_FIELDS)
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head("GET", "/healthz", Origin=APP, X="y")[:-2] + b"no colon\r\n\r\n", 400),
        (head("GET", "/healthz", Origin=APP, X="x" * 70_000), 431),
        (head("POST", MESSAGES, X_Auth_Token="app", Origin=APP, Transfer_Encoding="chunked") + b"zz\r\n", 400),
        (head("POST", "/v5/x", Origin=APP, Transfer_Encoding="chunked") + b"zz\r\n", 400),
    ],
    ids=["field", "head", "chunk", "chunk to nowhere"],
)
async def test_what_is_refused_before_it_is_understood_can_be_read(client: Client, data: bytes, status: int) -> None:
    answer = await client.exchange(data)
    assert (answer.status, answer.headers.get("access-control-allow-origin")) == (status, APP)


@pytest.mark.parametrize("origin", [OTHER, "null", APP + ".evil.com", APP.upper(), APP + "/", "http://app.example.com"])
async def test_other_origins_read_nothing(client: Client, origin: str) -> None:
    answer = await preflight(client, MESSAGES, origin)
    assert (answer.status, answer.code) == (403, "IOTDA.000021")
    assert "http.cors_origins" in answer.text
    for each in (answer, await client.post('{"message":"x"}', Origin=origin)):
        assert each.headers["vary"] == "Origin"
        assert not [name for name in each.headers if name.startswith("access-control-")]


async def test_who_is_no_page_is_answered_as_always(client: Client) -> None:
    answer = await client.post('{"message":"x"}')
    assert answer.status == 201
    assert answer.headers["vary"] == "Origin"  # a cache must not give this answer to a page
    assert "access-control-allow-origin" not in answer.headers
    assert (await client.request("OPTIONS", MESSAGES)).status == 405
    assert (await client.request("OPTIONS", MESSAGES, Origin=APP)).status == 405


@pytest.mark.parametrize("settings", [HttpSettings(bind="127.0.0.1:0", cors_origins=("*",))])
async def test_any_origin(client: Client) -> None:
    for origin in (APP, OTHER, "null"):
        answer = await preflight(client, MESSAGES, origin)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "*")
        answer = await client.post("{}", Origin=origin)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (400, "*")
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("settings", [HttpSettings(bind="127.0.0.1:0")])
async def test_no_origin_unless_told_so(client: Client) -> None:
    refused = await preflight(client, MESSAGES)
    assert refused.status == 405
    for each in (refused, await client.post('{"message":"x"}', Origin=APP), await client.get("/healthz", Origin=APP)):
        assert not [name for name in each.headers if name.startswith("access-control-") or name == "vary"]


def test_every_field_that_is_read_may_be_sent() -> None:
    """Whatever the code looks for among the header fields of a request."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in API.rglob("*.py") if path.name != "cors.py")
    read = set(re.findall(r'(?:fields\.get\(|fields\[|name == |FIELD = |DATE = |HASH = )b"([a-z0-9-]+)"', source))
    read |= {name.lower() for name in re.findall(r'Parameter\(\s*"([A-Za-z-]+)",[^)]*"header"', source)}
    assert {"x-auth-token", "authorization", "prefer", "x-sdk-date", "last-event-id", "workspace"} <= read
    assert read - STANDARD - {name.lower() for name in REQUEST_FIELDS} == set()


_SENT = r'"(Accept-Encoding|Allow|Link|Location|Preference-Applied|Retry-After|WWW-Authenticate|X-Request-Id)"'


def test_every_field_that_is_sent_may_be_read() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in API.rglob("*.py") if path.name != "cors.py")
    sent = set(re.findall(_SENT, source))
    assert sent == set(ANSWER_FIELDS)


@pytest.mark.parametrize(
    "origins",
    [(), ("*",), (APP, TOOL), ("http://[::1]:3000",), ("capacitor://localhost",), ("http://192.168.1.7:8081",)],
)
def test_origins(origins: tuple[str, ...]) -> None:
    check_origins(origins)


@pytest.mark.parametrize(
    ("origin", "problem"),
    [
        ("*", "alone"),
        (APP + "/", "no origin"),
        ("app.example.com", "no origin"),
        ("https://App.example.com", "lower case"),
        ("https://*.example.com", "no origin"),
        ("https://münchen.example", "no origin"),
        ("null", "no origin"),
        ("", "no origin"),
        ("http://a:0", "no origin"),
        ("http://a:65536", "no origin"),
        ("https://a:443", "remove :443"),
        ("http://a:80", "remove :80"),
        ("https://a\n", "no origin"),
    ],
)
def test_no_origins(origin: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_origins((APP, origin))
