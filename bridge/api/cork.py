"""Head and body of an answer leave in one piece: one system call, one packet, one wake-up of the client."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from bridge.turn import Turn

Cork: TypeAlias = Turn["CorkedTransport"]


class CorkedTransport:
    """A transport whose writes wait for the end of the turn; everything else is the transport's own.

    `hang_up`: what `close` does, once, after everything was written. Nothing can be written from then on.
    """

    __slots__ = ("_chunks", "_closing", "_cork", "_hang_up", "_transport")

    def __init__(self, transport: asyncio.Transport, cork: Cork, hang_up: Callable[[], None]) -> None:
        self._transport = transport
        self._cork = cork
        self._hang_up = hang_up
        self._chunks: list[bytes] = []
        self._closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._closing:
            return
        if not self._chunks:
            self._cork.add(self)
        self._chunks.append(data)

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        if self._closing:
            return
        self.flush()
        self._closing = True
        if not self._transport.is_closing():
            self._hang_up()

    def close_at_once(self) -> None:
        """The transport's own `close`: what was written still leaves, what is not read yet makes it a reset."""
        self.flush()
        self._closing = True
        self._transport.close()

    def release(self) -> None:
        """The connection is lost. Nothing is left that refers to its protocol, which would keep both in memory until
        somebody looks for cycles."""
        self._closing = True
        self._hang_up = _nothing

    def flush(self) -> None:
        chunks, self._chunks = self._chunks, []
        if chunks and not self._closing and not self._transport.is_closing():
            self._transport.write(b"".join(chunks))


def _nothing() -> None:
    pass


def new_cork() -> Cork:
    return Turn(CorkedTransport.flush)
