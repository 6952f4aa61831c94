"""A protocol that is the transport of another one: TLS, and WebSocket."""

import asyncio
from typing import Any


class Layer(asyncio.Protocol):
    """What a layer hands through to the transport below it. A subclass sets `_transport` in `connection_made`."""

    __slots__ = ("_closing", "_transport")

    def __init__(self) -> None:
        self._closing = False
        """The layer has said its last, whether the transport is closed yet or not."""
        self._transport: asyncio.Transport

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)
