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


async def test_a_failing_check_is_a_500(client: Client, ready: Readiness) -> None:
    ready.fails = RuntimeError("inside")
    answer = await client.get("/readyz", who=None)
    assert (answer.status, answer.code) == (500, "IOTDA.000001")
    assert "inside" not in answer.text
