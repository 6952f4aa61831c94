"""The devices behind a gateway, whose messages its connection carries."""

from collections import deque
from typing import Generic, Protocol, TypeVar

from bridge.model.device import Device


class Rider(Protocol):
    """What is asked of an `Outbox` here."""

    device: Device
    behind: bool
    listed: bool
    """Among those who take turns."""
    inflight: dict[int, int]


R = TypeVar("R", bound=Rider)


class Riders(Generic[R]):
    """Each keeps its own place in its own queue, so the messages of each come in order. They share the window, and
    those with a backlog, the gateway among them, take turns, a page each."""

    __slots__ = ("_turns", "flights", "outboxes")

    def __init__(self) -> None:
        self.outboxes: dict[int, R] = {}
        """By `Device.key`: those that have, or had, messages since the daemon runs."""
        self.flights: dict[int, R] = {}
        """seq → whose it is, of what is on its way."""
        self._turns: deque[R] = deque()

    def enlist(self, outbox: R) -> None:
        """It has fallen behind."""
        if not outbox.listed:
            outbox.listed = True
            self._turns.append(outbox)

    def next_behind(self) -> R:
        """The one that was served longest ago; now it stands last. To be asked when `any_behind`."""
        self._turns.rotate(-1)
        return self._turns[-1]

    def any_behind(self) -> bool:
        while self._turns and not self._turns[0].behind:  # it has caught up since it was enlisted
            self._turns.popleft().listed = False
        return bool(self._turns)

    def leave(self, outbox: R) -> None:
        """The device is gone, and what is on its way to it is nobody's."""
        outbox.behind = False
        del self.outboxes[outbox.device.key]
        for seq in outbox.inflight:
            self.flights.pop(seq, None)
