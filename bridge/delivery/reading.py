"""What became of messages, for applications that ask."""

import dataclasses

from bridge.delivery.base import MessageStore
from bridge.delivery.moves import Moves
from bridge.model.clock import Timekeeper
from bridge.model.device import Device
from bridge.model.errors import UnknownDevice, UnknownMessage
from bridge.model.inquiry import Inquiry, Page
from bridge.model.message import Message, Status

_LOOKS = 16
"""Times the store is asked for one page of an inquiry."""
_MOST_CONTENT = 4 * 1024 * 1024
"""Characters of content after which a page of an inquiry ends."""


class Reading:
    """Shows each message as it may be told (`Moves.shown`), and `send_at` in wall time, as it is asked
    for: the store has it in steady time."""

    def __init__(self, store: MessageStore, moves: Moves, time: Timekeeper) -> None:
        self._store = store
        self._moves = moves
        self._time = time

    def message(self, project: str, device_id: str, message_id: str) -> Message:
        """Raises UnknownDevice, UnknownMessage."""
        message = self._store.message(self._device(project, device_id).key, message_id)
        if message is None or self._moves.removing(message.seq):
            raise UnknownMessage(message_id)
        return self._shown(message)

    def place(self, project: str, device_id: str, message_id: str) -> int:
        """Where the message with this id stands, or stood, among the others: its `seq`. Raises UnknownDevice,
        UnknownMessage."""
        place = self._store.place(self._device(project, device_id).key, message_id)
        if place is None:
            raise UnknownMessage(message_id)
        return place

    def messages(
        self, project: str, device_id: str, *, limit: int, before: int | None, status: Status | None
    ) -> list[Message]:
        """Newest first, those with `seq` < `before`. Raises UnknownDevice."""
        device = self._device(project, device_id)
        found = self._store.messages(device.key, limit=limit, before=before, status=status)
        return [message for message in found if self._is_shown(message, status)]

    async def find(self, project: str, inquiry: Inquiry) -> Page:
        """A page of what was asked for. Raises UnknownDevice, StoreUnavailable."""
        device = None if inquiry.device_id is None else self._device(project, inquiry.device_id).key
        found: list[tuple[str, Message]] = []
        rest, size = inquiry.before, 0
        for _ in range(_LOOKS):
            page = await self._store.find_messages(
                project, device, dataclasses.replace(inquiry, before=rest, limit=inquiry.limit - len(found))
            )
            rest = page.rest
            found += [each for each in page.messages if self._is_shown(each[1], inquiry.status)]
            size += sum(len(message.draft.content) for _, message in page.messages)
            if rest is None or len(found) == inquiry.limit or size >= _MOST_CONTENT:
                break
        return Page(found, rest)

    def _is_shown(self, message: Message, status: Status | None) -> bool:
        """Whether it is there, and in this state, as far as it is decided; the message then says so."""
        if self._moves.removing(message.seq):
            return False
        shown = self._shown(message)
        return status is None or shown.status is status

    def _shown(self, message: Message) -> Message:
        if message.draft.send_at is not None:
            message.draft.send_at = self._time.wall_of(message.draft.send_at)
        return self._moves.shown(message)

    def _device(self, project: str, device_id: str) -> Device:
        device = self._store.device(project, device_id)
        if device is None:
            raise UnknownDevice(device_id)
        return device
