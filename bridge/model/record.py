"""All that is known of a device: itself, what applications say about it, and when it was connected."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.model.device import AuthType, Device

DEFAULT_PRODUCT = "default"


class DeviceStatus(StrEnum):
    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    INACTIVE = "INACTIVE"
    """It never was connected."""
    FROZEN = "FROZEN"


@dataclass(frozen=True, slots=True)
class Profile:
    """What applications and people say about a device; kept, shown and searched, without any effect."""

    node_id: str
    """What the maker calls it: a serial number, a MAC address."""
    product_id: str = DEFAULT_PRODUCT
    name: str | None = None
    description: str | None = None
    app_id: str | None = None
    extension_info: str | None = None
    """JSON text of an object, exactly as it came."""
    tags: tuple[tuple[str, str], ...] = ()
    fw_version: str | None = None
    sw_version: str | None = None
    timeout: int = 0
    """Seconds in which the device was to connect for the first time; 0: for ever."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What is known of a connection."""

    online: bool = False
    changed_at: int | None = None
    """Since when it is up or down, milliseconds since the epoch; None: it never was up."""
    active_at: int | None = None
    """When it was up for the first time."""

    def since(self, moment: int) -> "Activity":
        """What of it happened after that. When it was up for the first time after it is not known."""
        if self.changed_at is None or self.changed_at >= moment:
            return Activity(self.online, self.changed_at)
        return Activity(self.online, moment if self.online else None)


@dataclass(frozen=True, slots=True)
class Record:
    device: Device
    profile: Profile
    line: Activity
    """Of the connection that carries its messages: its own or its gateway's."""

    @property
    def activity(self) -> Activity:
        """Its own. A device behind a gateway is connected as long as the gateway is."""
        return self.line if self.device.carrier is None else self.line.since(self.device.created_at)

    @property
    def status(self) -> DeviceStatus:
        if self.device.frozen:
            return DeviceStatus.FROZEN
        activity = self.activity
        if activity.online:
            return DeviceStatus.ONLINE
        return DeviceStatus.INACTIVE if activity.changed_at is None else DeviceStatus.OFFLINE


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A device to be registered; its dialect has checked every field."""

    device_id: str
    profile: Profile
    auth_type: AuthType = AuthType.SECRET
    secret: str = ""
    fingerprint: str = ""
    secure_access: bool = False
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is to change about a device; None: stays as it is."""

    name: str | None = None
    description: str | None = None
    extension_info: str | None = None
    secure_access: bool | None = None
    timeout: int | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """Which devices of a project, newest first. None: no matter."""

    limit: int
    before: int | None = None
    """Those with a smaller `Device.key`."""
    offset: int = 0
    """How many of them to pass over."""
    product_id: str | None = None
    node_id: str | None = None
    name: str | None = None
    app_id: str | None = None
    gateway_id: str | None = None
    """Those behind this device."""
    cascade: bool = False
    """Also those behind the devices behind `gateway_id`."""
    since: int | None = None
    """Registered then or later, milliseconds since the epoch."""
    until: int | None = None
    """Registered then or earlier."""


@dataclass(frozen=True, slots=True)
class Found:
    records: list[Record]
    count: int
    """How many there are in all, whatever `limit`, `before` and `offset`."""


@dataclass(slots=True)
class Sighting:
    """What a broker saw of a device since the last sighting that was written down."""

    device: int
    """`Device.key`."""
    online: bool
    at: int
    """Since when, milliseconds since the epoch."""
    connected_at: int | None
    """When it connected first, among what is put together here; None: it did not connect."""
