"""Moves out of PENDING that are decided but not yet committed."""

from collections.abc import Callable

from bridge.delivery.base import MessageStore
from bridge.model.errors import BridgeError
from bridge.model.message import Message, Outcome, Status


class Moves:
    """Decides once per message: from `begin_removal` or `finish` on nobody else may send, finish or cancel it.

    The decision is made in the event loop and written by the store's guarded statement. A final state is told, and
    shown to readers, only after its commit: whoever reads DELIVERED or FAILED may rely on it through a crash, and on
    the message never being sent again. With `tell_early` DELIVERED alone is told before: the device has the message,
    but a crash before the commit makes it PENDING again. What the disk refuses is tried again by the store, which says
    so if it is closed before.
    """

    def __init__(self, store: MessageStore, *, tell_early: bool = False) -> None:
        """`tell_early`: DELIVERED is told, and shown to readers, before it is committed."""
        self._store = store
        self._tell_early = tell_early
        self._decided: dict[int, Outcome] = {}
        self._removing: dict[int, Outcome | None] = {}
        """What is being removed, and how it would have ended meanwhile: that counts if the removal is refused."""
        self.ended: Callable[[int], None] | None = None
        """Called with the `seq` of each message whose end is committed."""

    def __contains__(self, seq: int) -> bool:
        return seq in self._decided or seq in self._removing

    def begin_removal(self, seq: int) -> None:
        self._removing[seq] = None

    def end_removal(self, seq: int) -> Outcome | None:
        """How it would have ended while it was being removed."""
        return self._removing.pop(seq, None)

    def removing(self, seq: int) -> bool:
        return seq in self._removing

    def postpone(self, seq: int, outcome: Outcome) -> None:
        if seq not in self._decided and self._removing[seq] is None:
            self._removing[seq] = outcome

    def counted(self, seq: int) -> bool:
        """Whether it is decided, and no longer counts as PENDING."""
        return seq in self._decided

    def finish(
        self, seq: int, outcome: Outcome, told: Callable[[int, Outcome], None], channel: int | None = None
    ) -> None:
        """`told(seq, outcome)` is called when the outcome may be told. `channel`: as in `MessageStore`."""
        self._decided[seq] = outcome
        self._write(seq, outcome, told, channel)
        if self._is_told_early(outcome):
            told(seq, outcome)

    def shown(self, message: Message) -> Message:
        """The message as it is to be reported."""
        decided = self._decided.get(message.seq)
        if decided is not None and self._is_told_early(decided):
            message.outcome = decided
        return message

    def _is_told_early(self, outcome: Outcome) -> bool:
        return self._tell_early and outcome.status is Status.DELIVERED

    def _write(self, seq: int, outcome: Outcome, told: Callable[[int, Outcome], None], channel: int | None) -> None:
        def done(result: bool | BridgeError) -> None:
            if isinstance(result, BridgeError):  # the store was closed before the disk took it, and accounts for it
                return
            del self._decided[seq]
            if result and self.ended is not None:
                self.ended(seq)
            if result and not self._is_told_early(outcome):
                told(seq, outcome)

        self._store.finish(seq, outcome, done, channel)
