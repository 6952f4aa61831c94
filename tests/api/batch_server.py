"""Batch tasks and broadcasts over a real connection, with the real store, broker and delivery behind them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.api.app import create_app
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from bridge.batch import BatchSettings
from bridge.model.clock import Clock
from bridge.model.device import Device
from tests.api.memory import PROJECT, MemoryAccess, NoReplies
from tests.api.no_devices import NoDevices
from tests.api.no_rules import NoRules
from tests.batch.batch_site import BatchSite


class ApiSite(BatchSite):
    """`async with ApiSite.served(path) as site`. Its devices are in the project of the tokens."""

    server: HttpServer

    @classmethod
    @asynccontextmanager
    async def served(cls, path: Path, clock: Clock | None = None) -> AsyncIterator["ApiSite"]:
        """`clock`: of the HTTP side alone."""
        settings = HttpSettings(bind="127.0.0.1:0", shutdown_wait=1.0)
        async with cls(path, batch=BatchSettings(max_open=5)) as site:
            app = create_app(
                messages=site.delivery,
                replies=NoReplies(),
                devices=NoDevices(),
                rules=NoRules(),
                access=MemoryAccess(),
                ready=lambda: True,
                settings=settings,
                max_ttl=1440,
                clock=clock or site.clock,
                batches=site.batches,
                broadcasts=site.hub,
            )
            site.server = HttpServer(app, settings)
            await site.server.start()
            try:
                yield site
            finally:
                await site.server.stop()

    def add_device(self, device_id: str = "pump-1", project: str = PROJECT) -> Device:
        return super().add_device(device_id, project)
