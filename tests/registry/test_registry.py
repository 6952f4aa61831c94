"""What applications do to devices, and what the devices feel of it."""

import re

import pytest

from bridge.model.device import AuthType, Slot
from bridge.model.errors import (
    AlreadyFrozen,
    DuplicateDevice,
    HasSubDevices,
    IsSubDevice,
    NotFrozen,
    StoreUnavailable,
    UnknownDevice,
    UnsuitableGateway,
    WrongAuthType,
)
from bridge.model.record import Activity, Amendment, Enrolment, Profile, Search
from tests.broker.site import SECRET
from tests.registry.managed_site import ManagedSite

PRINT = "ab" * 32


async def test_a_device_gets_a_secret_if_it_needs_one(site: ManagedSite) -> None:
    made = await site.registry.add("default", Enrolment("pump-1", Profile("n")))
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", made.device.secret)
    again = await site.registry.add("default", Enrolment("pump-2", Profile("n")))
    assert again.device.secret != made.device.secret
    given = await site.registry.add("default", Enrolment("pump-3", Profile("n"), secret="12345678"))
    assert given.device.secret == "12345678"
    by_certificate = Enrolment("pump-4", Profile("n"), AuthType.CERTIFICATES, fingerprint=PRINT)
    assert (await site.registry.add("default", by_certificate)).device.secret == ""


async def test_a_new_device_connects_at_once(site: ManagedSite) -> None:
    made = await site.enrol("pump-1")
    await site.log_in(made.device)
    assert site.state("pump-1") == "ONLINE"


async def test_errors_of_the_store_come_through(site: ManagedSite) -> None:
    registry = site.registry
    await site.enrol("hub")
    await site.enrol("near", "hub")
    with pytest.raises(DuplicateDevice):
        await site.enrol("hub")
    with pytest.raises(UnsuitableGateway):
        await site.enrol("lost", "nobody")
    with pytest.raises(HasSubDevices):
        await registry.remove("default", "hub")
    for frozen in (True, False):
        with pytest.raises(IsSubDevice):
            await registry.set_frozen("default", "near", frozen=frozen)
    with pytest.raises(WrongAuthType):
        await registry.reset_fingerprint("default", "hub", PRINT, Slot.PRIMARY, disconnect=False)


async def test_nobody_is_unknown_everywhere(site: ManagedSite) -> None:
    registry = site.registry
    with pytest.raises(UnknownDevice):
        registry.show("default", "ghost")
    for asked in (
        registry.amend("default", "ghost", Amendment()),
        registry.remove("default", "ghost"),
        registry.set_frozen("default", "ghost", frozen=True),
        registry.reset_secret("default", "ghost", None, Slot.PRIMARY, disconnect=True),
        registry.reset_fingerprint("default", "ghost", PRINT, Slot.PRIMARY, disconnect=True),
    ):
        with pytest.raises(UnknownDevice):
            await asked


async def test_amending_disconnects_nobody(site: ManagedSite) -> None:
    client = await site.log_in((await site.enrol("pump-1")).device)
    changed = await site.registry.amend("default", "pump-1", Amendment("new name", secure_access=True))
    assert (changed.profile.name, changed.status) == ("new name", "ONLINE")
    await client.quiet()


async def test_frozen_and_thawed(site: ManagedSite) -> None:
    pump = (await site.enrol("pump-1")).device
    with pytest.raises(NotFrozen):
        await site.registry.set_frozen("default", "pump-1", frozen=False)
    client = await site.log_in(pump)
    await site.registry.set_frozen("default", "pump-1", frozen=True)
    assert await client.ended() == 0x98
    assert site.state("pump-1") == "FROZEN"
    with pytest.raises(AlreadyFrozen):
        await site.registry.set_frozen("default", "pump-1", frozen=True)
    refused = await site.client()
    assert (await refused.connect("pump-1", "pump-1", SECRET)).reason_code == 0x8A
    await site.registry.set_frozen("default", "pump-1", frozen=False)
    assert site.state("pump-1") == "OFFLINE"
    await site.log_in(pump)


@pytest.mark.parametrize("slot", Slot)
async def test_a_new_secret_is_for_the_next_connection(site: ManagedSite, slot: Slot) -> None:
    pump = (await site.enrol("pump-1")).device
    client = await site.log_in(pump)
    secret = await site.registry.reset_secret("default", "pump-1", None, slot, disconnect=False)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", secret)
    await client.quiet()
    assert await site.registry.reset_secret("default", "pump-1", "87654321", slot, disconnect=True) == "87654321"
    assert await client.ended() == 0x98
    codes = [
        (await (await site.client()).connect("pump-1", "pump-1", each)).reason_code
        for each in ("87654321", SECRET, secret)
    ]
    assert codes == [0, 0x86 if slot is Slot.PRIMARY else 0, 0x86]


async def test_a_disconnected_device_that_is_not_connected(site: ManagedSite) -> None:
    await site.enrol("pump-1")
    await site.registry.reset_secret("default", "pump-1", None, Slot.PRIMARY, disconnect=True)
    await site.registry.add("default", Enrolment("pump-2", Profile("n"), AuthType.CERTIFICATES, fingerprint=PRINT))
    await site.registry.reset_fingerprint("default", "pump-2", "cd" * 32, Slot.PRIMARY, disconnect=True)
    await site.registry.reset_fingerprint("default", "pump-2", "ef" * 32, Slot.SECONDARY, disconnect=False)
    device = site.show("pump-2").device
    assert (device.fingerprint, device.secondary_fingerprint) == ("cd" * 32, "ef" * 32)


async def test_a_session_outlives_a_new_secret(site: ManagedSite) -> None:
    pump = (await site.enrol("pump-1")).device
    client = await site.log_in(pump, properties={"session_expiry_interval": 60})
    await client.subscribe("news")
    await site.registry.reset_secret("default", "pump-1", "87654321", Slot.PRIMARY, disconnect=True)
    assert await client.ended() == 0x98
    again = await site.client()
    connack = await again.connect(
        "pump-1", "pump-1", "87654321", clean=False, properties={"session_expiry_interval": 60}
    )
    assert (connack.reason_code, connack.session_present) == (0, True)
    again.publish("news", b"x")
    assert (await again.take()).payload == b"x"


async def test_those_behind_a_gateway_share_its_connection(site: ManagedSite) -> None:
    hub = (await site.enrol("hub")).device
    await site.enrol("near", "hub")
    await site.enrol("far", "near")
    assert [site.state(each) for each in ("hub", "near", "far")] == ["INACTIVE"] * 3
    client = await site.log_in(hub)
    up = site.clock()
    assert [site.state(each) for each in ("hub", "near", "far")] == ["ONLINE"] * 3
    assert site.show("far").activity == Activity(True, up, None)
    site.clock.advance(5)
    late = await site.enrol("late", "hub")
    assert late.activity == Activity(True, site.clock(), None)
    site.clock.advance(5)
    await site.log_out(hub, client)
    assert [site.state(each) for each in ("hub", "near", "far", "late")] == ["OFFLINE"] * 4
    site.clock.advance(5)
    assert (await site.enrol("later", "hub")).status == "INACTIVE"
    found = await site.registry.find("default", Search(10, gateway_id="hub"))
    assert {record.device.device_id: str(record.status) for record in found.records} == {
        "near": "OFFLINE",
        "late": "OFFLINE",
        "later": "INACTIVE",
    }


async def test_found_devices_are_shown_as_they_are_now(site: ManagedSite) -> None:
    pump = (await site.enrol("pump-1")).device
    await site.enrol("pump-2")
    await site.log_in(pump)
    found = await site.registry.find("default", Search(10))
    assert [(record.device.device_id, record.status) for record in found.records] == [
        ("pump-2", "INACTIVE"),
        ("pump-1", "ONLINE"),
    ]
    assert found.count == 2


async def test_nothing_more_once_the_store_is_closed(site: ManagedSite) -> None:
    await site.store.close()
    with pytest.raises(StoreUnavailable):
        await site.enrol("pump-1")
    with pytest.raises(StoreUnavailable):
        site.show("pump-1")
