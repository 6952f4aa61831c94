"""What is stored of a device, and the rules about gateways."""

from pathlib import Path

import pytest
from sqlite_utils import Database

from bridge.model.device import AuthType, Slot
from bridge.model.errors import (
    DuplicateDevice,
    HasSubDevices,
    IsSubDevice,
    UnknownDevice,
    UnsuitableGateway,
    WrongAuthType,
)
from bridge.model.record import Activity, Amendment, DeviceStatus, Enrolment, Profile, Record
from bridge.store import Admin, Store
from bridge.store.schema import MIGRATIONS
from tests.store.asking import added, finish
from tests.store.clock import HandClock

FULL = Profile(
    node_id="aa:bb:cc",
    product_id="lamps",
    name="Lamp 1",
    description="over the door",
    app_id="app-1",
    extension_info='{"n": 1.0}',
    tags=(("room", "hall"), ("floor", "1")),
    fw_version="1.2",
    sw_version="3.4",
    timeout=60,
)
PRINT = "ab" * 32


def enrol(store: Store, device_id: str, gateway_id: str | None = None) -> Record:
    return store.enrol("home", Enrolment(device_id, Profile(device_id), secret="12345678", gateway_id=gateway_id))


async def test_everything_is_kept(store: Store, path: Path, clock: HandClock) -> None:
    made = store.enrol("home", Enrolment("lamp", FULL, AuthType.CERTIFICATES, "", PRINT, secure_access=True))
    assert made.profile == FULL
    assert (made.device.auth_type, made.device.fingerprint, made.device.secure_access) == ("CERTIFICATES", PRINT, True)
    assert (made.device.secret, made.device.created_at) == ("", clock())
    assert made.line == Activity()
    assert made.status is DeviceStatus.INACTIVE
    assert store.record("home", "lamp") == made
    with Admin.open(path, clock) as admin:
        assert admin.record("home", "lamp") == made
    assert store.record("work", "lamp") is None


async def test_a_device_of_the_command_line_is_its_own_node(store: Store) -> None:
    lamp = store.add_device("home", "lamp", "secret-of-lamp")
    record = store.record("home", "lamp")
    assert record == Record(lamp, Profile("lamp"), Activity())


async def test_a_device_is_enrolled_once(store: Store) -> None:
    enrol(store, "lamp")
    with pytest.raises(DuplicateDevice):
        enrol(store, "lamp")


async def test_amending_changes_what_is_given(store: Store) -> None:
    store.enrol("home", Enrolment("lamp", FULL, secret="12345678"))
    assert store.amend("home", "lamp", Amendment()).profile == FULL
    changed = store.amend("home", "lamp", Amendment("", "new", "{}", secure_access=True, timeout=0))
    profile = changed.profile
    assert (profile.name, profile.description, profile.extension_info, profile.timeout) == ("", "new", "{}", 0)
    assert changed.device.secure_access is True
    assert profile.tags == FULL.tags
    assert store.record("home", "lamp") == changed
    assert store.device("home", "lamp") == changed.device
    with pytest.raises(UnknownDevice):
        store.amend("home", "fan", Amendment())


@pytest.mark.parametrize("slot", Slot)
async def test_one_secret_is_replaced(store: Store, slot: Slot) -> None:
    enrol(store, "lamp")
    store.set_secret("home", "lamp", "new-secret", slot)
    lamp = store.device("home", "lamp")
    assert lamp is not None
    kept = ("new-secret", "") if slot is Slot.PRIMARY else ("12345678", "new-secret")
    assert (lamp.secret, lamp.secondary_secret) == kept
    assert "new-secret" not in repr(lamp)
    with pytest.raises(WrongAuthType):
        store.set_fingerprint("home", "lamp", PRINT, slot)
    with pytest.raises(UnknownDevice):
        store.set_secret("home", "fan", "new-secret", slot)


@pytest.mark.parametrize("slot", Slot)
async def test_one_fingerprint_is_replaced(store: Store, slot: Slot) -> None:
    store.enrol("home", Enrolment("lamp", FULL, AuthType.CERTIFICATES, fingerprint=PRINT))
    store.set_fingerprint("home", "lamp", "cd" * 32, slot)
    lamp = store.device("home", "lamp")
    assert lamp is not None
    kept = ("cd" * 32, "") if slot is Slot.PRIMARY else (PRINT, "cd" * 32)
    assert (lamp.fingerprint, lamp.secondary_fingerprint) == kept
    with pytest.raises(WrongAuthType):
        store.set_secret("home", "lamp", "new-secret", slot)


async def test_a_device_is_at_most_two_gateways_away(store: Store) -> None:
    hub = enrol(store, "hub").device
    near = enrol(store, "near", "hub").device
    far = enrol(store, "far", "near").device
    assert (hub.gateway_id, hub.carrier) == (None, None)
    assert (near.gateway_id, near.carrier) == ("hub", hub.key)
    assert (far.gateway_id, far.carrier) == ("near", hub.key)
    for gateway in ("far", "nobody", "beyond"):
        with pytest.raises(UnsuitableGateway):
            enrol(store, "beyond", gateway)
    assert store.device("home", "beyond") is None


async def test_a_gateway_of_another_project_is_none(store: Store) -> None:
    store.add_device("work", "hub", "12345678")
    with pytest.raises(UnsuitableGateway, match="no device hub"):
        enrol(store, "near", "hub")


async def test_a_gateway_that_another_process_removed_is_none(store: Store, path: Path, clock: HandClock) -> None:
    enrol(store, "hub")
    assert store.device("home", "hub")
    with Admin.open(path, clock) as admin:
        admin.remove_device("home", "hub")
    with pytest.raises(UnsuitableGateway):
        enrol(store, "near", "hub")


async def test_a_gateway_goes_last(store: Store) -> None:
    hub = enrol(store, "hub").device
    enrol(store, "near", "hub")
    enrol(store, "far", "near")
    await added(store, hub.key, "m1")
    for gateway in ("hub", "near"):
        with pytest.raises(HasSubDevices):
            store.remove_device("home", gateway)
    assert store.message(hub.key, "m1")
    for device_id in ("far", "near", "hub"):
        store.remove_device("home", device_id)
        assert store.device("home", device_id) is None


async def test_what_has_no_connection_is_not_frozen(store: Store) -> None:
    enrol(store, "hub")
    enrol(store, "near", "hub")
    with pytest.raises(IsSubDevice):
        store.set_frozen("home", "near", True)
    store.set_frozen("home", "hub", True)
    record = store.record("home", "hub")
    assert record is not None
    assert record.status is DeviceStatus.FROZEN


async def test_devices_of_an_older_file(missing: Path, clock: HandClock) -> None:
    old = Database(missing)
    MIGRATIONS.apply(old, stop_before="device_records")
    old.execute("INSERT INTO device (project, device_id, secret, created_at) VALUES ('home', 'lamp', 'old-secret', 1)")
    old.close()
    store = Store.open(missing, clock=clock)
    record = store.record("home", "lamp")
    assert record is not None
    assert record.profile == Profile("lamp")
    assert (record.device.secret, record.device.auth_type, record.device.carrier) == ("old-secret", "SECRET", None)
    assert record.status is DeviceStatus.INACTIVE
    await store.close()


async def test_those_with_messages_waiting_behind_a_gateway(store: Store) -> None:
    hub = enrol(store, "hub").device
    near = enrol(store, "near", "hub").device
    far = enrol(store, "far", "near").device
    enrol(store, "idle", "hub")
    await added(store, hub.key, "m1")
    assert store.carried_pending(hub.key) == []
    await added(store, far.key, "m2")
    [done] = await added(store, near.key, "m3")
    assert sorted(store.carried_pending(hub.key), key=lambda device: device.key) == [near, far]
    await finish(store, done.seq)
    assert store.carried_pending(hub.key) == [far]
    assert store.carried_pending(near.key) == []
