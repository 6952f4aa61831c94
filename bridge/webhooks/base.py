"""What webhooks need of a store, whichever it is. `bridge.store` holds the SQLite one."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from bridge.model.errors import BridgeError
from bridge.model.push import FoundDeadLetters, NewPush, Record, Waiting
from bridge.model.rule import Page


class PushStore(Protocol):
    """Durable pushes. Writes return at once; `done` is called in the event loop after the commit that holds them, in
    their order. Reads are immediate, see every committed write, and may raise StoreUnavailable."""

    def waiting_pushes(self) -> Iterator[Waiting]:
        """All there are, each action's in order."""

    def push_content(self, action: int, position: int) -> str | None: ...

    def queue_pushes(
        self,
        cursor: tuple[int, str, int],
        now: int,
        new: Sequence[NewPush],
        dropped: Sequence[Waiting],
        done: Callable[[list[Waiting] | BridgeError], None],
    ) -> None:
        """All of it or nothing: these pushes wait from now on, those do not any more and are counted, and the cursor
        (channel, subscriber, position) has read up to there. `done` gets what is new."""

    def end_push(self, push: Waiting, done: Callable[[BridgeError | None], None]) -> None:
        """It has succeeded. As with the two that follow, the store tries again until the disk takes it or the store is
        closed."""

    def postpone_push(self, push: Waiting, now: int, error: str, done: Callable[[BridgeError | None], None]) -> None:
        """It has failed: its `attempts` and `due` are new."""

    def give_up_push(
        self, push: Waiting, now: int, error: str, keep: int, done: Callable[[BridgeError | None], None]
    ) -> None:
        """It becomes a dead letter; of more than `keep` the oldest go, and are counted as dropped."""

    def dead_letters(self, action: int, page: Page) -> FoundDeadLetters:
        """Newest first."""

    def replay_dead_letters(
        self,
        action: int,
        positions: Collection[int] | None,
        now: int,
        at_most: int,
        done: Callable[[list[Waiting] | BridgeError], None],
    ) -> None:
        """Those of these positions, or all, wait again, the oldest `at_most` of them. `done` gets them."""

    def push_record(self, action: int) -> Record: ...

    def pushing_actions(self) -> list[int]:
        """All actions that anything is kept of."""

    def forget_pushes(self, action: int, done: Callable[[bool | BridgeError], None]) -> None:
        """A part of what is kept of the action; `done(True)`: there is more."""
