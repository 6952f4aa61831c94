"""What events need of a store, whichever it is. `bridge.store` holds the SQLite one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from bridge.model.device import Device
from bridge.model.errors import BridgeError
from bridge.model.event import Extent, Pruned, StatusChange, StoredChannel, StoredEvent, Subject, Subscribed
from bridge.model.notification import Notice
from bridge.mqtt import Publish


class EventStore(Protocol):
    """Durable channels, subscribers and events.

    Writes return at once; `done` is called in the event loop after the commit that holds them, in the order in which
    the writes were made, those of messages included. Reads are immediate and see every committed write.
    """

    def tell_status_with(self, tell: Callable[[StatusChange, int], str]) -> None:
        """Says how changes of messages are told; the number is the position of the event."""

    def on_events(self, callback: Callable[[Mapping[int, Extent]], None]) -> None:
        """`callback` gets what a commit has appended, by channel, before those who wrote it are told."""

    def tell_connections_with(
        self, channels: Mapping[str, int], tell: Callable[[bool, int, int | None, Subject, int], str]
    ) -> None:
        """Says where and how devices that come and go are told, in the transaction that writes it down: online or not,
        since when, and when it came online last; the last number is the position of the event."""

    def stored_channels(self) -> list[StoredChannel]:
        """Raises StoreUnavailable."""

    def events(self, channel: int, *, after: int, since: int, limit: int) -> list[StoredEvent]:
        """Behind the position `after`, published at `since` or later, oldest first. Raises StoreUnavailable.

        Ends early rather than return more than a few MiB of content; at least one if there is one."""

    def subscribe(
        self,
        project: str,
        channel: str,
        subscriber: str,
        now: int,
        done: Callable[[Subscribed | BridgeError], None],
        *,
        anew: bool,
    ) -> None:
        """`anew`: a subscriber of that name begins at the end of the channel, even if there is one."""

    def unsubscribe(
        self, project: str, channel: str, subscribers: Sequence[str], done: Callable[[BridgeError | None], None]
    ) -> None:
        """Those that there are."""

    def acknowledge(
        self, channel: int, subscriber: str, position: int, now: int, done: Callable[[BridgeError | None], None]
    ) -> None:
        """Everything up to `position`; nothing if it is further already, or gone."""

    def note_seen(self, seen: Iterable[tuple[int, str, int]], done: Callable[[BridgeError | None], None]) -> None:
        """Channel, subscriber, and when it was seen."""

    def publish(
        self, channel: int, message_id: str | None, at: int, content: str, done: Callable[[bool | BridgeError], None]
    ) -> None:
        """`done(False)`: the channel has an event with this id."""

    def tell(
        self,
        channel: int,
        device: int,
        at: int,
        text: Callable[[Subject, int], str],
        done: Callable[[bool | BridgeError], None],
        *,
        notice: Notice | None = None,
    ) -> None:
        """Append an event about a device. `text(subject, position)` is its content; it is called in another thread.
        `notice` enters the inbox in the same transaction. `done(False)`: the device was removed, and nothing is told.
        """

    def prune_channel(
        self,
        channel: int,
        before: int,
        done: Callable[[Pruned | BridgeError | None], None],
        *,
        upto: int | None = None,
        most: int | None = None,
    ) -> None:
        """Delete the oldest events, those from before `before`, and of more than `most` characters of content the
        oldest; but not many at once, and none behind the position `upto`. `done` gets None if the channel is gone: a
        channel without events and subscribers goes."""


class Devices(Protocol):
    def device(self, project: str, device_id: str) -> Device | None:
        """Raises StoreUnavailable."""

    def device_by_key(self, key: int) -> Device | None:
        """Raises StoreUnavailable."""


class ReportReader(Protocol):
    """Who wants to know what devices report, besides the subscribers of a channel."""

    def notice_of(self, speaker: Device, publish: Publish) -> Notice | None:
        """None: it is not wanted."""

    def enter(self, notice: Notice) -> None:
        """When no channel is told. Returns at once, never raises."""
