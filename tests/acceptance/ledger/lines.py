"""Connections of clients that are no devices."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bridge.mqtt import Version
from tests.acceptance.daemon import Daemon
from tests.acceptance.device import Login
from tests.acceptance.ledger.devices import connected
from tests.acceptance.raw_device import RawDevice


class Lines:
    """Of admins: the project as user name, the token as password."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._token = daemon.token

    @contextmanager
    def open(self, name: str, *, clean: bool) -> Iterator[tuple[RawDevice, bool]]:
        """The connection, and whether the session was there already. Raises OSError, EOFError."""
        line = RawDevice(self._daemon.mqtt, Login("default", self._token, name), Version.V5)
        try:
            fields: dict[str, Any] = {} if clean else {"properties": {"session_expiry_interval": 3600}}
            yield line, connected(line, clean_start=clean, **fields)
        finally:
            line.close()
