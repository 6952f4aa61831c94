"""When each device was connected, written down for the time after a restart."""

import asyncio
import itertools
import logging
from collections.abc import Sequence
from functools import partial

from bridge.model.clock import Clock
from bridge.model.errors import BridgeError
from bridge.model.record import Activity, Sighting
from bridge.registry.base import DeviceStore

_log = logging.getLogger(__name__)
_WAIT = 0.1
"""Seconds in which changes are put together: devices that come back by the thousand share a few statements."""
_RETRY = 1.0
"""Seconds until what the disk refused is written again."""
_AT_ONCE = 512
"""Devices in one write: it shares its commit with messages, which wait for it."""


class Presence:
    """Implements `bridge.broker.base.ConnectionListener`. Costs a device's connection two entries in dicts, for a
    while."""

    def __init__(self, store: DeviceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[int, Sighting] = {}
        self._writing: dict[int, Sighting] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        """To be called before the first device connects: whoever seems to be online is a trace of an unclean stop."""
        self._end_last_run(self._clock())

    def stop(self) -> None:
        """To be called when the last device is disconnected, before the store is closed."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        self._write()

    def latest(self, device: int, written: Activity) -> Activity:
        """What is known of the connection, also what is not written yet."""
        sighting = self._seen.get(device) or self._writing.get(device)
        if sighting is None:
            return written
        return Activity(sighting.online, sighting.at, written.active_at or sighting.connected_at)

    def connected(self, device: int) -> None:
        self._see(device, online=True)

    def disconnected(self, device: int) -> None:
        self._see(device, online=False)

    def _see(self, device: int, *, online: bool) -> None:
        now = self._clock()
        before = self._seen.get(device) or self._writing.get(device)
        connected_at = before.connected_at if before is not None else None
        if connected_at is None and online:
            connected_at = now
        self._seen[device] = Sighting(device, online, now, connected_at)
        self._plan(_WAIT)

    def _plan(self, seconds: float) -> None:
        if self._timer is None and not self._stopped:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._write)

    def _write(self) -> None:
        self._timer = None
        seen, self._seen = self._seen, {}
        self._writing |= seen
        sightings = iter(seen.values())
        while part := list(itertools.islice(sightings, _AT_ONCE)):
            self._store.note(part, partial(self._written, part))

    def _written(self, part: Sequence[Sighting], error: BridgeError | None) -> None:
        if error is not None:
            _log.error("connection times not written yet", extra={"count": len(part), "error": str(error)})
        for sighting in part:
            if self._writing.get(sighting.device) is not sighting:
                continue  # a newer one is on its way, and has what is worth keeping of this one
            del self._writing[sighting.device]
            if error is not None:
                self._seen.setdefault(sighting.device, sighting)
        if self._seen:
            self._plan(_RETRY if error is not None else _WAIT)

    def _end_last_run(self, at: int) -> None:
        def done(error: BridgeError | None) -> None:
            if error is not None and not self._stopped:
                _log.error("connections of the last run not ended yet", extra={"error": str(error)})
                asyncio.get_running_loop().call_later(_RETRY, self._end_last_run, at)

        self._store.note_all_offline(at, done)
