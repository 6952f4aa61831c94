"""A site with its registry, put together as the daemon does it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.registry.managed_site import ManagedSite

NewSite = Callable[[], Awaitable[ManagedSite]]


@pytest.fixture
async def new_site(tmp_path: Path) -> AsyncIterator[NewSite]:
    """`await new_site()`, as many as a test needs; all of them use the same database."""
    async with AsyncExitStack() as sites:

        async def open_site() -> ManagedSite:
            return await sites.enter_async_context(ManagedSite(tmp_path / "bridge.db"))

        yield open_site


@pytest.fixture
async def site(new_site: NewSite) -> ManagedSite:
    return await new_site()
