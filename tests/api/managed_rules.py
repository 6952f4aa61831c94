"""Rules as the daemon manages them, on a database of their own."""

from pathlib import Path
from typing import Self

from bridge.model.clock import Clock
from bridge.rules import Rules
from bridge.store import Store
from tests.store.template import prepared, scratch


class ManagedRules:
    """`async with ManagedRules(clock) as managed`."""

    def __init__(self, clock: Clock) -> None:
        self._folder = scratch()
        self.store = Store.open(prepared(Path(self._folder.name) / "bridge.db"), clock=clock)
        self.rules = Rules(self.store)
        self.rules.start()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.rules.stop()
        await self.store.close()
        self._folder.cleanup()
