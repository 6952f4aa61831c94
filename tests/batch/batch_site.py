"""Store, broker and delivery with the batch tasks on top, put together as the daemon does it, without HTTP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bridge.batch import Batches, BatchSettings
from bridge.broker import MqttSettings
from bridge.delivery import DeliverySettings
from bridge.model.batch import (
    ENDED,
    Document,
    Policy,
    Target,
    TargetSearch,
    TargetStatus,
    Task,
    TaskOrder,
    TaskStatus,
)
from bridge.model.device import DEFAULT_PROJECT, Device
from tests.broker.site import Site, draft

ROUNDS = 400
STEP = 0.05
"""Seconds of both clocks; ROUNDS of them are enough for all that is not waited for on purpose."""


def order(*targets: str, policy: Policy | None = None, suffix: str | None = None, **fields: Any) -> TaskOrder:
    """`fields` of the draft; without a `message_id` each target has its own."""
    message_id = fields.pop("message_id", "")
    template = draft("x", **fields)
    template.message_id = message_id
    return TaskOrder("tell-everybody", targets, Document(template, suffix), policy or Policy())


class BatchSite(Site):
    """`async with BatchSite(path) as site`."""

    def __init__(
        self,
        path: Path,
        settings: MqttSettings | None = None,
        delivery: DeliverySettings | None = None,
        batch: BatchSettings | None = None,
    ) -> None:
        super().__init__(path, settings, delivery)
        self._batch = batch or BatchSettings()
        self.batches: Batches

    async def _start(self) -> None:
        await super()._start()
        self.batches = Batches(self.store, self.delivery, self._batch, self.clock)
        await self.batches.start()

    async def stop(self) -> None:
        await self.batches.stop()
        await super().stop()

    def add_devices(self, count: int) -> list[Device]:
        return [self.add_device(f"pump-{number}") for number in range(1, count + 1)]

    async def create(self, targets: Sequence[str | Device], **options: Any) -> int:
        """The key of the new task."""
        names = [target if isinstance(target, str) else target.device_id for target in targets]
        return (await self.batches.create(DEFAULT_PROJECT, order(*names, **options))).key

    async def task(self, key: int) -> Task:
        return await self.batches.show(DEFAULT_PROJECT, key)

    async def targets(self, key: int) -> list[Target]:
        """In the order in which they were named."""
        details = await self.batches.details(DEFAULT_PROJECT, key, TargetSearch(1000))
        return details.targets[::-1]

    async def states(self, key: int) -> list[TargetStatus]:
        return [target.status for target in await self.targets(key)]

    async def until_states(self, key: int, *states: TargetStatus) -> None:
        """Time passes until the targets are in these states."""
        for _ in range(ROUNDS):
            if await self.states(key) == list(states):
                return
            await self.let_pass(STEP)
            await self.store.flush()
        raise AssertionError(f"still {await self.states(key)}")

    async def until_attempts(self, key: int, attempts: int) -> None:
        """Time passes until the first target was sent that many messages."""
        for _ in range(ROUNDS):
            if (await self.targets(key))[0].attempts == attempts:
                return
            await self.let_pass(STEP)
            await self.store.flush()
        raise AssertionError(f"still {await self.targets(key)}")

    async def until(self, key: int, *states: TaskStatus) -> TaskStatus:
        """Time passes until the task is in one of these states; without any, until it has ended."""
        for _ in range(ROUNDS):
            status = (await self.task(key)).status
            if status in (states or ENDED):
                return status
            await self.let_pass(STEP)
            await self.store.flush()
        raise AssertionError(f"still {status}")

    def message_ids(self, device: Device) -> list[str]:
        """Of all messages it has, oldest first."""
        return [message.draft.message_id for message in self.store.messages(device.key, limit=100)][::-1]
