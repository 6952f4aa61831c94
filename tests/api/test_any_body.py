"""Whatever the body: an answer, never a 5xx, and the next request on the connection works."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.api.app import create_app
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from tests.api.client import Answer, Client
from tests.api.memory import MemoryAccess, MemoryMessages

NAMES = ["message_id", "name", "message", "properties", "encoding", "payload_format", "topic", "topic_full_name", "ttl"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["base64", "raw", "QQ=="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES).map(lambda value: json.dumps(value).encode())


class Running:
    """A server in an event loop that lives as long as the module."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        settings = HttpSettings(bind="127.0.0.1:0")
        app = create_app(
            messages=MemoryMessages(), access=MemoryAccess(), ready=lambda: True, settings=settings, max_ttl=1440
        )
        self.server = HttpServer(app, settings)

    def post(self, body: bytes) -> Answer:
        return self.loop.run_until_complete(self._post(body))

    async def _post(self, body: bytes) -> Answer:
        async with Client(self.server.address) as client:
            answer = await client.post(body)
            assert (await client.get("/healthz")).status == 200
            return answer


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running()
    running.loop.run_until_complete(running.server.start())
    yield running
    running.loop.run_until_complete(running.server.stop())
    running.loop.close()


@given(body=st.binary(max_size=300) | VALUES.map(lambda value: json.dumps(value).encode()) | OBJECTS)
def test_never_a_5xx(running: Running, body: bytes) -> None:
    answer = running.post(body)
    assert answer.status in {201, 400}
    if answer.status == 400:
        assert set(answer.json()) == {"error_code", "error_msg"}
