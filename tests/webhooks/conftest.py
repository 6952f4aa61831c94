from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.webhooks.push_site import PushSite
from tests.webhooks.receiver import Receiver

NewSite = Callable[..., Awaitable[PushSite]]


@pytest.fixture
async def new_site(tmp_path: Path) -> AsyncIterator[NewSite]:
    """`await new_site(settings)`."""
    async with AsyncExitStack() as sites:

        async def open_site(**settings: Any) -> PushSite:
            return await sites.enter_async_context(PushSite(tmp_path / "bridge.db", **settings))

        yield open_site


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver
