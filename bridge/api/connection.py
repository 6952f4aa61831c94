"""What a handler that takes its time may know of the connection its request came on."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

from bridge.api.resource import Call

KEY = "bridge.connection"
"""Where the connection stands in the ASGI scope."""


class Connection(Protocol):
    is_gone: bool
    """The client has closed its side, which most do when they no longer want the answer. Some only say that they have
    no more to send, and still read it."""
    on_gone: Callable[[], None] | None
    """Called when that happens."""


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
