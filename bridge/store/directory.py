"""Devices, tokens and access keys as the daemon asks for them: on every request, so they are answered from memory."""

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from bridge.model.access_key import AccessKey
from bridge.model.clock import Clock
from bridge.model.device import Device
from bridge.model.errors import StoreUnavailable
from bridge.model.principal import Principal
from bridge.store.access_keys import AccessKeys
from bridge.store.cache import Cache
from bridge.store.changes import Change, Changes
from bridge.store.devices import Devices
from bridge.store.revocations import Revocations
from bridge.store.rules import Rules
from bridge.store.tokens import Tokens, digest

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Directory(Devices, Tokens, AccessKeys, Rules, Revocations):
    """What is known is remembered until its change shows up in the feed. What is not there is looked for every time."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, changes: Changes) -> None:
        super().__init__(connection, clock)
        self._changes = changes
        self._watchers: list[Callable[[int], None]] = []
        self._rule_watchers: list[Callable[[str], None]] = []
        self._removal_watchers: list[Callable[[tuple[str, str]], None]] = []
        self._devices: Cache[tuple[str | None, str], Device] = Cache()
        self._called: Cache[str, tuple[Device, ...]] = Cache()
        self._token_watchers: list[Callable[[], None]] = []
        self._principals: Cache[bytes, Principal] = Cache()
        self._access_keys: Cache[str, AccessKey] = Cache()

    def on_device_change(self, callback: Callable[[int], None]) -> None:
        """`callback(key)` for each device added, removed or changed; `device_by_key` says what it is now."""
        self._watchers.append(callback)

    def on_device_removed(self, callback: Callable[[tuple[str, str]], None]) -> None:
        """`callback((project, device_id))` for each device that was removed."""
        self._removal_watchers.append(callback)

    def on_rule_change(self, callback: Callable[[str], None]) -> None:
        """`callback(rule_id)` for each rule added, removed or changed, or with a change of its actions; `route` says
        what it is now."""
        self._rule_watchers.append(callback)

    def on_token_change(self, callback: Callable[[], None]) -> None:
        """`callback()` after tokens were added, rotated or revoked; `principal` says what each opens now."""
        self._token_watchers.append(callback)

    def look(self) -> None:
        """Takes notice of what has changed, whoever changed it. Raises StoreUnavailable."""
        while changes := self._changes.take():
            for change in changes:
                self._forget(change)
            names = {each.device: (each.project or "", each.name) for each in changes if each.device is not None}
            for key, name in names.items():
                _tell(self._watchers, key)
                if self._removal_watchers and self._is_gone(key):
                    _tell(self._removal_watchers, name)
            if any(change.kind == "token" for change in changes):
                for watcher in self._token_watchers:
                    watcher()
            for rule_id in dict.fromkeys(change.name for change in changes if change.kind == "rule"):
                _tell(self._rule_watchers, rule_id)

    def device(self, project: str, device_id: str) -> Device | None:
        found = self._devices.get((project, device_id))
        if found is None and (found := super().device(project, device_id)):
            self._devices.remember((project, device_id), found)
        return found

    def devices_called(self, device_id: str) -> list[Device]:
        found = self._called.get(device_id)
        if found is None:
            found = tuple(super().devices_called(device_id))
            if found:
                self._called.remember(device_id, found)
        return list(found)

    def principal(self, token: str) -> Principal | None:
        known = digest(token)
        found = self._principals.get(known)
        if found is None and (found := self._principal(known)):
            self._principals.remember(known, found)
        return found

    def access_key(self, ak: str) -> AccessKey | None:
        found = self._access_keys.get(ak)
        if found is None and (found := super().access_key(ak)):
            self._access_keys.remember(ak, found)
        return found

    def _written(self) -> None:
        with contextlib.suppress(StoreUnavailable):  # the change is made, and the next look will find it
            self.look()

    def _is_gone(self, key: int) -> bool:
        try:
            return self.device_by_key(key) is None
        except StoreUnavailable:  # the other changes are told all the same
            return False

    def _forget(self, change: Change) -> None:
        if change.kind == "token":
            self._principals.clear()
        elif change.kind == "key":
            self._access_keys.clear()
        elif change.kind == "device":
            self._devices.pop((change.project, change.name), None)
            self._called.pop(change.name, None)


def _tell(watchers: list[Callable[[T], None]], changed: T) -> None:
    for watcher in watchers:
        try:
            watcher(changed)
        except Exception:  # a defect of one watcher must not keep the change from the others
            logger.exception("a watcher failed to take the change of %s", changed)
