"""The pushes of one target in memory: for each device a lane, in which one goes after the other. Pure."""

import heapq
from collections import deque

from bridge.model.push import Waiting


class Lane:
    __slots__ = ("device", "due", "queued", "sending", "waiting")

    def __init__(self, device: str) -> None:
        self.device = device
        self.waiting: list[int] = []
        """Positions, a heap."""
        self.sending: int | None = None
        self.due = 0
        """When its next one may go; 0: now."""
        self.queued = False
        """It stands in one of the queues of lanes."""


class Lanes:
    """Holds positions only: what is pushed stays in the store. Lanes that may go take turns."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._pushes: dict[int, Waiting] = {}
        """In the order of their arrival."""
        self._ready: deque[Lane] = deque()
        self._later: list[tuple[int, str]] = []
        """When, and which lane."""

    def __len__(self) -> int:
        """Those on their way included."""
        return len(self._pushes)

    def add(self, push: Waiting) -> None:
        """Without effect for one that is here already."""
        if push.position in self._pushes:
            return
        self._pushes[push.position] = push
        lane = self._lanes.get(push.device)
        if lane is None:
            lane = self._lanes[push.device] = Lane(push.device)
        heapq.heappush(lane.waiting, push.position)
        if not lane.queued:
            lane.due = max(lane.due, push.due)
            self._line_up(lane)

    def take(self, now: int) -> Waiting | None:
        """The next one that may go; `done` or `failed` has to follow."""
        while self._later and self._later[0][0] <= now:
            lane = self._lanes[heapq.heappop(self._later)[1]]
            lane.due = 0
            self._ready.append(lane)
        while self._ready:
            lane = self._ready.popleft()
            lane.queued = False
            if lane.waiting:
                lane.sending = heapq.heappop(lane.waiting)
                return self._pushes[lane.sending]
            del self._lanes[lane.device]  # all it had was dropped
        return None

    def done(self, push: Waiting) -> None:
        """It is not to be pushed any more."""
        del self._pushes[push.position]
        lane = self._lanes[push.device]
        lane.sending = None
        if lane.waiting:
            self._line_up(lane)
        else:
            del self._lanes[push.device]

    def failed(self, push: Waiting) -> None:
        """It is to be pushed again when it is due, before all others of its device."""
        self._pushes[push.position] = push
        lane = self._lanes[push.device]
        lane.sending, lane.due = None, push.due
        heapq.heappush(lane.waiting, push.position)
        self._line_up(lane)

    def drop_oldest(self) -> Waiting | None:
        """The one that came first of those that are not on their way."""
        for push in self._pushes.values():
            lane = self._lanes[push.device]
            if lane.sending != push.position:
                break
        else:
            return None
        del self._pushes[push.position]
        if lane.waiting[0] == push.position:
            heapq.heappop(lane.waiting)
        else:
            lane.waiting.remove(push.position)
            heapq.heapify(lane.waiting)
        return push

    def hasten(self) -> None:
        """Whatever is to go later may go now."""
        for _, device in self._later:
            lane = self._lanes[device]
            lane.due = 0
            self._ready.append(lane)
        self._later.clear()

    def next_due(self) -> int | None:
        """When a lane may go that may not yet; None: there is no such lane."""
        return self._later[0][0] if self._later else None

    def _line_up(self, lane: Lane) -> None:
        if lane.queued or lane.sending is not None:
            return
        lane.queued = True
        if lane.due:
            heapq.heappush(self._later, (lane.due, lane.device))
        else:
            self._ready.append(lane)
