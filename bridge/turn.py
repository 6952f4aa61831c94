"""One turn of the event loop: what comes in it is collected, and handled in one go at its end.

uvloop takes and gives back the interpreter lock around each of its callbacks, and the store's thread waits for it: with
a few hundred callbacks a turn, each doing a little work, the two keep waking each other. Work that is done in one
callback is not interrupted, and what it writes for one client leaves in one piece.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Turn(Generic[T]):
    """Collects items and calls `handle` with each of them, in order. Belongs to the running loop."""

    def __init__(self, handle: Callable[[T], None], *, at_most: int = 0) -> None:
        """`at_most`: the sum of sizes from which on the turn is not waited for; 0 for no limit."""
        self._handle = handle
        self._at_most = at_most
        self._size = 0
        self._items: list[T] = []

    def add(self, item: T, size: int = 0) -> None:
        if not self._items:
            asyncio.get_running_loop().call_soon(self.run)
        self._items.append(item)
        self._size += size
        if self._at_most and self._size > self._at_most:
            self.run()

    def run(self) -> None:
        """Handle now what is there."""
        items, self._items, self._size = self._items, [], 0
        for item in items:
            try:
                self._handle(item)
            except Exception as error:  # a defect with one must not keep the others from their turn
                # without the item: what a client sends may hold its password
                context = {"message": "what came in a turn of the loop could not be handled", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
