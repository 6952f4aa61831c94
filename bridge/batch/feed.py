"""From targets that wait to messages: at a measured pace, in turns between tasks, each message with its claim.

A message and its claim are stored in one transaction, so a target has a message if and only if it does not wait:
however often the daemon dies, nobody is sent two, and nobody is left out.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial

from bridge.batch.base import BatchStore, Carrier
from bridge.batch.run import Run
from bridge.model.batch import Claim, Obstacle, Waiting, message_id_of
from bridge.model.clock import Clock
from bridge.model.errors import (
    BridgeError,
    DuplicateMessage,
    QueueFull,
    StoreUnavailable,
    UnknownDevice,
    UnknownMessage,
    Withdrawn,
)
from bridge.model.message import Status

_log = logging.getLogger(__name__)
_PAGE = 1000
"""Targets read at once."""
_MOST_UNCOMMITTED = 256
"""Messages on their way to the disk: what a batch can put before somebody else's message."""
_BURST = 0.02
"""Seconds whose worth of messages may be sent at once."""
_PAUSE = 1.0
"""Seconds until the store is tried again."""


class Feed:
    def __init__(self, store: BatchStore, carrier: Carrier, steady: Clock, rate: int) -> None:
        """`rate`: messages a second."""
        self._store = store
        self._carrier = carrier
        self._steady = steady
        self._rate = rate
        self._allowance = 0.0
        self._counted_at = asyncio.get_running_loop().time()
        self._not_before = 0.0
        self._uncommitted = 0
        self._turns = 0
        self._refused: list[tuple[Run, tuple[int, int, Obstacle]]] = []

    async def turn(self, runs: Iterable[Run]) -> bool:
        """Send what may be sent now. True: there is more. Raises StoreUnavailable."""
        settled = await self._refuse()
        hungry = deque(run for run in runs if run.hungry)
        self._turns += 1
        hungry.rotate(self._turns)  # or the first would always be served when there is room for one
        room = min(self._allowed(), _MOST_UNCOMMITTED - self._uncommitted)
        for left, run in zip(range(len(hungry), 0, -1), hungry, strict=True):
            room -= await self._serve(run, -(-room // left)) if room > 0 else 0
        return settled or bool(self._refused) or any(run.hungry for run in hungry)

    async def withdraw(self, run: Run, targets: Sequence[Waiting]) -> None:
        """Cancel the messages of these targets that are PENDING. Raises StoreUnavailable."""
        await self._store.mark_stopping(run.key, [target.number for target in targets])
        given = self._store.batch_document(run.key).draft.message_id
        ids = [given or message_id_of(run.key, target.number, target.attempts) for target in targets]
        await asyncio.gather(
            *(
                self._forget(run.project, target, message_id, only=Status.PENDING)
                for target, message_id in zip(targets, ids, strict=True)
            )
        )

    def _allowed(self) -> int:
        """How many messages the pace has room for, after the time that has passed."""
        now = asyncio.get_running_loop().time()
        most = max(1.0, self._rate * _BURST)
        self._allowance = min(most, self._allowance + (now - self._counted_at) * self._rate)
        self._counted_at = now
        return int(self._allowance) if now >= self._not_before else 0

    async def _serve(self, run: Run, most: int) -> int:
        """Returns how many messages were sent."""
        if not run.queue:
            if run.uncommitted:
                return 0
            run.queue.extend(self._store.waiting_targets(run.key, _PAGE))
        if not run.queue:
            run.fed, run.document = True, None
            return 0
        if run.document is None:
            run.document = self._store.batch_document(run.key)
        document = run.document
        targets = [run.queue.popleft() for _ in range(min(most, len(run.queue)))]
        if given := document.draft.message_id:  # another attempt takes the place of the one before
            sent_before = [target for target in targets if target.seq is not None]
            await asyncio.gather(*(self._forget(run.project, target, given) for target in sent_before))
        for target in targets:
            message_id = given or message_id_of(run.key, target.number, target.attempts + 1)
            draft = document.draft_for(message_id)
            done = partial(self._carried, run, target)
            run.uncommitted += 1
            self._uncommitted += 1
            try:
                self._carrier.carry(run.project, target.device_id, draft, Claim(run.key, target.number), done)
            except BridgeError as error:
                done(error)
        self._allowance -= len(targets)
        return len(targets)

    def _carried(self, run: Run, target: Waiting, error: BridgeError | None) -> None:
        reason = _obstacle(error)
        if reason is not None:
            self._refused.append((run, (run.key, target.number, reason)))
            return
        if isinstance(error, StoreUnavailable):  # it waits still, and will be read again
            _log.debug("batch task cannot go on", extra={"task": run.key, "error": str(error)})
            self._not_before = asyncio.get_running_loop().time() + _PAUSE
        self._landed(run)

    def _landed(self, run: Run) -> None:
        run.uncommitted -= 1
        self._uncommitted -= 1

    async def _refuse(self) -> bool:
        """Write down who cannot be sent a message. Returns whether there was somebody."""
        refused = list(self._refused)
        if refused:
            await self._store.refuse_targets([row for _, row in refused], self._steady())
            del self._refused[: len(refused)]
            for run, _ in refused:
                self._landed(run)
        return bool(refused)

    async def _forget(self, project: str, target: Waiting, message_id: str, only: Status | None = None) -> None:
        """Remove the target's own message; none that somebody else has given the same id."""
        try:
            message = self._carrier.message(project, target.device_id, message_id)
            if message.seq == target.seq and only in {None, message.status}:
                await self._carrier.cancel(project, target.device_id, message_id)
        except (UnknownDevice, UnknownMessage):
            return


def _obstacle(error: BridgeError | None) -> Obstacle | None:
    """What to write down; None when there is nothing to: it was sent, or is not to be, or is tried again."""
    match error:
        case None | Withdrawn() | StoreUnavailable():
            return None
        case UnknownDevice():
            return Obstacle.UNKNOWN_DEVICE
        case DuplicateMessage():
            return Obstacle.DUPLICATE_MESSAGE
        case QueueFull():
            return Obstacle.QUEUE_FULL
    raise error
