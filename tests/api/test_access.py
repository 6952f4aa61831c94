"""Credentials and rights, over a real connection."""

import pytest

from tests.api.client import MESSAGES, Client

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


async def test_all_projects_still_need_a_device(client: Client) -> None:
    for project in ("other", "a.b"):
        answer = await client.get(MESSAGES.replace("plant", project), who="all")
        assert (answer.status, answer.code) == (404, "IOTDA.014000")


async def test_credentials_are_checked_before_the_body_is_sent(client: Client) -> None:
    answer = await client.request("POST", MESSAGES, who=None, Content_Length="100", Expect="100-continue")
    assert (answer.status, answer.headers["connection"]) == (401, "close")
    assert await client.closed()
