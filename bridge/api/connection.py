"""What a handler that takes its time may know of the connection its request came on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from bridge.api.resource import Call

T = TypeVar("T")

KEY = "bridge.connection"
"""Where the connection stands in the ASGI scope."""


class Connection(Protocol):
    on_gone: Callable[[], None] | None
    """Called when the client has closed its side, which most do when they no longer want the answer."""


class Gone(Exception):
    """The client has closed its side. Some only say that they have no more to send, and still read the answer."""


async def while_connected(call: Call, waiting: Awaitable[T]) -> T:
    """What `waiting` returns, as long as the client is there. Error: Gone, and `waiting` is cancelled.

    Costs no task: thousands wait here.
    """
    connection: Connection = call.scope[KEY]
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("only a task can be cancelled")
    gone = False

    def leave() -> None:
        nonlocal gone
        gone = True
        task.cancel()

    connection.on_gone = leave
    try:
        return await waiting
    except asyncio.CancelledError:
        if gone and not task.uncancel():
            raise Gone from None
        raise
    finally:
        connection.on_gone = None
