"""Events on their way to applications over HTTP: what waits for an action, and what could not be delivered."""

from dataclasses import dataclass, field
from uuid import UUID

MOST_DIGITS = 15
"""Hexadecimal ones of a position."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is kept in memory of a push that has not succeeded yet."""

    action: int
    """`Action.key`."""
    position: int
    """Of the event in its channel; with the action it tells one push from every other."""
    device: str
    """Pushes about one device go one after the other."""
    queued_at: int
    """Steady time. What fails for too long after it is given up."""
    attempts: int = 0
    """Failed ones."""
    due: int = 0
    """When the next attempt may be made."""


@dataclass(frozen=True, slots=True)
class NewPush:
    action: int
    position: int
    device: str
    content: str = field(repr=False)
    """The body: the event as its channel has it."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A push that was given up."""

    key: int
    """Larger for what was given up later."""
    action: int
    position: int
    device: str
    attempts: int
    failed_at: int
    error: str
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundDeadLetters:
    letters: list[DeadLetter]
    count: int
    """How many there are in all, whatever the page."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is durable about the pushes of an action, apart from the pushes."""

    dropped: int = 0
    """Events that were never pushed because too many waited."""
    dead: int = 0
    """Dead letters."""
    error: str | None = None
    """The last one."""
    failed_at: int | None = None


@dataclass(frozen=True, slots=True)
class PushStatus:
    """How the pushes of an action fare."""

    state: str
    """`ACTIVE`; `FAILING`: the last attempt failed; `INACTIVE`: so is the rule."""
    outstanding: int
    """Events that wait for their first or next attempt, those on their way included."""
    record: Record


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one POST."""

    latency: float
    """Seconds."""
    status: int | None = None
    """None: there was no answer."""
    error: str | None = None
    """Why it failed; None: the target has taken it."""
    retry_after: str | None = None
    """The field of that name, as it came."""

    @property
    def answered(self) -> bool:
        return self.status is not None


def webhook_id(action_id: str, position: int) -> str:
    """The same each time one event is pushed for one action, and never for another."""
    return f"msg_{UUID(action_id).hex}_{position:x}"


def position_of(action_id: str, pushed: str) -> int | None:
    """Which event of the action has that id; None: none can have it."""
    prefix = f"msg_{UUID(action_id).hex}_"
    digits = pushed.removeprefix(prefix)
    if (
        not pushed.startswith(prefix)
        or not 1 <= len(digits) <= MOST_DIGITS
        or not set(digits) <= set("0123456789abcdef")
    ):
        return None
    return int(digits, 16)
