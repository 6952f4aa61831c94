from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bridge.events import ChannelSettings
from bridge.inbox import InboxSettings
from tests.events.event_site import EventSite

NewSite = Callable[..., Awaitable[EventSite]]


@pytest.fixture
async def new_site(tmp_path: Path) -> AsyncIterator[NewSite]:
    """`await new_site(settings of channels)`, as many as a test needs."""
    async with AsyncExitStack() as sites:

        async def open_site(settings: ChannelSettings | None = None, **others: Any) -> EventSite:
            return await sites.enter_async_context(EventSite(tmp_path / "bridge.db", settings, **others))

        yield open_site


@pytest.fixture
async def site(new_site: NewSite) -> EventSite:
    return await new_site()


@pytest.fixture
async def entering_site(new_site: NewSite) -> EventSite:
    """One with an inbox."""
    return await new_site(inbox=InboxSettings())
