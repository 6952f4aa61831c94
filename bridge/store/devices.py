"""The devices a site has registered."""

import contextlib
from collections.abc import Iterator

from bridge.model.device import AuthType, Device, Slot
from bridge.model.errors import (
    DuplicateDevice,
    HasSubDevices,
    IsSubDevice,
    UnknownDevice,
    UnsuitableGateway,
    WrongAuthType,
)
from bridge.model.record import Amendment, Enrolment, Profile, Record
from bridge.model.topics import device_tree
from bridge.store import statements
from bridge.store.blocks import blocks
from bridge.store.connection import refusing, transaction, unreferenced
from bridge.store.hearing_statements import ORPHAN_BLOCK
from bridge.store.records import Records
from bridge.store.retained import DROP_TREE, tree_bounds
from bridge.store.rows import enrolled_row, read_device

ENROLLED = (
    "project, device_id, secret, created_at, auth_type, fingerprint, secure_access, gateway_id, carrier, node_id, "
    "product_id, name, description, app_id, extension_info, tags, fw_version, sw_version, timeout"
)
ENROL = f"INSERT INTO device ({ENROLLED}) VALUES ({', '.join('?' * 19)})"  # noqa: S608 - constants
AMEND = """
    UPDATE device SET name = ifnull(?, name), description = ifnull(?, description),
        extension_info = ifnull(?, extension_info), secure_access = ifnull(?, secure_access),
        timeout = ifnull(?, timeout)
    WHERE key = ?
"""
SET_SECRET = {
    Slot.PRIMARY: "UPDATE device SET secret = ? WHERE key = ?",
    Slot.SECONDARY: "UPDATE device SET secondary_secret = ? WHERE key = ?",
}
SET_FINGERPRINT = {
    Slot.PRIMARY: "UPDATE device SET fingerprint = ? WHERE key = ?",
    Slot.SECONDARY: "UPDATE device SET secondary_fingerprint = ? WHERE key = ?",
}
FREEZE = "UPDATE device SET frozen = ? WHERE key = ?"
REMOVE = "DELETE FROM device WHERE key = ?"


class Devices(Records):
    """All methods may raise StoreUnavailable."""

    def add_device(self, project: str, device_id: str, secret: str) -> Device:
        """Raises DuplicateDevice."""
        return self.enrol(project, Enrolment(device_id, Profile(node_id=device_id), secret=secret)).device

    def enrol(self, project: str, enrolment: Enrolment) -> Record:
        """Raises DuplicateDevice, UnsuitableGateway."""
        device_id = enrolment.device_id
        with transaction(self._connection):
            if self._query(statements.DEVICE, (project, device_id)):
                raise DuplicateDevice(f"project {project} has a device {device_id}")
            carrier = self._carrier(project, enrolment.gateway_id) if enrolment.gateway_id else None
            self._connection.execute(ENROL, enrolled_row(project, enrolment, carrier, self._clock()))
            [record] = self._query_records(statements.RECORD, (project, device_id))
            self._announce("device", name=device_id, project=project, device=record.device.key)
        self._written()
        return record

    def amend(self, project: str, device_id: str, amendment: Amendment) -> Record:
        """Raises UnknownDevice."""
        with self._changing(project, device_id) as device:
            self._connection.execute(
                AMEND,
                (
                    amendment.name,
                    amendment.description,
                    amendment.extension_info,
                    amendment.secure_access,
                    amendment.timeout,
                    device.key,
                ),
            )
            [record] = self._query_records(statements.RECORD, (project, device_id))
        return record

    def set_secret(self, project: str, device_id: str, secret: str, slot: Slot) -> Device:
        """Replaces one of the secrets; the other one stays good. Raises UnknownDevice, WrongAuthType."""
        with self._changing(project, device_id) as device:
            if device.auth_type is not AuthType.SECRET:
                raise WrongAuthType("the device logs in with a certificate")
            self._connection.execute(SET_SECRET[slot], (secret, device.key))
        return device

    def set_fingerprint(self, project: str, device_id: str, fingerprint: str, slot: Slot) -> Device:
        """Replaces one of the fingerprints; the other one stays good. Raises UnknownDevice, WrongAuthType."""
        with self._changing(project, device_id) as device:
            if device.auth_type is not AuthType.CERTIFICATES:
                raise WrongAuthType("the device logs in with a secret")
            self._connection.execute(SET_FINGERPRINT[slot], (fingerprint, device.key))
        return device

    def remove_device(self, project: str, device_id: str) -> None:
        """Its messages go, too; the senders of those that were PENDING are told by the daemon. What is retained in its
        tree goes, because its id may come to mean another device.

        Raises UnknownDevice; HasSubDevices for a gateway, whose devices go first.

        What is stored goes first, in pieces that do not hold up the daemon's writer; what came in meanwhile goes
        together with the device. From then on the writer's foreign key refuses messages for it.
        """
        key = self._find_device(project, device_id).key
        self._check_nobody_behind(project, device_id)
        stored = self._last_seq()
        with refusing():
            pieces = list(blocks(self._connection, key, newest=stored))
        for block in pieces:
            with transaction(self._connection):
                self._remove_block(block, key)
        with unreferenced(self._connection), transaction(self._connection):
            self._check_nobody_behind(project, device_id)
            for block in list(blocks(self._connection, key, newest=self._last_seq(), oldest=stored)):
                self._remove_block(block, key)
            self._connection.execute(REMOVE, (key,))
            self._connection.execute(DROP_TREE, (project, *tree_bounds(device_tree(device_id))))
            self._announce("device", name=device_id, project=project, device=key)
        self._written()

    def set_frozen(self, project: str, device_id: str, frozen: bool) -> None:
        """Raises UnknownDevice, IsSubDevice."""
        with self._changing(project, device_id) as device:
            if device.carrier is not None:
                raise IsSubDevice("a device behind a gateway has no connection of its own")
            self._connection.execute(FREEZE, (frozen, device.key))

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
        return self._read_device(project, device_id)

    def devices_called(self, device_id: str) -> list[Device]:
        """Of all projects, oldest first."""
        return [read_device(row) for row in self._query(statements.DEVICES_CALLED, (device_id,))]

    @contextlib.contextmanager
    def _changing(self, project: str, device_id: str) -> Iterator[Device]:
        """A transaction that changes one device. The device is as it was before. Raises UnknownDevice."""
        with transaction(self._connection):
            device = self._find_device(project, device_id)
            yield device
            self._announce("device", name=device_id, project=project, device=device.key)
        self._written()

    def _carrier(self, project: str, gateway_id: str) -> int:
        """The device whose connection carries the messages of those behind the gateway. Raises UnsuitableGateway.

        The vendor's rule: a device is at most two gateways away from its connection.
        """
        gateway = self._read_device(project, gateway_id)
        if gateway is None:
            raise UnsuitableGateway(f"there is no device {gateway_id}")
        if gateway.gateway_id is None or gateway.carrier is None:
            return gateway.key
        next_one = self._read_device(project, gateway.gateway_id)
        if next_one is None or next_one.key != gateway.carrier:
            raise UnsuitableGateway(f"the device {gateway_id} is itself behind two gateways")
        return gateway.carrier

    def _check_nobody_behind(self, project: str, device_id: str) -> None:
        if self._query(statements.SUB_DEVICE, (project, device_id)):
            raise HasSubDevices(f"there are devices behind {device_id}")

    def _remove_block(self, block: int, device: int) -> None:
        """What is PENDING in it becomes an orphan, whose end the daemon tells."""
        self._connection.execute(ORPHAN_BLOCK, (self._clock(), block, device))
        self._connection.execute(statements.REMOVE_BLOCK, (block, device))

    def _last_seq(self) -> int:
        return self._query(statements.LAST_SEQ)[0][0] or 0

    def _find_device(self, project: str, device_id: str) -> Device:
        device = self._read_device(project, device_id)
        if device is None:
            raise UnknownDevice(f"project {project} has no device {device_id}")
        return device

    def _read_device(self, project: str, device_id: str) -> Device | None:
        """As it is stored now; `device` may be answered from memory."""
        rows = self._query(statements.DEVICE, (project, device_id))
        return read_device(rows[0]) if rows else None
