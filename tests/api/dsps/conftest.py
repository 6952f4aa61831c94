import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from bridge import logs
from bridge.api.app import create_app
from bridge.api.dsps.dialect import Dsps
from bridge.api.dsps.settings import ChannelSettings
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from tests.api.client import Client
from tests.api.conftest import Readiness
from tests.api.dsps.memory import MemoryChannels, MemoryRevocations
from tests.api.memory import MemoryAccess, MemoryMessages, NoReplies
from tests.api.no_devices import NoDevices
from tests.api.no_rules import NoRules
from tests.store.clock import HandClock

StartServer = Callable[[ChannelSettings], AbstractAsyncContextManager[HttpServer]]


@pytest.fixture
def channels() -> MemoryChannels:
    return MemoryChannels()


@pytest.fixture
def revocations() -> MemoryRevocations:
    return MemoryRevocations()


@pytest.fixture
def start_server(
    channels: MemoryChannels,
    revocations: MemoryRevocations,
    ready: Readiness,
    settings: HttpSettings,
    clock: HandClock,
) -> StartServer:
    @contextlib.asynccontextmanager
    async def started(channel_settings: ChannelSettings) -> AsyncIterator[HttpServer]:
        app = create_app(
            messages=MemoryMessages(),
            replies=NoReplies(),
            devices=NoDevices(),
            rules=NoRules(),
            access=MemoryAccess(),
            ready=ready,
            settings=settings,
            max_ttl=1440,
            clock=clock,
            dsps=Dsps(channels, revocations, logs.set_level, channel_settings),
        )
        server = HttpServer(app, settings)
        await server.start()
        yield server
        ready.ready = False
        channels.close()
        await server.stop()

    return started


@pytest.fixture
async def server(start_server: StartServer) -> AsyncIterator[HttpServer]:
    async with start_server(ChannelSettings()) as server:
        yield server


@pytest.fixture
async def client(server: HttpServer) -> AsyncIterator[Client]:
    async with Client(server.address) as client:
        yield client
