"""Administration from any process, also while the daemon runs."""

from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.model.clock import Clock
from bridge.store.access_keys import AccessKeys
from bridge.store.connection import open_connection
from bridge.store.devices import Devices
from bridge.store.rules import Rules
from bridge.store.tokens import Tokens


class Admin(Devices, Tokens, AccessKeys, Rules):
    """Devices, tokens, access keys and rules, written by the calling thread.

    A running daemon notices within a second.
    """

    @classmethod
    def open(cls, path: Path | str, clock: Clock) -> Self:
        """Creates the file if it is missing. Raises StoreUnavailable."""
        return cls(open_connection(path), clock)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
