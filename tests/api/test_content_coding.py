"""Bodies that say they are compressed are refused by name, in the dialect of their path (RFC 9110, section 8.4)."""

import gzip

import pytest

from bridge.api.app import Api
from tests.api.client import Client
from tests.api.memory import DEVICE, PROJECT
from tests.api.no_pushes import NoPushes

BODY = '{"message":"x"}'
CODINGS = ["gzip", "GZIP", "identity, gzip", "deflate", "br", "zstd", "x-none", "identity;q=1"]
PATHS = {"project_id": PROJECT, "device_id": DEVICE, "channel": "news", "message": "m", "message_id": "1"}


@pytest.fixture
def pushes() -> NoPushes:
    return NoPushes()


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("extra", [{}, {"Idempotency_Key": "k"}], ids=["short way", "long way"])
async def test_it_is_refused_whatever_the_body_is(client: Client, coding: str, extra: dict[str, str]) -> None:
    for body in (BODY.encode(), gzip.compress(BODY.encode())):
        answer = await client.post(body, Content_Encoding=coding, **extra)
        assert (answer.status, answer.code) == (415, "IOTDA.000415")
        assert "Content-Encoding" in answer.text
        assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity, identity"])
@pytest.mark.parametrize("extra", [{}, {"Idempotency_Key": "k"}], ids=["short way", "long way"])
async def test_what_is_none_is_taken(client: Client, coding: str, extra: dict[str, str]) -> None:
    assert (await client.post(BODY, Content_Encoding=coding, **extra)).status == 201


async def test_none_of_several_fields_is_overlooked(client: Client) -> None:
    answer = await client.post(BODY, Content_Encoding="gzip", content_encoding="identity")
    assert answer.status == 415


async def test_who_may_not_enter_is_told_that_first(client: Client) -> None:
    assert (await client.post(BODY, who="nobody", Content_Encoding="gzip")).status == 401


async def test_every_path_with_a_body_refuses_it_as_described(app: Api, client: Client) -> None:
    document = (await client.get("/openapi.json", who=None)).json()
    with_body = [each for group in app.groups for each in group.operations() if each.body is not None]
    assert len(with_body) > 10
    for each in with_body:
        path = each.path.format_map({**PATHS, "rule_id": "r", "action_id": "a", "task_id": f"{1:024x}"})
        if each.path.endswith("/action"):
            path += "?action_id=resetSecret"
        answer = await client.request(each.method, path, BODY, who="all", Content_Encoding="gzip", workspace="w")
        assert answer.status == 415, (each.operation_id, answer.body)
        assert b"Content-Encoding" in answer.body
        assert set(answer.json()) & {"error_code", "error", "success"}
        described = document["paths"][each.path][each.method.lower()]["responses"]["415"]
        assert "Accept-Encoding" in described["headers"]
        assert "Content-Encoding" in described["description"]
    without = [each for group in app.groups for each in group.operations() if each.body is None]
    for each in without:
        assert "415" not in document["paths"][each.path][each.method.lower()]["responses"], each.operation_id
