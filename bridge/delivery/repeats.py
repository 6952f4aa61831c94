"""Requests that their sender may repeat: each is carried out once.

The first request with a key stores the key in the transaction of its message, so that neither can exist without the
other. While it runs, its repeats wait for its answer and get the same. Later they are answered from the message, whose
state may have gone on meanwhile. A request that was refused leaves nothing behind, and may be tried again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from bridge.delivery.base import MessageStore
from bridge.model.clock import Timekeeper
from bridge.model.errors import BridgeError, KeyReused, RepeatedTooLate, UnknownMessage
from bridge.model.message import Draft, Message
from bridge.model.once import REMEMBERED, Once, Remembered

Answer: TypeAlias = "asyncio.Future[Message | BridgeError]"
Begin: TypeAlias = Callable[[Draft, Once, Callable[[Message | BridgeError], None]], None]
"""Accepts a message for the device in question; see `Delivery.begin`."""
Find: TypeAlias = Callable[[str], Message]
"""A message of the device in question by its id. Raises UnknownMessage."""


@dataclass(slots=True)
class _Running:
    digest: bytes
    waiting: list[Answer] = field(default_factory=list)


class Repeats:
    """Complete as long as one daemon alone writes the store: its folder is locked."""

    def __init__(self, store: MessageStore, time: Timekeeper) -> None:
        self._store = store
        self._time = time
        self._running: dict[tuple[int, str], _Running] = {}

    async def submit(self, device: int, once: Once, draft: Callable[[], Draft], begin: Begin, find: Find) -> Message:
        """`draft()` is asked for only if the request is new: what it refuses may have been right at the first time.

        Raises KeyReused, RepeatedTooLate, and what `draft` and `begin` raise.
        """
        running = self._running.get((device, once.key))
        if running is None:
            known = self._store.remembered(device, once.key, self._time.now_within(REMEMBERED))
            if known is not None:
                _check_same(once, known.digest)
                return _again(known, find)
            running = self._begin(device, once, draft(), begin)
        _check_same(once, running.digest)
        answer: Answer = asyncio.get_running_loop().create_future()
        running.waiting.append(answer)
        message = await answer
        if isinstance(message, BridgeError):
            raise message
        return message

    def _begin(self, device: int, once: Once, draft: Draft, begin: Begin) -> _Running:
        place = (device, once.key)
        running = _Running(once.digest)

        def done(result: Message | BridgeError) -> None:
            del self._running[place]
            for answer in running.waiting:
                if not answer.done():  # whoever waited is gone
                    answer.set_result(result)

        begin(draft, once, done)
        self._running[place] = running
        return running


def _check_same(once: Once, digest: bytes) -> None:
    if once.digest != digest:
        raise KeyReused("another request came with this key")


def _again(known: Remembered, find: Find) -> Message:
    """The message as it is now. Its id may belong to another one by now, and so may its seq after a restart."""
    try:
        message = find(known.message_id)
    except UnknownMessage:
        raise RepeatedTooLate from None
    if (message.seq, message.created_at) != (known.seq, known.created_at):
        raise RepeatedTooLate
    return message
