"""When each device was connected, written down for the time after a restart, and told in the same transaction."""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Iterable
from functools import partial

from bridge.model.clock import Clock
from bridge.model.errors import BridgeError
from bridge.model.record import Activity, Sighting
from bridge.registry.base import DeviceStore

_log = logging.getLogger(__name__)
_RETRY = 1.0
"""Seconds until what the disk refused is written again."""
_AT_ONCE = 256
"""Devices in one write: it shares its commit with messages, which wait for it."""
_MOST_WAITING = 50_000
"""Changes that wait for the disk, besides the latest one of each device, until only the latest ones are kept."""


class Presence:
    """Implements `bridge.broker.base.ConnectionListener`.

    One write at a time carries all that came while the last one ran, each change in its turn. What the disk refuses is
    tried again by the store; when too much waits behind it, only the latest state of each device is kept: memory is
    bounded, and whoever is told hears how things are, if not each step.
    """

    def __init__(self, store: DeviceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._latest: dict[int, Sighting] = {}
        """What is not written yet, the last of each device, in the order of its time."""
        self._waiting: deque[dict[int, Sighting]] = deque()
        """All of it, in order; each part names a device once."""
        self._count = 0
        self._writing: dict[int, Sighting] = {}
        self._busy = False
        self._last_run: int | None = None
        """When it was found to be over; None: what it left behind is cleared away."""
        self._owed = False
        """There are devices behind gateways to be told of."""
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        """To be called before the first device connects. Whoever seems to be online is a trace of an unclean stop, and
        went offline now, as far as anybody can tell: that is written page by page, before anything new is."""
        self._last_run = self._clock()
        self._owed = True
        self._go_on()

    def stop(self) -> None:
        """To be called when the last device is disconnected, before the store is closed."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._keep_latest()
        while self._waiting:
            self._write_part()

    def latest(self, device: int, written: Activity) -> Activity:
        """What is known of the connection, also what is not written yet."""
        sighting = self._latest.get(device)
        if sighting is None:
            return written
        return Activity(sighting.online, sighting.at, written.active_at or sighting.connected_at)

    def connected(self, device: int) -> None:
        self._see(device, online=True)

    def disconnected(self, device: int) -> None:
        self._see(device, online=False)

    def _see(self, device: int, *, online: bool) -> None:
        now = self._clock()
        before = self._latest.pop(device, None)
        connected_at = before.connected_at if before is not None else None
        if connected_at is None and online:
            connected_at = now
        sighting = self._latest[device] = Sighting(device, online, now, connected_at)
        if self._timer is not None or self._stopped:
            return
        if self._count >= len(self._latest) + _MOST_WAITING:
            self._keep_latest()
        else:
            self._put(sighting)
        self._go_on()

    def _put(self, sighting: Sighting) -> None:
        last = self._waiting[-1] if self._waiting else None
        if last is None or sighting.device in last or len(last) >= _AT_ONCE:
            last = {}
            self._waiting.append(last)
        last[sighting.device] = sighting
        self._count += 1

    def _keep_latest(self) -> None:
        """Forget the steps between."""
        left = [each for each in self._latest.values() if self._writing.get(each.device) is not each]
        self._waiting = deque(_parts(left))
        self._count = len(left)

    def _go_on(self) -> None:
        if self._busy or self._timer is not None or self._stopped:
            return
        if self._last_run is not None:
            self._busy = True
            self._store.end_last_run(self._last_run, self._ended)
        elif self._waiting:
            self._write_part()
        elif self._owed:
            self._busy = True
            self._store.tell_riders(self._told)

    def _write_part(self) -> None:
        self._busy = True
        self._writing = self._waiting.popleft()
        self._count -= len(self._writing)
        sightings = list(self._writing.values())
        self._store.note(sightings, partial(self._written, sightings))

    def _written(self, part: Iterable[Sighting], owed: bool | BridgeError) -> None:
        self._writing = {}
        if isinstance(owed, BridgeError):  # the store is closed, and accounts for what it could not write
            return
        for sighting in part:
            if self._latest.get(sighting.device) is sighting:
                del self._latest[sighting.device]
        self._told(owed)

    def _told(self, owed: bool | BridgeError) -> None:
        if isinstance(owed, BridgeError):
            self._refused("changes behind gateways", owed)
            return
        self._owed = owed
        self._busy = False
        self._go_on()

    def _ended(self, all_of_them: bool | BridgeError) -> None:
        if isinstance(all_of_them, BridgeError):
            self._refused("ends of connections of the last run", all_of_them)
            return
        if all_of_them:
            self._last_run = None
        self._busy = False
        self._go_on()

    def _refused(self, what: str, error: BridgeError) -> None:
        _log.debug("%s not written yet", what, extra={"error": str(error)})
        self._busy = False
        if not self._stopped:
            self._waiting.clear()
            self._count = 0
            self._timer = asyncio.get_running_loop().call_later(_RETRY, self._again)

    def _again(self) -> None:
        self._timer = None
        self._keep_latest()
        self._go_on()


def _parts(sightings: Iterable[Sighting]) -> Iterable[dict[int, Sighting]]:
    rest = iter(sightings)
    while part := {each.device: each for each in itertools.islice(rest, _AT_ONCE)}:
        yield part
