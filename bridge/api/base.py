"""What the API needs of the rest of the daemon. Anything with these methods will do."""

from collections.abc import Callable
from typing import Protocol

from bridge.model.errors import BridgeError
from bridge.model.message import Draft, Message, Status
from bridge.model.principal import Principal


class Messages(Protocol):
    """Messages to devices: accept, look up, cancel."""

    async def submit(self, project: str, device_id: str, draft: Draft) -> Message:
        """Accept a message; returns once it is durable, with `outcome` set when it ended in time.

        Errors: UnknownDevice, DuplicateMessage, QueueFull, StoreUnavailable.
        """

    def begin(self, project: str, device_id: str, draft: Draft, done: Callable[[Message | BridgeError], None]) -> None:
        """`submit` without a task: `done` is called once, later, with what `submit` returns or raises.

        Errors, in place of that call: UnknownDevice, QueueFull.
        """

    def message(self, project: str, device_id: str, message_id: str) -> Message:
        """Errors: UnknownDevice, UnknownMessage."""

    def messages(
        self, project: str, device_id: str, *, limit: int, marker: str | None, status: Status | None
    ) -> list[Message]:
        """Newest first, those older than the message `marker`.

        Errors: UnknownDevice; UnknownMessage when the device has no message `marker`.
        """

    async def cancel(self, project: str, device_id: str, message_id: str) -> None:
        """Forget a message; a PENDING one is never delivered afterwards.

        Errors: UnknownDevice, UnknownMessage, StoreUnavailable.
        """


class Access(Protocol):
    """The access tokens this daemon gave out."""

    def principal(self, token: str) -> Principal | None:
        """Who bears this token; None when nobody does. Never raises, whatever the text."""
