"""What the inbox needs of a store, whichever it is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from bridge.model.clock import Clock
from bridge.model.errors import BridgeError
from bridge.model.message import Status
from bridge.model.notification import Bounds, Kind, Notice, Notification, Occurrence, Selection


class NotificationStore(Protocol):
    """Durable notifications. What waits returns after the commit; what reads sees every committed write. All methods
    belong to the loop's thread and may raise StoreUnavailable."""

    def enter(
        self, notices: Sequence[Notice], now: int, done: Callable[[list[Notification] | BridgeError], None]
    ) -> None:
        """Returns at once; `done` is called after the commit. Order is kept. What the disk refuses is tried again until
        the store is closed."""

    def post(self, notice: Notice, now: int, done: Callable[[Notification | BridgeError], None]) -> None:
        """The same for what an application posts."""

    def announce_endings(
        self, statuses: Iterable[Status], notice_of: Callable[[Occurrence], Notice | None], clock: Clock
    ) -> None:
        """From now on the end of a message in one of these states enters the inbox, in the transaction that writes
        it. `notice_of` may be called in any thread."""

    def announce_connections(self, kinds: Iterable[Kind], notice_of: Callable[[Occurrence], Notice | None]) -> None:
        """The same for devices that come and go."""

    def tell_notifications_with(
        self,
        channels: Mapping[str, int],
        *,
        posted: Callable[[Notification, int], str],
        processed: Callable[[Notification, int], str],
    ) -> None:
        """From now on what applications post, and what is processed, is told in the channel of its project, in the
        transaction that writes it. The callables give the content of the event at that position, in any thread."""

    async def mark_read(self, project: str, notification_id: str, read: bool) -> Notification:
        """Raises UnknownNotification."""

    async def clear(self, project: str) -> None:
        """Whatever is in the inbox leaves it; the history keeps it."""

    async def confirm(
        self, project: str, confirmed: str, by: str, process_at: int | None, now: int
    ) -> list[Notification]:
        """To be processed then, in steady time, or now and here for None. `confirmed` is the id of a notification, or
        that of a device message, which stands for every open one about it.

        Raises UnknownNotification, AlreadyProcessed.
        """

    async def process_due(self, now: int, limit: int, *, at: int | None = None) -> list[Notification]:
        """Processes what was confirmed for now or earlier, the earliest first. Each is returned once, ever. `at`: now
        in wall time, for the record; None: the same."""

    async def prune_notifications(self, before: int) -> int:
        """Removes what entered before that, in small steps, but for what waits for its confirmed time. How many."""

    def next_due(self) -> int | None:
        """The earliest time something is confirmed for and was not processed yet."""

    def notification(self, project: str, notification_id: str) -> Notification | None: ...

    def notifications(self, project: str, selection: Selection, *, history: bool) -> list[Notification]:
        """Newest first: what is in the inbox, or all there is. Ends early rather than return more than a few MiB.

        Raises TooBroad.
        """

    def notification_bounds(self, project: str, selection: Selection) -> Bounds:
        """Of the history, exact, whatever `offset` and `limit`. Raises TooBroad."""
