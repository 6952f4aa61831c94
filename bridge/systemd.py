"""Talking to systemd: readiness and watchdog. Source: sd_notify(3), sd_watchdog_enabled(3)."""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Supervisor:
    """Does nothing when the daemon was not started by systemd."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        watched = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._interval = int(environ.get("WATCHDOG_USEC", "0")) / 2_000_000 if watched else 0.0
        self._timer: asyncio.TimerHandle | None = None

    def ready(self) -> None:
        """The service is up; from now on the watchdog is fed, as long as the event loop turns."""
        self._notify("READY=1")
        if self._interval:
            self._feed()

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._notify(f"STATUS={text}")

    def stopping(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._notify("STOPPING=1")

    def _feed(self) -> None:
        self._notify("WATCHDOG=1")
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._feed)

    def _notify(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.sendto(state.encode(), address)
        except OSError as error:
            _log.warning("systemd cannot be told", extra={"state": state, "error": str(error)})
