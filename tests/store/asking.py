"""The writes of a store as futures, and messages to write."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bridge.delivery.base import MessageStore
from bridge.model.errors import BridgeError
from bridge.model.message import AcknowledgedBy, Draft, Failure, Message, Outcome, Status
from bridge.model.once import Once

T = TypeVar("T")
NOW = 1_700_000_000_000
DELIVERED = Outcome(Status.DELIVERED, NOW + 5, AcknowledgedBy.DEVICE)
FAILED = Outcome(Status.FAILED, NOW + 6, failure=Failure.OFFLINE, detail="the device is offline")
TIMEOUT = Outcome(Status.TIMEOUT, NOW + 7)


def a_message(
    device: int, message_id: str = "m1", *, content: str = '"hello"', ttl: int = 5, send_at: int | None = None
) -> Message:
    return Message(device, Draft(message_id, content, ttl, send_at=send_at), NOW, (send_at or NOW) + ttl * 60_000)


def add(store: MessageStore, message: Message, once: Once | None = None) -> asyncio.Future[BridgeError | None]:
    future, done = _asked()
    store.add(message, done, once=once)
    return future


def release(store: MessageStore, now: int, limit: int = 10) -> asyncio.Future[Sequence[tuple[int, int]] | BridgeError]:
    future, done = _asked()
    store.release(now, limit, done)
    return future


def finish(store: MessageStore, seq: int, outcome: Outcome = DELIVERED) -> asyncio.Future[bool | BridgeError]:
    future, done = _asked()
    store.finish(seq, outcome, done)
    return future


def remove(store: MessageStore, seq: int) -> asyncio.Future[Status | BridgeError | None]:
    future, done = _asked()
    store.remove(seq, done)
    return future


def fail_uncached(store: MessageStore, outcome: Outcome = FAILED) -> asyncio.Future[int | BridgeError]:
    future, done = _asked()
    store.fail_uncached(outcome, done)
    return future


async def added(store: MessageStore, device: int, *message_ids: str, ttl: int = 5) -> list[Message]:
    """Adds them in one turn of the loop, and insists that they are in."""
    messages = [a_message(device, message_id, ttl=ttl) for message_id in message_ids]
    assert await asyncio.gather(*(add(store, message) for message in messages)) == [None] * len(messages)
    return messages


def ids(messages: list[Message]) -> list[str]:
    return [message.draft.message_id for message in messages]


def _asked() -> tuple[asyncio.Future[Any], Callable[[Any], None]]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    return future, future.set_result
