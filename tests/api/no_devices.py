"""A site where no device is registered: for tests that are about something else."""

from bridge.model.device import Slot
from bridge.model.errors import UnknownDevice
from bridge.model.record import Amendment, Enrolment, Found, Record, Search


class NoDevices:
    async def add(self, project: str, enrolment: Enrolment) -> Record:
        raise NotImplementedError

    def show(self, project: str, device_id: str) -> Record:
        raise UnknownDevice

    async def find(self, project: str, search: Search) -> Found:
        return Found([], 0)

    async def amend(self, project: str, device_id: str, amendment: Amendment) -> Record:
        raise UnknownDevice

    async def remove(self, project: str, device_id: str) -> None:
        raise UnknownDevice

    async def set_frozen(self, project: str, device_id: str, *, frozen: bool) -> None:
        raise UnknownDevice

    async def reset_secret(
        self, project: str, device_id: str, secret: str | None, slot: Slot, *, disconnect: bool
    ) -> str:
        raise UnknownDevice

    async def reset_fingerprint(
        self, project: str, device_id: str, fingerprint: str, slot: Slot, *, disconnect: bool
    ) -> None:
        raise UnknownDevice
