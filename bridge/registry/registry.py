"""Devices as applications manage them."""

import dataclasses
import secrets

from bridge.model.device import AuthType, Slot
from bridge.model.errors import AlreadyFrozen, NotFrozen, UnknownDevice
from bridge.model.record import Amendment, Enrolment, Found, Record, Search
from bridge.registry.base import Connections, DeviceStore
from bridge.registry.presence import Presence

SECRET_BYTES = 24
"""192 random bits, 32 characters."""


class Registry:
    """Changes are stored away from the event loop. Whoever must know of one hears of it through the store."""

    def __init__(self, store: DeviceStore, connections: Connections, presence: Presence) -> None:
        self._store = store
        self._connections = connections
        self._presence = presence

    async def add(self, project: str, enrolment: Enrolment) -> Record:
        """A device that logs in with a secret gets a new one if it has none.

        Raises DuplicateDevice, UnsuitableGateway, StoreUnavailable.
        """
        if enrolment.auth_type is AuthType.SECRET and not enrolment.secret:
            enrolment = dataclasses.replace(enrolment, secret=secrets.token_urlsafe(SECRET_BYTES))
        return self._live(await self._store.manage(lambda table: table.enrol(project, enrolment)))

    def show(self, project: str, device_id: str) -> Record:
        """Raises UnknownDevice, StoreUnavailable."""
        record = self._store.record(project, device_id)
        if record is None:
            raise UnknownDevice(device_id)
        return self._live(record)

    async def find(self, project: str, search: Search) -> Found:
        """Raises StoreUnavailable."""
        found = await self._store.manage(lambda table: table.find(project, search))
        return Found([self._live(record) for record in found.records], found.count)

    async def amend(self, project: str, device_id: str, amendment: Amendment) -> Record:
        """Raises UnknownDevice, StoreUnavailable."""
        amended = await self._store.manage(lambda table: table.amend(project, device_id, amendment))
        # Read again: its connection may have been written down since that was read.
        return self._live(self._store.record(project, device_id) or amended)

    async def remove(self, project: str, device_id: str) -> None:
        """With its messages; its connection ends. Raises UnknownDevice, HasSubDevices, StoreUnavailable."""
        await self._store.manage(lambda table: table.remove_device(project, device_id))

    async def set_frozen(self, project: str, device_id: str, *, frozen: bool) -> None:
        """A frozen device may not connect; its connection ends.

        Raises UnknownDevice, IsSubDevice, AlreadyFrozen, NotFrozen, StoreUnavailable.
        """
        device = self.show(project, device_id).device
        if device.carrier is None and device.frozen is frozen:
            raise AlreadyFrozen(device_id) if frozen else NotFrozen(device_id)
        await self._store.manage(lambda table: table.set_frozen(project, device_id, frozen))

    async def reset_secret(
        self, project: str, device_id: str, secret: str | None, slot: Slot, *, disconnect: bool
    ) -> str:
        """The new secret. The connection goes on unless it is to be ended.

        Raises UnknownDevice, WrongAuthType, StoreUnavailable.
        """
        new = secret or secrets.token_urlsafe(SECRET_BYTES)
        device = await self._store.manage(lambda table: table.set_secret(project, device_id, new, slot))
        if disconnect:
            self._connections.disconnect(device.key)
        return new

    async def reset_fingerprint(
        self, project: str, device_id: str, fingerprint: str, slot: Slot, *, disconnect: bool
    ) -> None:
        """The connection goes on unless it is to be ended. Raises UnknownDevice, WrongAuthType, StoreUnavailable."""
        device = await self._store.manage(lambda table: table.set_fingerprint(project, device_id, fingerprint, slot))
        if disconnect:
            self._connections.disconnect(device.key)

    def _live(self, record: Record) -> Record:
        """What is stored about the connection may be of the last run, or not written yet."""
        carrier = record.device.carrier or record.device.key
        line = self._presence.latest(carrier, record.line)
        return dataclasses.replace(record, line=dataclasses.replace(line, online=self._connections.connected(carrier)))
