"""A server for tests that Hypothesis repeats: it lives in an event loop of its own, as long as the module."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from bridge.api.app import create_app
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from tests.api.client import Answer, Client
from tests.api.memory import NOW, MemoryAccess, MemoryMessages
from tests.api.no_devices import NoDevices
from tests.api.no_rules import NoRules
from tests.store.clock import HandClock


class Running:
    """`with Running.started() as running`."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        settings = HttpSettings(bind="127.0.0.1:0", max_failed_logins=1_000_000)
        app = create_app(
            messages=MemoryMessages(),
            devices=NoDevices(),
            rules=NoRules(),
            access=MemoryAccess(),
            ready=lambda: True,
            settings=settings,
            max_ttl=1440,
            clock=HandClock(NOW),
        )
        self.server = HttpServer(app, settings)

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        running = cls()
        running.loop.run_until_complete(running.server.start())
        yield running
        running.loop.run_until_complete(running.server.stop())
        running.loop.close()

    def post(self, body: bytes) -> Answer:
        """The answer to CreateMessage; afterwards the connection has to work as before."""
        return self.loop.run_until_complete(self._post(body))

    def exchange(self, data: bytes) -> Answer:
        """The answer to these bytes."""
        return self.loop.run_until_complete(self._exchange(data))

    async def _post(self, body: bytes) -> Answer:
        async with Client(self.server.address) as client:
            answer = await client.post(body)
            assert (await client.get("/healthz")).status == 200
            return answer

    async def _exchange(self, data: bytes) -> Answer:
        async with Client(self.server.address) as client:
            return await client.exchange(data)
