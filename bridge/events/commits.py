"""Writes that somebody waits for."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from bridge.model.errors import BridgeError

T = TypeVar("T")


async def committed(write: Callable[[Callable[[T | BridgeError], None]], None], apply: Callable[[T], None]) -> T:
    """The result of `write(done)` after its commit. `apply(result)` is called with it first, in the order of the
    commits, also when nobody waits any more. Raises what the store answers, StoreUnavailable above all."""
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def done(result: T | BridgeError) -> None:
        if not isinstance(result, BridgeError):
            apply(result)
        if future.done():  # whoever waited is gone
            return
        if isinstance(result, BridgeError):
            future.set_exception(result)
        else:
            future.set_result(result)

    write(done)
    return await future
