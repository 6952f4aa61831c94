"""The smallest core that satisfies `bridge.api.base`: what a handler asks for comes back, or the error a test wants."""

import asyncio
import itertools
from collections.abc import Callable
from typing import ClassVar

from bridge.api.base import Waiting
from bridge.model.access_key import AccessKey
from bridge.model.errors import BridgeError, DuplicateMessage, KeyReused, UnknownDevice, UnknownMessage
from bridge.model.inquiry import Inquiry, Page
from bridge.model.message import Draft, Message, Outcome, Status
from bridge.model.once import Once
from bridge.model.principal import Principal
from tests.api.signing import AK, MANAGER_AK, PUSHER_AK, READER_AK, READER_SK, SK, STRANGER_AK

DEVICE = "lamp-1"
PROJECT = "plant"
NOW = 1_776_675_755_123
"""20260420T090235Z and 123 ms."""


class MemoryMessages:
    def __init__(self) -> None:
        self.stored: dict[str, Message] = {}
        self.fails: Exception | None = None
        self.outcome: Outcome | None = None
        self.entered = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.once: dict[str, tuple[Once, Message]] = {}
        self._seq = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []

    async def submit(self, project: str, device_id: str, draft: Draft) -> Message:
        self._check(project, device_id)
        if draft.message_id in self.stored:
            raise DuplicateMessage
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        message = Message(1, draft, NOW, NOW + draft.ttl * 60_000, next(self._seq), self.outcome)
        self.stored[draft.message_id] = message
        return message

    async def submit_once(self, project: str, device_id: str, once: Once, draft: Callable[[], Draft]) -> Message:
        self._check(project, device_id)
        if once.key not in self.once:
            self.once[once.key] = (once, await self.submit(project, device_id, draft()))
        known, message = self.once[once.key]
        if known != once:
            raise KeyReused
        return message

    def begin(self, project: str, device_id: str, draft: Draft, done: Callable[[Message | BridgeError], None]) -> None:
        self._check(project, device_id)
        self._tasks.append(asyncio.create_task(self._submit(project, device_id, draft, done)))

    async def _submit(
        self, project: str, device_id: str, draft: Draft, done: Callable[[Message | BridgeError], None]
    ) -> None:
        try:
            done(await self.submit(project, device_id, draft))
        except BridgeError as error:
            done(error)

    def message(self, project: str, device_id: str, message_id: str) -> Message:
        self._check(project, device_id)
        if message_id not in self.stored:
            raise UnknownMessage
        return self.stored[message_id]

    def place(self, project: str, device_id: str, message_id: str) -> int:
        return self.message(project, device_id, message_id).seq

    def messages(
        self, project: str, device_id: str, *, limit: int, before: int | None, status: Status | None
    ) -> list[Message]:
        self._check(project, device_id)
        newest_first = reversed(self.stored.values())
        return [m for m in newest_first if m.seq < (before or 1 << 62) and status in {None, m.status}][:limit]

    async def find(self, project: str, inquiry: Inquiry) -> Page:
        """Looks at two messages at a time."""
        self._check(project, inquiry.device_id or DEVICE)
        older = [m for m in reversed(self.stored.values()) if inquiry.before is None or m.seq < inquiry.before]
        looked = older[: min(2, inquiry.limit)]
        found = [
            (DEVICE, m)
            for m in looked
            if inquiry.status in {None, m.status}
            and (inquiry.since is None or m.created_at >= inquiry.since)
            and (inquiry.until is None or m.created_at <= inquiry.until)
        ]
        return Page(found, looked[-1].seq if len(older) > len(looked) else None)

    async def cancel(self, project: str, device_id: str, message_id: str) -> None:
        self.message(project, device_id, message_id)
        del self.stored[message_id]

    def _check(self, project: str, device_id: str) -> None:
        if self.fails is not None:
            raise self.fails
        if (project, device_id) != (PROJECT, DEVICE):
            raise UnknownDevice


class NoReplies:
    """No device ever says anything, and nobody asks."""

    longest = 60

    def ask(self, project: str, device_id: str, draft: Draft, timeout: float) -> Waiting:
        raise NotImplementedError


class MemoryAccess:
    tokens: ClassVar = {
        "all": Principal("all", None, frozenset({"admin"})),
        "app": Principal("app", PROJECT, frozenset({"messages:send", "messages:read"})),
        "reader": Principal("reader", PROJECT, frozenset({"messages:read"})),
        "sender": Principal("sender", PROJECT, frozenset({"messages:send"})),
        "manager": Principal("manager", PROJECT, frozenset({"devices:read", "devices:write"})),
        "viewer": Principal("viewer", PROJECT, frozenset({"devices:read"})),
        "pusher": Principal("pusher", PROJECT, frozenset({"events:read", "events:write"})),
        "watcher": Principal("watcher", PROJECT, frozenset({"events:read"})),
        "stranger": Principal("stranger", "other", frozenset({"messages:send", "messages:read"})),
        "chat": Principal("chat", PROJECT, frozenset({"events:read", "events:write"})),
        "listener": Principal("listener", PROJECT, frozenset({"events:read"})),
        "publisher": Principal("publisher", PROJECT, frozenset({"events:write"})),
        "neighbour": Principal("neighbour", "other", frozenset({"events:read", "events:write"})),
    }

    keys: ClassVar = {
        AK: AccessKey(AK, SK, "app", PROJECT, frozenset({"messages:send", "messages:read"})),
        READER_AK: AccessKey(READER_AK, READER_SK, "reader", PROJECT, frozenset({"messages:read"})),
        MANAGER_AK: AccessKey(MANAGER_AK, SK, "manager", PROJECT, frozenset({"devices:read", "devices:write"})),
        PUSHER_AK: AccessKey(PUSHER_AK, SK, "pusher", PROJECT, frozenset({"events:read", "events:write"})),
        STRANGER_AK: AccessKey(STRANGER_AK, SK, "stranger", "other", frozenset({"messages:send"})),
    }

    def principal(self, token: str) -> Principal | None:
        return self.tokens.get(token)

    def access_key(self, ak: str) -> AccessKey | None:
        return self.keys.get(ak)
