"""What the registry needs of a store and of a broker, whichever they are."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from bridge.model.device import Device, Slot
from bridge.model.errors import BridgeError
from bridge.model.record import Amendment, Enrolment, Found, Record, Search, Sighting

T = TypeVar("T")


class DeviceTable(Protocol):
    """Durable devices. All methods return after the commit and may raise StoreUnavailable."""

    def enrol(self, project: str, enrolment: Enrolment) -> Record:
        """Raises DuplicateDevice, UnsuitableGateway."""

    def amend(self, project: str, device_id: str, amendment: Amendment) -> Record:
        """Raises UnknownDevice."""

    def set_secret(self, project: str, device_id: str, secret: str, slot: Slot) -> Device:
        """Raises UnknownDevice, WrongAuthType."""

    def set_fingerprint(self, project: str, device_id: str, fingerprint: str, slot: Slot) -> Device:
        """Raises UnknownDevice, WrongAuthType."""

    def set_frozen(self, project: str, device_id: str, frozen: bool) -> None:
        """Raises UnknownDevice, IsSubDevice."""

    def remove_device(self, project: str, device_id: str) -> None:
        """With its messages. Raises UnknownDevice, HasSubDevices."""

    def find(self, project: str, search: Search) -> Found: ...


class DeviceStore(Protocol):
    async def manage(self, action: Callable[[DeviceTable], T]) -> T:
        """Runs `action` away from the event loop. Who caches devices knows of its changes when this returns.

        Raises what `action` raises.
        """

    def record(self, project: str, device_id: str) -> Record | None:
        """At once; sees every committed write. Raises StoreUnavailable."""

    def note(self, sightings: Sequence[Sighting], done: Callable[[bool | BridgeError], None]) -> None:
        """Write down when devices, each named once, were connected, and tell whoever wants to know in the same
        transaction. Returns at once, as `MessageStore` does. `done(True)`: `tell_riders` has something to do. The store
        tries again, in order, until the disk takes it or the store is closed."""

    def end_last_run(self, at: int, done: Callable[[bool | BridgeError], None]) -> None:
        """Likewise, some of those who are written down as online went offline at `at`. `done(True)`: that was all."""

    def tell_riders(self, done: Callable[[bool | BridgeError], None]) -> None:
        """Likewise, some devices behind gateways came or went with them. `done(True)`: there are more."""


class Connections(Protocol):
    """Of devices, by `Device.key`."""

    def connected(self, device: int) -> bool: ...

    def disconnect(self, device: int) -> None:
        """End its connection, if it has one; it may come again."""
