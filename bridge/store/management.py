"""Administration that the daemon does for others: away from the event loop, because a change waits for its turn and for
the disk, and one that removes a device with all its messages takes a while."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bridge.model.errors import StoreUnavailable
from bridge.store.admin import Admin

T = TypeVar("T")


class Management:
    """One thread with a connection of its own: what is asked for is done in order, also when nobody waits for it."""

    def __init__(self, admin: Admin, loop: asyncio.AbstractEventLoop) -> None:
        self._admin = admin
        self._loop = loop
        self._thread = ThreadPoolExecutor(1, "store-management")

    async def run(self, action: Callable[[Admin], T]) -> T:
        """What `action` returns or raises. Raises StoreUnavailable."""
        try:
            done = self._loop.run_in_executor(self._thread, action, self._admin)
        except RuntimeError as error:  # the thread takes no more
            raise StoreUnavailable("the store is closed") from error
        return await done

    async def close(self) -> None:
        """Finishes what was asked for; more is refused."""
        await asyncio.to_thread(self._thread.shutdown)
        self._admin.close()
