"""What the core says of devices → JSON of this dialect. Pure. A secret is shown to whoever has just made it, only."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

import msgspec

from bridge.api.iotda.paging import Page, record_id
from bridge.api.iotda.render import CompactTime, compact
from bridge.api.schema import shown
from bridge.model.device import AuthType, Slot
from bridge.model.record import DeviceStatus, Found, Record

_encode = msgspec.json.Encoder().encode


PreciseTime: TypeAlias = Annotated[
    str,
    shown(
        re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"),
        "UTC",
        examples=["2026-01-02T03:04:05.678Z"],
    ),
]


class ShownAuthInfo(msgspec.Struct, omit_defaults=True, kw_only=True):
    auth_type: AuthType
    secret: str | None = None
    fingerprint: str | None = None
    secondary_fingerprint: str | None = None
    secure_access: bool
    timeout: int


class Tag(msgspec.Struct):
    tag_key: str
    tag_value: str


class DeviceSummary(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A device in a list."""

    app_id: str | None = None
    device_id: str
    node_id: str
    gateway_id: str
    device_name: str | None = None
    node_type: Literal["GATEWAY", "ENDPOINT"]
    description: str | None = None
    fw_version: str | None = None
    sw_version: str | None = None
    product_id: str
    status: DeviceStatus
    tags: list[Tag]


class ShownDevice(DeviceSummary, omit_defaults=True, kw_only=True):
    auth_info: ShownAuthInfo
    create_time: CompactTime
    connection_status_update_time: PreciseTime | None = None
    active_time: PreciseTime | None = None
    extension_info: Annotated[msgspec.Raw, shown(type="object")] | None = None


class Devices(msgspec.Struct):
    devices: list[DeviceSummary]
    page: Page


class NewSecret(msgspec.Struct):
    device_id: str
    secret: str
    secret_type: Slot


class NewFingerprint(msgspec.Struct):
    device_id: str
    fingerprint: str
    fingerprint_type: Slot


def render_device(record: Record, *, with_secret: bool = False) -> bytes:
    """The answer to AddDevice, ShowDevice and UpdateDevice."""
    device, profile, activity = record.device, record.profile, record.activity
    auth_info = ShownAuthInfo(
        auth_type=device.auth_type,
        secret=device.secret or None if with_secret else None,
        fingerprint=device.fingerprint or None,
        secondary_fingerprint=device.secondary_fingerprint or None,
        secure_access=device.secure_access,
        timeout=profile.timeout,
    )
    shown = ShownDevice(
        **msgspec.structs.asdict(_summary(record)),
        auth_info=auth_info,
        create_time=compact(device.created_at),
        connection_status_update_time=_precise(activity.changed_at),
        active_time=_precise(activity.active_at),
        extension_info=msgspec.Raw(profile.extension_info.encode()) if profile.extension_info else None,
    )
    return _encode(shown)


def render_devices(found: Found) -> bytes:
    """The answer to ListDevices, in the order given."""
    marker = record_id(found.records[-1].device.key) if found.records else None
    return _encode(Devices([_summary(record) for record in found.records], Page(found.count, marker)))


def render_secret(device_id: str, secret: str, slot: Slot) -> bytes:
    """The answer to ResetDeviceSecret."""
    return _encode(NewSecret(device_id, secret, slot))


def render_fingerprint(device_id: str, fingerprint: str, slot: Slot) -> bytes:
    """The answer to ResetFingerprint."""
    return _encode(NewFingerprint(device_id, fingerprint, slot))


def _summary(record: Record) -> DeviceSummary:
    device, profile = record.device, record.profile
    return DeviceSummary(
        app_id=profile.app_id,
        device_id=device.device_id,
        node_id=profile.node_id,
        gateway_id=device.gateway_id or device.device_id,
        device_name=profile.name,
        node_type="GATEWAY" if device.gateway_id is None else "ENDPOINT",
        description=profile.description,
        fw_version=profile.fw_version,
        sw_version=profile.sw_version,
        product_id=profile.product_id,
        status=record.status,
        tags=[Tag(key, value) for key, value in profile.tags],
    )


def _precise(milliseconds: int | None) -> str | None:
    """`yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`, UTC. Input: milliseconds since the epoch."""
    if milliseconds is None:
        return None
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
