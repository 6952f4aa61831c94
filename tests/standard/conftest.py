from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bridge.mqtt import Version
from tests.broker.site import Site, mqtt
from tests.standard.names import named
from tests.standard.peer import Server
from tests.store.template import scratch

NewServer = Callable[..., Awaitable[Server]]
_PREFIXES = {Version.V311: "MQTT3-", Version.V5: "MQTT-"}


def _proven(item: pytest.Item) -> set[str]:
    statements = {statement for mark in item.iter_markers("proves") for statement in mark.args}
    if name := named(getattr(item, "originalname", item.name)):
        statements.add(name)
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    version = parameters.get("version")
    prefix = _PREFIXES.get(version, "MQTT") if isinstance(version, Version) else "MQTT"
    return {each for each in statements if each.startswith(prefix)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.extra_keyword_matches.update(_proven(item))


@pytest.fixture
async def new_server() -> AsyncIterator[NewServer]:
    """`await new_server(**settings of mqtt)`."""
    async with AsyncExitStack() as sites:

        async def start(**settings: Any) -> Server:
            site = Site(
                Path(sites.enter_context(scratch())) / "bridge.db", mqtt(**{"allow_anonymous": True, **settings})
            )
            return Server(await sites.enter_async_context(site))

        yield start


@pytest.fixture
async def server(new_server: NewServer) -> Server:
    """A broker for clients without a name and a password."""
    return await new_server()
