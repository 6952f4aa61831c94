from collections.abc import AsyncIterator

import pytest

from bridge import logs
from bridge.api.app import Api, create_app
from bridge.api.base import Devices, Pushes, Rules
from bridge.api.dsps.dialect import Dsps
from bridge.api.dsps.settings import ChannelSettings
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from tests.api.client import Client
from tests.api.dsps.memory import MemoryChannels, MemoryRevocations
from tests.api.memory import NOW, MemoryAccess, MemoryMessages, NoReplies
from tests.api.no_batches import NoBatches, NoBroadcasts
from tests.api.no_devices import NoDevices
from tests.api.no_inbox import NoInbox
from tests.api.no_rules import NoRules
from tests.store.clock import HandClock


class Readiness:
    def __init__(self) -> None:
        self.ready = True
        self.refusal: str | None = None
        self.fails: Exception | None = None

    def __call__(self) -> bool:
        if self.fails is not None:
            raise self.fails
        return self.ready


@pytest.fixture
def settings() -> HttpSettings:
    return HttpSettings(bind="127.0.0.1:0", shutdown_wait=1.0)


@pytest.fixture
def messages() -> MemoryMessages:
    return MemoryMessages()


@pytest.fixture
def clock() -> HandClock:
    return HandClock(NOW)


@pytest.fixture
def ready() -> Readiness:
    return Readiness()


@pytest.fixture
def devices() -> Devices:
    return NoDevices()


@pytest.fixture
def rules() -> Rules:
    return NoRules()


@pytest.fixture
def pushes() -> Pushes | None:
    return None


@pytest.fixture
def app(
    messages: MemoryMessages,
    devices: Devices,
    rules: Rules,
    pushes: Pushes | None,
    ready: Readiness,
    settings: HttpSettings,
    clock: HandClock,
) -> Api:
    return create_app(
        messages=messages,
        replies=NoReplies(),
        devices=devices,
        rules=rules,
        access=MemoryAccess(),
        ready=ready,
        settings=settings,
        max_ttl=1440,
        clock=clock,
        inbox=NoInbox(),
        dsps=Dsps(MemoryChannels(), MemoryRevocations(), logs.set_level, ChannelSettings()),
        pushes=pushes,
        batches=NoBatches(),
        broadcasts=NoBroadcasts(),
        refusal=lambda: ready.refusal,
    )


@pytest.fixture
async def server(app: Api, settings: HttpSettings) -> AsyncIterator[HttpServer]:
    server = HttpServer(app, settings)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: HttpServer) -> AsyncIterator[Client]:
    async with Client(server.address) as client:
        yield client
