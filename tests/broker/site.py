"""Store, broker and delivery, put together as the daemon does it, without HTTP."""

import asyncio
import contextlib
import itertools
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from bridge.broker import MqttBroker, MqttSettings
from bridge.broker.hub import Hub
from bridge.delivery import Delivery, DeliverySettings, Replies
from bridge.model.device import DEFAULT_PROJECT, Device
from bridge.model.errors import UnknownMessage
from bridge.model.message import Draft, Message, Status
from bridge.mqtt import Properties, Version, Will
from bridge.store import Store
from tests.broker.client import RawClient
from tests.broker.heard import Heard
from tests.broker.times import PATIENCE, LoopTime, WallClock, turn
from tests.store.template import prepared

SECRET = "a-good-secret"
_ids = itertools.count(1)


def mqtt(**changes: Any) -> MqttSettings:
    return MqttSettings(**{"bind": "127.0.0.1:0", **changes})


def draft(message_id: str = "", **changes: Any) -> Draft:
    fields: dict[str, Any] = {"content": '"hello"', "ttl": 60, **changes}
    return Draft(message_id or f"m-{next(_ids)}", **fields)


class _Late:
    """A loop as the writer's thread sees it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.go_on = threading.Event()

    def call_soon_threadsafe(self, callback: Callable[..., Any], *arguments: Any) -> None:
        self.go_on.wait(PATIENCE)
        self._loop.call_soon_threadsafe(callback, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class Site:
    """`async with Site(path) as site`. Its devices are in the project `default` unless something else is said."""

    def __init__(
        self,
        path: Path,
        settings: MqttSettings | None = None,
        delivery: DeliverySettings | None = None,
    ) -> None:
        self._settings = settings or mqtt()
        self._delivery = delivery or DeliverySettings(ack_wait=0)
        self._time = LoopTime(asyncio.get_running_loop())
        self._clients: list[RawClient] = []
        self.path = path
        self.clock = WallClock()
        self.store: Store
        self.broker: MqttBroker
        self.delivery: Delivery
        self.replies: Replies
        self.heard: Heard

    async def __aenter__(self) -> Self:
        self.store = Store.open(prepared(self.path), clock=self.clock)
        try:
            await self._start()
        except BaseException:
            await self.store.close()
            raise
        return self

    async def _start(self) -> None:
        self.broker = MqttBroker(self._settings, self.store, self.clock)
        self.delivery = Delivery(self.store, self.broker.hub, self._delivery, self.clock)
        self.replies = Replies(self.store, self.delivery, self._delivery)
        self.broker.hub.hear(self.replies)
        self.heard = Heard(self.delivery)
        self.broker.listen(self.heard)
        self.broker.hub.keep_sessions_in(self.store)
        self.store.on_device_change(self.broker.hub.device_changed)
        self.store.on_token_change(self.broker.hub.tokens_changed)
        self.store.on_device_change(self.delivery.device_changed)
        self.store.on_device_change(self.replies.device_changed)
        self.delivery.start()
        self.broker.hub.retain_in(self.store)
        self.store.on_device_removed(self.broker.hub.retained.device_removed)
        await self.broker.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        for client in self._clients:
            client.abort()
        self.replies.stop()
        self.delivery.stop()
        await self.broker.stop()
        await self.store.close()

    async def restart(self) -> None:
        """A new daemon on the same file; the old one ends its connections."""
        self._clients = []
        await self.stop()
        await self.__aenter__()

    async def crash(self) -> None:
        """A new daemon on what a kill leaves behind: the database as it is on the disk at this moment."""
        left = self.path.with_name(f"crashed-{next(_ids)}.db")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{self.path}{suffix}", f"{left}{suffix}")
        await self.stop()
        self.path = left
        await self.__aenter__()

    @property
    def hub(self) -> Hub:
        return self.broker.hub

    # Clients

    def add_device(self, device_id: str = "pump-1", project: str = DEFAULT_PROJECT) -> Device:
        return self.store.add_device(project, device_id, SECRET)

    async def client(self, version: Version = Version.V5) -> RawClient:
        """A connection that has said nothing yet."""
        client = await RawClient.open(self.broker.address, version)
        self._clients.append(client)
        return client

    async def log_in(
        self,
        device: Device,
        version: Version = Version.V5,
        client_id: str | None = None,
        *,
        clean: bool = True,
        keep_alive: int = 0,
        will: Will | None = None,
        properties: Properties | None = None,
    ) -> RawClient:
        """A connection of the device."""
        client = await self.client(version)
        await client.log_in(device, client_id, clean=clean, keep_alive=keep_alive, will=will, properties=properties)
        return client

    async def log_out(self, device: Device, client: RawClient) -> None:
        """The connection of the device breaks, and the broker has noticed."""
        self.heard.events.clear()
        client.abort()
        await self.heard.wait("disconnected", device.key)

    # Messages

    async def submit(self, device: Device, message_id: str = "", **fields: Any) -> Message:
        return await self.delivery.submit(device.project, device.device_id, draft(message_id, **fields))

    def status(self, device: Device, message: Message) -> Status | None:
        """As delivery reports it; None when there is no such message."""
        try:
            return self.shown(device, message).status
        except UnknownMessage:
            return None

    def shown(self, device: Device, message: Message) -> Message:
        return self.delivery.message(device.project, device.device_id, message.draft.message_id)

    def stored(self, message: Message) -> Status | None:
        """As it is committed; None when there is no such message."""
        found = self.store.message(message.device, message.draft.message_id)
        return found.status if found else None

    async def stored_as(self, message: Message) -> Status | None:
        """As it is stored once everything decided so far is committed."""
        await self.store.flush()
        return self.stored(message)

    async def kept(self) -> None:
        """Returns when everything that is kept of sessions so far is committed."""
        keeping = self.hub.keeping
        assert keeping is not None
        while keeping.busy:
            await self.store.flush()

    # Circumstances

    async def let_pass(self, seconds: float) -> None:
        """Move all clocks on, and let everything happen that is due."""
        self.clock.advance(seconds)
        self._time.advance(seconds)
        await turn()

    @contextlib.contextmanager
    def writer_held(self, *, then_refusing: bool = False) -> Iterator[None]:
        """The disk takes its time: nothing is committed while this lasts. `then_refusing`: nor afterwards, until
        `accept_writes`."""
        release = threading.Event()

        def hold(connection: sqlite3.Connection) -> None:
            release.wait(PATIENCE)
            connection.execute(f"PRAGMA query_only = {then_refusing}").close()

        self.store._writer.request(hold)
        try:
            yield
        finally:
            release.set()

    def accept_writes(self) -> None:
        self.store._writer._connection.execute("PRAGMA query_only = OFF").close()

    @contextlib.asynccontextmanager
    async def news_held(self) -> AsyncIterator[None]:
        """The writer's thread gets no time of the processor behind its commits: what is committed is not told yet."""
        await self.store.flush()
        writer = self.store._writer
        late = _Late(writer._loop)
        writer._loop = cast("asyncio.AbstractEventLoop", late)
        try:
            yield
        finally:
            late.go_on.set()

    @contextlib.asynccontextmanager
    async def writes_refused(self) -> AsyncIterator[None]:
        """The database cannot be written while this lasts; it can be read."""
        await self.store._writer.request(lambda connection: connection.execute("PRAGMA busy_timeout = 0").close())
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    @contextlib.asynccontextmanager
    async def unreadable(self, table: str) -> AsyncIterator[None]:
        """The database is damaged while this lasts: it has lost this table."""
        await self.store.flush()
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("PRAGMA foreign_keys = OFF")
            other.execute(f"ALTER TABLE {table} RENAME TO lost")
            try:
                yield
            finally:
                other.execute(f"ALTER TABLE lost RENAME TO {table}")
