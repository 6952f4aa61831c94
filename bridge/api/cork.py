"""Head and body of an answer leave in one piece: one system call, one packet, one wake-up of the client."""

import asyncio
from typing import Any, TypeAlias

from bridge.turn import Turn

Cork: TypeAlias = Turn["CorkedTransport"]


class CorkedTransport:
    """A transport whose writes wait for the end of the turn; everything else is the transport's own."""

    __slots__ = ("_chunks", "_cork", "_transport")

    def __init__(self, transport: asyncio.Transport, cork: Cork) -> None:
        self._transport = transport
        self._cork = cork
        self._chunks: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._chunks:
            self._cork.add(self)
        self._chunks.append(data)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        chunks, self._chunks = self._chunks, []
        if chunks and not self._transport.is_closing():
            self._transport.write(b"".join(chunks))


def new_cork() -> Cork:
    return Turn(CorkedTransport.flush)
