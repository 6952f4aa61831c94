"""Devices as the daemon manages them, on a database of their own, with connections in the hands of a test."""

import asyncio
from pathlib import Path
from typing import Self

from bridge.model.clock import Clock
from bridge.registry import Presence, Registry
from bridge.store import Store
from tests.store.template import prepared, scratch


class Lines:
    """The connections of a broker."""

    def __init__(self) -> None:
        self.up: set[int] = set()

    def connected(self, device: int) -> bool:
        return device in self.up

    def disconnect(self, device: int) -> None:
        self.up.discard(device)


class ManagedDevices:
    """`async with ManagedDevices(clock) as managed`; or `start` and `close`, in a loop that is not running yet."""

    def __init__(self, clock: Clock, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.lines = Lines()
        self._folder = scratch()
        self.store = Store.open(prepared(Path(self._folder.name) / "bridge.db"), clock=clock, loop=loop)
        self.presence = Presence(self.store, clock)
        self.registry = Registry(self.store, self.lines, self.presence)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.presence.stop()
        await self.store.close()
        self._folder.cleanup()

    def connect(self, project: str, device_id: str) -> None:
        key = self.registry.show(project, device_id).device.key
        self.lines.up.add(key)
        self.presence.connected(key)
