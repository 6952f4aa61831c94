"""What delivery needs of a store, whichever it is. `bridge.store` holds the SQLite one."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from bridge.model.device import Device
from bridge.model.errors import BridgeError
from bridge.model.message import Message, Outcome, Status

NO_CHANNELS: Mapping[str, int] = MappingProxyType({})


class MessageStore(Protocol):
    """Durable messages.

    Writes return at once; `done` is called in the event loop after the commit that holds them, in the order in which
    the writes were made. Reads are immediate and see every committed write. All methods belong to the loop's thread.

    A write that changes a state tells of it in `channel`, in the same commit; None: nobody wants to know.
    """

    def add(self, message: Message, done: Callable[[BridgeError | None], None], channel: int | None = None) -> None:
        """Accept a PENDING message and assign its `seq` at once. Errors: DuplicateMessage, StoreUnavailable."""

    def finish(
        self, seq: int, outcome: Outcome, done: Callable[[bool | BridgeError], None], channel: int | None = None
    ) -> None:
        """Move one message out of PENDING. `done(False)`: it was not PENDING any more, nothing changed."""

    def remove(
        self, seq: int, done: Callable[[Status | BridgeError | None], None], channel: int | None = None, at: int = 0
    ) -> None:
        """Forget a message. `done` gets the state it was in, None when there was none. One that was PENDING is told to
        be cancelled `at` that time."""

    def fail_uncached(
        self, outcome: Outcome, done: Callable[[int | BridgeError], None], channels: Mapping[str, int] = NO_CHANNELS
    ) -> None:
        """Finish every PENDING message with ttl 0, whoever it is for: their connections are gone. `done(count)`.
        `channels`: by project."""

    def device(self, project: str, device_id: str) -> Device | None: ...

    def device_by_key(self, key: int) -> Device | None: ...

    def message(self, device: int, message_id: str) -> Message | None: ...

    def messages(
        self, device: int, *, limit: int, before: int | None = None, status: Status | None = None
    ) -> list[Message]:
        """Newest first, those with `seq` < `before`. Ends early rather than return more than a few MiB of content."""

    def pending(self, device: int, *, after: int, limit: int) -> list[Message]:
        """The device's PENDING messages with `seq` > `after`, oldest first.

        Ends early rather than return more than a MiB of content or so; empty only at the end.
        """

    def carried_pending(self, carrier: int) -> list[Device]:
        """The devices behind this one, however far, that have PENDING messages."""

    def count_pending(self, device: int, *, at_most: int) -> int:
        """How many messages are PENDING for the device; counting stops at `at_most`."""

    def due(self, now: int, limit: int) -> Sequence[tuple[int, int, int]]:
        """PENDING messages with `expires_at` <= now, earliest first, as (seq, device, expires_at)."""
