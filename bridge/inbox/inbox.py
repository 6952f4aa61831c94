"""The use cases: what people and services ask of their inbox, and what enters it by itself."""

import asyncio
import dataclasses
import logging
from collections.abc import Mapping
from types import MappingProxyType

from bridge.inbox.appointments import Appointments
from bridge.inbox.base import NotificationStore
from bridge.inbox.bodies import posted_text, processed_text
from bridge.inbox.intake import Intake
from bridge.inbox.rules import Rules
from bridge.inbox.settings import InboxSettings
from bridge.model.clock import Clock, Timekeeper
from bridge.model.errors import BridgeError, PastTime, StoreUnavailable, UnknownNotification
from bridge.model.notification import Bounds, Notice, Notification, Occurrence, Selection

_log = logging.getLogger(__name__)
_DAY = 86_400_000
_PRUNE_EVERY = 60.0


class Inbox:
    """Everything here runs in the event loop's thread. What waits returns after the commit."""

    def __init__(
        self,
        store: NotificationStore,
        settings: InboxSettings,
        clock: Clock,
        channels: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`channels`: by project, where posted and processed notifications are told, as it is at that time."""
        self.rules = Rules(settings)
        self._store = store
        self._clock = clock
        self._time = Timekeeper.of(clock)
        self._age = int(settings.retention_days * _DAY)
        self._intake = Intake(store, clock)
        self._channels = channels
        self._appointments = Appointments(store, clock)
        self._housekeeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """To be called before the first message can end. Raises StoreUnavailable."""
        self._store.announce_endings(self.rules.statuses, self.rules.notice_of, self._clock)
        self._store.announce_connections(self.rules.connections, self.rules.notice_of)
        self._store.tell_notifications_with(self._channels, posted=posted_text, processed=self._processed_text)
        self._appointments.start()
        self._housekeeping = asyncio.get_running_loop().create_task(self._keep_house())

    async def stop(self) -> None:
        """To be called when no device is connected any more, before the store is closed."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        await self._appointments.stop()
        self._intake.flush()

    # What enters

    def heard(self, occurrence: Occurrence) -> None:
        """Something happened; the rules say whether it enters. Returns at once, never raises."""
        notice = self.rules.notice_of(occurrence)
        if notice is not None:
            self.enter(notice)

    def enter(self, notice: Notice) -> None:
        """Returns at once, never raises; what the disk refuses is tried again by the store."""
        self._intake.put(notice)

    async def post(self, notice: Notice) -> Notification:
        """Durable when this returns, and told. Raises StoreUnavailable."""
        posted: asyncio.Future[Notification] = asyncio.get_running_loop().create_future()

        def done(result: Notification | BridgeError) -> None:
            if posted.done():  # whoever waited is gone
                return
            if isinstance(result, BridgeError):
                posted.set_exception(result)
            else:
                posted.set_result(result)

        self._store.post(notice, self._clock(), done)
        return await posted

    # What is read

    def inbox(self, project: str, selection: Selection) -> list[Notification]:
        """Newest first, since the last `clear`. Raises TooBroad, StoreUnavailable."""
        return [self._shown(each) for each in self._store.notifications(project, selection, history=False)]

    def history(self, project: str, selection: Selection) -> list[Notification]:
        """Newest first, also what was cleared. Raises TooBroad, StoreUnavailable."""
        return [self._shown(each) for each in self._store.notifications(project, selection, history=True)]

    def bounds(self, project: str, selection: Selection) -> Bounds:
        """Of the history. Raises TooBroad, StoreUnavailable."""
        return self._store.notification_bounds(project, selection)

    def show(self, project: str, notification_id: str) -> Notification:
        """Raises UnknownNotification, StoreUnavailable."""
        found = self._store.notification(project, notification_id)
        if found is None:
            raise UnknownNotification(notification_id)
        return self._shown(found)

    # What is done about it

    async def mark_read(self, project: str, notification_id: str, read: bool) -> Notification:
        """Raises UnknownNotification, StoreUnavailable."""
        return self._shown(await self._store.mark_read(project, notification_id, read))

    async def clear(self, project: str) -> None:
        """Raises StoreUnavailable."""
        await self._store.clear(project)

    async def confirm(self, project: str, confirmed: str, by: str, process_at: int | None) -> None:
        """Process a notification, or the open ones about a device message: now, or at that time. A second confirmation
        before that time replaces the first.

        Raises PastTime, UnknownNotification, AlreadyProcessed, StoreUnavailable.
        """
        now = self._clock()
        if process_at is not None and process_at < now:
            raise PastTime
        if process_at is not None:
            process_at = self._time.steady_of(process_at)
        await self._store.confirm(project, confirmed, by, process_at, now)
        self._appointments.expect(process_at)

    def _shown(self, notification: Notification) -> Notification:
        """With `process_at` in wall time."""
        if notification.process_at is None:
            return notification
        return dataclasses.replace(notification, process_at=self._time.wall_of(notification.process_at))

    def _processed_text(self, notification: Notification, position: int) -> str:
        return processed_text(self._shown(notification), position)

    async def _keep_house(self) -> None:
        while True:
            try:
                await self._store.prune_notifications(self._time.now_within(self._age) - self._age)
            except StoreUnavailable as error:
                _log.debug("cannot prune notifications", extra={"error": str(error)})
            await asyncio.sleep(_PRUNE_EVERY)
