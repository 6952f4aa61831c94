import pytest

from tests.api.client import Client
from tests.api.conftest import Readiness


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_alive_without_credentials(client: Client, ready: Readiness, method: str) -> None:
    ready.ready = False
    assert (await client.request(method, "/healthz", who=None)).status == 200


async def test_ready(client: Client, ready: Readiness) -> None:
    answer = await client.get("/readyz", who=None)
    assert (answer.status, answer.json()) == (200, {"status": "ok"})
    ready.ready = False
    answer = await client.get("/readyz", who=None)
    assert (answer.status, answer.json()) == (503, {"status": "not ready"})


@pytest.mark.parametrize("path", ["/readyz", "/probe/readiness"])
async def test_a_store_that_refuses(client: Client, ready: Readiness, path: str) -> None:
    ready.refusal = "database or disk is full"
    answer = await client.get(path, who=None)
    reason = "the store refuses writes: database or disk is full"
    assert (answer.status, answer.json()) == (503, {"status": "not ready", "reason": reason})
    assert (await client.get("/healthz", who=None)).status == 200


async def test_a_failing_check_is_a_500(client: Client, ready: Readiness) -> None:
    ready.fails = RuntimeError("inside")
    answer = await client.get("/readyz", who=None)
    assert (answer.status, answer.code) == (500, "IOTDA.000001")
    assert "inside" not in answer.text
