"""Devices that come and go, in the channel `device-status`."""

import logging
from functools import partial

from bridge.events.base import Devices, EventStore
from bridge.events.bodies import presence_text
from bridge.events.register import Register
from bridge.model.clock import Clock
from bridge.model.errors import BridgeError, StoreUnavailable
from bridge.model.event import DEVICE_STATUS

_log = logging.getLogger(__name__)


class ConnectionEvents:
    """Implements `bridge.broker.base.ConnectionListener`. Costs nothing as long as nobody wants to know."""

    def __init__(self, store: EventStore, devices: Devices, register: Register, clock: Clock) -> None:
        self._store = store
        self._devices = devices
        self._channels = register.wanting(DEVICE_STATUS)
        self._clock = clock
        self._since: dict[int, int] = {}
        """When those connected that did so since somebody wants to know."""

    def connected(self, device: int) -> None:
        if self._channels:
            self._since[device] = now = self._clock()
            self._tell(device, now, now, online=True)

    def disconnected(self, device: int) -> None:
        since = self._since.pop(device, None)
        if self._channels:
            self._tell(device, self._clock(), since, online=False)

    def _tell(self, device: int, at: int, last_online: int | None, *, online: bool) -> None:
        try:
            known = self._devices.device_by_key(device)
        except StoreUnavailable as error:
            _untold(device, error)
            return
        channel = self._channels.get(known.project) if known is not None else None
        if channel is not None:
            text = partial(presence_text, online, at, last_online)
            self._store.tell(channel, device, at, text, partial(_untold, device))


def _untold(device: int, result: bool | BridgeError) -> None:
    if isinstance(result, BridgeError):
        _log.error("change of a connection not told", extra={"device": device, "error": str(result)})
