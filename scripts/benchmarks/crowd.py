"""Many devices, and whether they received what they should."""

import asyncio
import contextlib

from bridge.model.topics import user_topic
from bridge.values import split_address
from scripts.benchmarks.device import Device
from scripts.benchmarks.plan import device_name

PATIENCE = 30.0
"""Seconds to wait for what has to come."""
AT_ONCE = 200
"""Connections that are opened at the same time."""


class Crowd:
    def __init__(self, count: int, mqtt: str, *, subscribe: bool) -> None:
        self._address = split_address(mqtt)
        self._changed = asyncio.Event()
        self._awaited = 0
        self.received = 0
        self.devices = [self._device(device_name(index), subscribe) for index in range(count)]

    def _device(self, name: str, subscribe: bool) -> Device:
        return Device(name, user_topic(name, "#") if subscribe else "", self._took)

    async def connect(self) -> None:
        """Returns when all are connected and subscribed. Raises OSError."""
        for start in range(0, len(self.devices), AT_ONCE):
            await asyncio.gather(*map(self._connect, self.devices[start : start + AT_ONCE]))

    async def _connect(self, device: Device) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: device, *self._address)
        await asyncio.wait_for(device.ready, PATIENCE)

    async def wait(self, count: int) -> None:
        """Until `count` messages have come, or for as long as patience lasts."""
        self._awaited = count
        if self.received < count:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), PATIENCE)

    def problems(self, sent: dict[str, int]) -> tuple[str, ...]:
        """What is wrong, given how many messages each device was sent."""
        lost = sum(max(0, sent[device.name] - device.received) for device in self.devices)
        more = sum(max(0, device.received - sent[device.name]) for device in self.devices)
        wrong = sum(device.wrong for device in self.devices)
        resent = sum(device.resent for device in self.devices)
        found = {"not received": lost, "received too often": more, "out of order": wrong, "resent": resent}
        return tuple(f"{number} messages {what}" for what, number in found.items() if number)

    def close(self) -> None:
        for device in self.devices:
            device.close()

    def _took(self, count: int) -> None:
        self.received += count
        if self._awaited and self.received >= self._awaited:
            self._changed.set()
