"""The devices a site has registered."""

from bridge.model.device import Device
from bridge.model.errors import DuplicateDevice, UnknownDevice
from bridge.store import statements
from bridge.store.administration import Administration
from bridge.store.blocks import blocks
from bridge.store.connection import refusing, transaction, unreferenced
from bridge.store.rows import read_device

ADD = "INSERT INTO device (project, device_id, secret, created_at) VALUES (?, ?, ?, ?)"
FREEZE = "UPDATE device SET frozen = ? WHERE key = ?"
REMOVE = "DELETE FROM device WHERE key = ?"


class Devices(Administration):
    """All methods may raise StoreUnavailable."""

    def add_device(self, project: str, device_id: str, secret: str) -> Device:
        """Raises DuplicateDevice."""
        with transaction(self._connection):
            if self._query(statements.DEVICE, (project, device_id)):
                raise DuplicateDevice(f"project {project} has a device {device_id}")
            self._connection.execute(ADD, (project, device_id, secret, self._clock()))
            device = self._find_device(project, device_id)
            self._announce("device", name=device_id, project=project, device=device.key)
        self._written()
        return device

    def remove_device(self, project: str, device_id: str) -> None:
        """Its messages go, too. Raises UnknownDevice.

        What is stored goes first, in pieces that do not hold up the daemon's writer; what came in meanwhile goes
        together with the device. From then on the writer's foreign key refuses messages for it.
        """
        key = self._find_device(project, device_id).key
        stored = self._last_seq()
        with refusing():
            pieces = list(blocks(self._connection, key, newest=stored))
        for block in pieces:
            with transaction(self._connection):
                self._connection.execute(statements.REMOVE_BLOCK, (block, key))
        with unreferenced(self._connection), transaction(self._connection):
            for block in list(blocks(self._connection, key, newest=self._last_seq(), oldest=stored)):
                self._connection.execute(statements.REMOVE_BLOCK, (block, key))
            self._connection.execute(REMOVE, (key,))
            self._announce("device", name=device_id, project=project, device=key)
        self._written()

    def set_frozen(self, project: str, device_id: str, frozen: bool) -> None:
        """Raises UnknownDevice."""
        with transaction(self._connection):
            device = self._find_device(project, device_id)
            self._connection.execute(FREEZE, (frozen, device.key))
            self._announce("device", name=device_id, project=project, device=device.key)
        self._written()

    def devices(self, project: str | None, after: int = 0, limit: int = 1000) -> list[Device]:
        """Of one project or all, by key, those with `key` > `after`."""
        if project is None:
            rows = self._query(statements.DEVICES, (after, limit))
        else:
            rows = self._query(statements.DEVICES_OF_PROJECT, (project, after, limit))
        return [read_device(row) for row in rows]

    def device_by_key(self, key: int) -> Device | None:
        rows = self._query(statements.DEVICE_BY_KEY, (key,))
        return read_device(rows[0]) if rows else None

    def device(self, project: str, device_id: str) -> Device | None:
        rows = self._query(statements.DEVICE, (project, device_id))
        return read_device(rows[0]) if rows else None

    def devices_called(self, device_id: str) -> list[Device]:
        """Of all projects, oldest first."""
        return [read_device(row) for row in self._query(statements.DEVICES_CALLED, (device_id,))]

    def _last_seq(self) -> int:
        return self._query(statements.LAST_SEQ)[0][0] or 0

    def _find_device(self, project: str, device_id: str) -> Device:
        rows = self._query(statements.DEVICE, (project, device_id))
        if not rows:
            raise UnknownDevice(f"project {project} has no device {device_id}")
        return read_device(rows[0])
