"""What delivery needs of a store, whichever it is. `bridge.store` holds the SQLite one."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from bridge.model.batch import Claim
from bridge.model.device import Device
from bridge.model.errors import BridgeError
from bridge.model.inquiry import Inquiry, Page
from bridge.model.message import Message, Outcome, Status
from bridge.model.once import Once, Remembered

NO_CHANNELS: Mapping[str, int] = MappingProxyType({})


class MessageStore(Protocol):
    """Durable messages.

    Writes return at once; `done` is called in the event loop after the commit that holds them, in the order in which
    the writes were made. Reads are immediate and see every committed write. All methods belong to the loop's thread.

    A write that changes a state tells of it in `channel`, in the same commit; None: nobody wants to know.
    """

    def add(
        self,
        message: Message,
        done: Callable[[BridgeError | None], None],
        channel: int | None = None,
        *,
        once: Once | None = None,
        claim: Claim | None = None,
    ) -> None:
        """Accept a PENDING message and assign its `seq` at once. Errors: DuplicateMessage, StoreUnavailable; and
        Withdrawn when the target that it is to claim does not wait any more.

        `claim` and message are stored together or not at all.

        With `send_at` it is held: not among `pending` until it is released. `once` is remembered together with the
        message, or neither is; in place of what the device knew by that key.
        """

    def finish(
        self, seq: int, outcome: Outcome, done: Callable[[bool | BridgeError], None], channel: int | None = None
    ) -> None:
        """Move one message out of PENDING. `done(False)`: it was not PENDING any more, nothing changed.

        The store tries again until the disk takes it. `done` gets an error only when the store is closed before.
        """

    def remove(
        self, seq: int, done: Callable[[Status | BridgeError | None], None], channel: int | None = None, at: int = 0
    ) -> None:
        """Forget a message. `done` gets the state it was in, None when there was none. One that was PENDING is told to
        be cancelled `at` that time, which is also that of its removal."""

    def fail_uncached(
        self, outcome: Outcome, done: Callable[[int | BridgeError], None], channels: Mapping[str, int] = NO_CHANNELS
    ) -> None:
        """Finish every PENDING message with ttl 0, whoever it is for: their connections are gone. `done(count)`.
        `channels`: by project."""

    def tell_orphans(self, channels: Mapping[str, int], done: Callable[[bool | BridgeError], None]) -> None:
        """Tell of some messages that were PENDING when their device was removed: that they FAILED. `done(True)`: there
        are more. `channels`: by project."""

    def release(self, now: int, limit: int, done: Callable[[Sequence[tuple[int, int]] | BridgeError], None]) -> None:
        """From now on the PENDING messages with `send_at` <= now are among `pending`. `done` gets them as
        (seq, device): at most `limit`, the earliest."""

    def next_scheduled(self) -> int | None:
        """The earliest `send_at` of a message that is held; None: there is none."""

    def remembered(self, device: int, key: str, now: int) -> Remembered | None:
        """The request that came with this key for the device, unless that was REMEMBERED ago, or longer."""

    def device(self, project: str, device_id: str) -> Device | None: ...

    def device_by_key(self, key: int) -> Device | None: ...

    def message(self, device: int, message_id: str) -> Message | None: ...

    def place(self, device: int, message_id: str) -> int | None:
        """`seq` of the message with this id; of one that was removed within the last day, too. None: there is none."""

    def messages(
        self, device: int, *, limit: int, before: int | None = None, status: Status | None = None
    ) -> list[Message]:
        """Newest first, those with `seq` < `before`. Ends early rather than return more than a few MiB of content."""

    async def find_messages(self, project: str, device: int | None, inquiry: Inquiry) -> Page:
        """A page of the project's messages, newest first, found within a bounded time: fewer than asked for, or none,
        do not mean the end. `device`: the key for `inquiry.device_id`. Raises StoreUnavailable."""

    def pending(self, device: int, *, after: int, limit: int) -> list[Message]:
        """The device's PENDING messages with `seq` > `after` that are not held, oldest first.

        Ends early rather than return more than a MiB of content or so; empty only at the end.
        """

    def carried_pending(self, carrier: int) -> list[Device]:
        """The devices behind this one, however far, that have PENDING messages that are not held."""

    def count_pending(self, device: int, *, at_most: int) -> int:
        """How many messages are PENDING for the device, held or not; counting stops at `at_most`."""

    def due(self, now: int, limit: int) -> Sequence[tuple[int, int, int]]:
        """PENDING messages with `expires_at` <= now, earliest first, as (seq, device, expires_at)."""
