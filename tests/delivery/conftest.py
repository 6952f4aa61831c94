from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bridge.broker import MqttSettings
from bridge.delivery import DeliverySettings
from tests.broker.site import Site

NewSite = Callable[..., Awaitable[Site]]


@pytest.fixture
async def new_site(tmp_path: Path) -> AsyncIterator[NewSite]:
    """`await new_site(settings of mqtt, settings of delivery)`, as many as a test needs."""
    async with AsyncExitStack() as sites:

        async def open_site(settings: MqttSettings | None = None, delivery: DeliverySettings | None = None) -> Site:
            return await sites.enter_async_context(Site(tmp_path / "bridge.db", settings, delivery))

        yield open_site


@pytest.fixture
async def site(new_site: NewSite) -> Site:
    return await new_site()
