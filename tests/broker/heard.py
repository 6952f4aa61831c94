"""What the broker reports to delivery, as a test can wait for it."""

import asyncio
from typing import Any

from bridge.broker.base import DownlinkListener
from bridge.model.message import AcknowledgedBy
from tests.broker.times import comes


class Heard:
    """Passes everything on to delivery and remembers it."""

    def __init__(self, listener: DownlinkListener) -> None:
        self._listener = listener
        self._more = asyncio.Event()
        self.events: list[tuple[Any, ...]] = []
        """Name and arguments, in order; those that `wait` returned are taken out."""

    async def wait(self, *event: Any) -> tuple[Any, ...]:
        """The first event that begins like this, now or as soon as it comes."""
        while True:
            for index, heard in enumerate(self.events):
                if heard[: len(event)] == event:
                    return self.events.pop(index)
            self._more.clear()
            await comes(self._more)

    def _note(self, *event: Any) -> None:
        self.events.append(event)
        self._more.set()

    # DownlinkListener

    def connected(self, device: int) -> None:
        self._listener.connected(device)
        self._note("connected", device)

    def disconnected(self, device: int) -> None:
        self._listener.disconnected(device)
        self._note("disconnected", device)

    def subscribed(self, device: int) -> None:
        self._listener.subscribed(device)
        self._note("subscribed", device)

    def writable(self, device: int) -> None:
        self._listener.writable(device)
        self._note("writable", device)

    def is_wanted(self, device: int, seq: int) -> bool:
        return self._listener.is_wanted(device, seq)

    def acknowledged(self, device: int, seq: int, by: AcknowledgedBy, reason_code: int, reason: str | None) -> None:
        self._listener.acknowledged(device, seq, by, reason_code, reason)
        self._note("acknowledged", device, seq, by, reason_code, reason)
