"""Messages whose device was removed while they were PENDING: applications are told how they ended."""

import asyncio
import logging
from collections.abc import Mapping

from bridge.delivery.base import MessageStore
from bridge.model.errors import BridgeError

_log = logging.getLogger(__name__)
_RETRY = 1.0
"""Seconds until what the disk refused is written again."""


class Orphans:
    """Page by page, the next one when the last one is committed; none while nothing is left."""

    def __init__(self, store: MessageStore, channels: Mapping[str, int]) -> None:
        self._store = store
        self._channels = channels
        self._busy = False
        self._again = False
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def tell(self) -> None:
        """There may be some: a device was removed, or the daemon starts."""
        if self._busy or self._timer is not None or self._stopped:
            self._again = True
            return
        self._busy = True
        self._again = False
        self._store.tell_orphans(self._channels, self._told)

    def stop(self) -> None:
        """What is left is told after the next start."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _told(self, more: bool | BridgeError) -> None:
        self._busy = False
        if isinstance(more, BridgeError):
            _log.debug("ends of messages of removed devices not told yet", extra={"error": str(more)})
            if not self._stopped:
                self._timer = asyncio.get_running_loop().call_later(_RETRY, self._retry)
        elif more or self._again:
            self.tell()

    def _retry(self) -> None:
        self._timer = None
        self.tell()
