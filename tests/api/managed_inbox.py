"""The inbox as the daemon manages it, on a database of its own, and who may use it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

from bridge.api.app import create_app
from bridge.api.server import HttpServer
from bridge.api.settings import HttpSettings
from bridge.inbox import Inbox, InboxSettings
from bridge.model.access_key import AccessKey
from bridge.model.clock import Clock
from bridge.model.principal import Principal
from bridge.store import Store
from tests.api.memory import PROJECT, MemoryAccess, MemoryMessages, NoReplies
from tests.api.no_devices import NoDevices
from tests.api.no_rules import NoRules
from tests.api.signing import AK, READER_AK, READER_SK, SK
from tests.store.template import prepared, scratch

BOTH = frozenset({"events:read", "events:write"})


class InboxAccess(MemoryAccess):
    tokens: ClassVar = {
        **MemoryAccess.tokens,
        "clerk": Principal("clerk", PROJECT, BOTH),
        "auditor": Principal("auditor", PROJECT, frozenset({"events:read"})),
        "outsider": Principal("outsider", "other", BOTH),
    }
    keys: ClassVar = {
        AK: AccessKey(AK, SK, "clerk", PROJECT, BOTH),
        READER_AK: AccessKey(READER_AK, READER_SK, "auditor", PROJECT, frozenset({"events:read"})),
    }


class ManagedInbox:
    """`async with ManagedInbox(clock) as managed`; or `start` and `close`, in a loop that is not running yet."""

    def __init__(self, clock: Clock, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._folder = scratch()
        self.store = Store.open(prepared(Path(self._folder.name) / "bridge.db"), clock=clock, loop=loop)
        self.inbox = Inbox(self.store, InboxSettings(), clock)

    async def __aenter__(self) -> "ManagedInbox":
        self.inbox.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.inbox.stop()
        await self.store.close()
        self._folder.cleanup()


@contextlib.asynccontextmanager
async def serving(managed: ManagedInbox, clock: Clock) -> AsyncIterator[HttpServer]:
    settings = HttpSettings(bind="127.0.0.1:0", shutdown_wait=1.0)
    app = create_app(
        messages=MemoryMessages(),
        replies=NoReplies(),
        devices=NoDevices(),
        rules=NoRules(),
        access=InboxAccess(),
        inbox=managed.inbox,
        ready=lambda: True,
        settings=settings,
        max_ttl=1440,
        clock=clock,
    )
    server = HttpServer(app, settings)
    await server.start()
    yield server
    await server.stop()
