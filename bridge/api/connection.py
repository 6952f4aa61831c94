"""What a handler that takes its time may know of the connection its request came on."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol, TypeVar

from bridge.api.resource import Call

T = TypeVar("T")

KEY = "bridge.connection"
"""Where the connection stands in the ASGI scope."""


class Connection(Protocol):
    is_gone: bool
    """The client has closed its side, which most do when they no longer want the answer. Some only say that they have
    no more to send, and still read it."""
    on_gone: Callable[[], None] | None
    """Called when that happens."""


class Gone(Exception):
    """The client has closed its side."""


async def while_connected(call: Call, waiting: Awaitable[T]) -> T:
    """What `waiting` returns, as long as the client is there. Error: Gone, and `waiting` is cancelled.

    Costs no task: thousands wait here.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("only a task can be cancelled")
    gone = False

    def leave() -> None:
        nonlocal gone
        gone = True
        task.cancel()

    with leaving(call, leave):
        try:
            return await waiting
        except asyncio.CancelledError:
            if gone and not task.uncancel():
                raise Gone from None
            raise


@contextlib.contextmanager
def leaving(call: Call, leave: Callable[[], None]) -> Iterator[None]:
    """`leave` is called, once, if the client closes its side meanwhile, or has done so before."""
    connection: Connection = call.scope[KEY]
    if connection.is_gone:
        leave()
    connection.on_gone = leave
    try:
        yield
    finally:
        connection.on_gone = None
