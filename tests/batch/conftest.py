from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bridge.batch import BatchSettings
from bridge.delivery import DeliverySettings
from tests.batch.batch_site import BatchSite

NewSite = Callable[..., Awaitable[BatchSite]]


@pytest.fixture
async def new_site(tmp_path: Path) -> AsyncIterator[NewSite]:
    """`await new_site(settings of batch, settings of delivery)`."""
    async with AsyncExitStack() as sites:

        async def open_site(batch: BatchSettings | None = None, delivery: DeliverySettings | None = None) -> BatchSite:
            return await sites.enter_async_context(BatchSite(tmp_path / "bridge.db", None, delivery, batch))

        yield open_site


@pytest.fixture
async def site(new_site: NewSite) -> BatchSite:
    return await new_site()
