"""Devices that log in the vendor's way, beside those that do not."""

import hashlib
import hmac

import pytest

from bridge.model.device import Device, Slot
from bridge.model.record import Enrolment, Profile
from bridge.mqtt import Version
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt

VERSIONS = [Version.V31, Version.V311, Version.V5]
NOW = "2023111422"
"""The hour at which a site's clock stands."""


def sign(secret: str, timestamp: str = NOW) -> str:
    return hmac.new(timestamp.encode(), secret.encode(), hashlib.sha256).hexdigest()


async def attempt(
    site: Site,
    client_id: str,
    password: str,
    *,
    username: str = "pump-1",
    version: Version = Version.V5,
    keep_alive: int = 0,
    clean: bool = True,
) -> tuple[int, RawClient]:
    client = await site.client(version)
    connack = await client.connect(client_id, username, password, keep_alive=keep_alive, clean=clean)
    return connack.reason_code, client


def code(version: Version, old: int, new: int) -> int:
    return new if version is Version.V5 else old


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client_id", [f"pump-1_0_0_{NOW}", f"pump-1_0_1_{NOW}"])
async def test_a_signed_password(site: Site, version: Version, client_id: str) -> None:
    pump = site.add_device()
    reason, client = await attempt(site, client_id, sign(SECRET), version=version)
    assert reason == 0
    await site.submit(pump)
    await client.take()
    reason, _ = await attempt(site, client_id, sign("another"), version=version)
    assert reason == code(version, 4, 0x86)


@pytest.mark.parametrize("timestamp", ["2000010100", "2099123123", "0000000000", "9999999999"])
async def test_sign_type_0_takes_any_time(site: Site, timestamp: str) -> None:
    site.add_device()
    assert (await attempt(site, f"pump-1_0_0_{timestamp}", sign(SECRET, timestamp)))[0] == 0


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [
        ("2023111420", 0x86),
        ("2023111421", 0),
        ("2023111422", 0),
        ("2023111423", 0),
        ("2023111500", 0x86),
        ("2022111422", 0x86),
        ("2023113199", 0x85),
        ("0000000000", 0x85),
    ],
)
async def test_sign_type_1_takes_the_present_hour_and_its_neighbours(site: Site, timestamp: str, reason: int) -> None:
    site.add_device()
    assert (await attempt(site, f"pump-1_0_1_{timestamp}", sign(SECRET, timestamp)))[0] == reason


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "client_id",
    ["pump-1_0_", "pump-1_0_0_", f"pump-1_0_2_{NOW}", "pump-1_0_0_20231114", f"pump-1_0_0_{NOW}0", "pump-1_0_0_x"],
)
async def test_a_malformed_client_identifier(site: Site, version: Version, client_id: str) -> None:
    site.add_device()
    reason, client = await attempt(site, client_id, sign(SECRET), version=version)
    assert reason == code(version, 2, 0x85)
    assert await client.ended() is None


@pytest.mark.parametrize("client_id", ["pump-1", "pump-1_0", "pump-1_backup", "x", f"pump-2_0_0_{NOW}", ""])
async def test_another_client_identifier_says_nothing_about_the_password(site: Site, client_id: str) -> None:
    site.add_device()
    assert (await attempt(site, client_id, sign(SECRET)))[0] == 0x86


async def test_the_plain_secret_needs_no_form(site: Site) -> None:
    site.add_device()
    for client_id in ("pump-1", "pump-1_0_", "pump-1_0_2_x", f"pump-1_0_1_{NOW}", "pump-1_0_1_0000000000", "anything"):
        assert (await attempt(site, client_id, SECRET))[0] == 0


@pytest.mark.parametrize("password", ["", SECRET + "x", sign(SECRET).upper(), sign(SECRET)[:-1], sign(sign(SECRET))])
async def test_a_password_that_is_none(site: Site, password: str) -> None:
    site.add_device()
    assert (await attempt(site, f"pump-1_0_0_{NOW}", password))[0] == 0x86


async def test_either_secret_opens(site: Site) -> None:
    pump = site.add_device()
    site.store.set_secret(pump.project, pump.device_id, "secondary-1", Slot.SECONDARY)
    for password in (SECRET, "secondary-1", sign(SECRET), sign("secondary-1")):
        assert (await attempt(site, f"pump-1_0_1_{NOW}", password))[0] == 0
    site.store.set_secret(pump.project, pump.device_id, "primary-2", Slot.PRIMARY)
    codes = [
        (await attempt(site, f"pump-1_0_1_{NOW}", password))[0]
        for password in (SECRET, sign(SECRET), "primary-2", sign("primary-2"), sign("secondary-1"))
    ]
    assert codes == [0x86, 0x86, 0, 0, 0]


async def test_no_secret_is_no_password(site: Site) -> None:
    """A device without a second secret is not opened by what an empty one would make."""
    site.add_device()
    for password in ("", sign("")):
        assert (await attempt(site, f"pump-1_0_1_{NOW}", password))[0] == 0x86


async def test_the_project_whose_secret_it_is(site: Site) -> None:
    site.add_device()
    there = site.store.add_device("other", "pump-1", "another-secret")
    _, client = await attempt(site, f"pump-1_0_0_{NOW}", sign("another-secret"))
    await site.heard.wait("connected", there.key)
    await client.quiet()


async def test_a_device_id_may_hold_anything(site: Site) -> None:
    odd = site.add_device("a_0_1_2000010100")
    reason, _ = await attempt(site, f"a_0_1_2000010100_0_1_{NOW}", sign(SECRET), username=odd.device_id)
    assert reason == 0
    reason, _ = await attempt(site, "a_0_1_2000010100", SECRET, username=odd.device_id)
    assert reason == 0


async def test_the_session_is_the_devices(site: Site) -> None:
    """The client identifier changes every hour; the device does not."""
    site.add_device()
    _, client = await attempt(site, f"pump-1_0_1_{NOW}", sign(SECRET), version=Version.V311, clean=False)
    await client.subscribe("news")
    site.clock.advance(3600)
    later = "2023111423"
    again = await site.client(Version.V311)
    connack = await again.connect(f"pump-1_0_1_{later}", "pump-1", sign(SECRET, later), clean=False)
    assert (connack.reason_code, connack.session_present) == (0, True)
    assert await client.ended() is None
    again.publish("news", b"x")
    assert (await again.take()).payload == b"x"


@pytest.mark.parametrize("client_id", ["pump-1", f"pump-1_0_0_{NOW}", "pump-1_0_1_2000010100"])
async def test_a_signed_client_identifier_belongs_to_its_device(site: Site, client_id: str) -> None:
    pump = site.add_device()
    site.add_device("pump-2")
    client = await site.log_in(pump)
    assert (await attempt(site, client_id, SECRET, username="pump-2"))[0] == 0x85
    await client.quiet()


async def test_a_signed_client_identifier_of_nobody(site: Site) -> None:
    site.add_device()
    assert (await attempt(site, f"pump-9_0_0_{NOW}", SECRET))[0] == 0


async def test_frozen(site: Site) -> None:
    site.add_device()
    site.store.set_frozen("default", "pump-1", frozen=True)
    assert (await attempt(site, f"pump-1_0_0_{NOW}", sign(SECRET)))[0] == 0x8A


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_device_behind_a_gateway_does_not_connect(site: Site, version: Version) -> None:
    site.add_device()
    near = add_behind(site, "near", "pump-1")
    for password in (near.secret, sign(near.secret)):
        reason, _ = await attempt(site, f"near_0_0_{NOW}", password, username="near", version=version)
        assert reason == code(version, 5, 0x87)


def add_behind(site: Site, device_id: str, gateway_id: str) -> Device:
    enrolment = Enrolment(device_id, Profile(device_id), secret=SECRET, gateway_id=gateway_id)
    return site.store.enrol("default", enrolment).device


@pytest.mark.parametrize("version", [Version.V31, Version.V311])
@pytest.mark.parametrize(
    ("least", "asked", "reason"),
    [(0, 0, 0), (0, 1, 0), (0, 1200, 0), (0, 1201, 0), (0, 65_535, 0), (30, 0, 2), (30, 29, 2), (30, 30, 0)],
)
async def test_the_keep_alive_of_older_clients(
    new_site: NewSite, version: Version, least: int, asked: int, reason: int
) -> None:
    site = await new_site(mqtt(min_keep_alive=least, max_keep_alive=1200))
    site.add_device()
    assert (await attempt(site, "pump-1", SECRET, version=version, keep_alive=asked))[0] == reason


@pytest.mark.parametrize("asked", [0, 29, 1201])
async def test_newer_clients_are_told_another_keep_alive(new_site: NewSite, asked: int) -> None:
    site = await new_site(mqtt(min_keep_alive=30, max_keep_alive=1200))
    site.add_device()
    assert (await attempt(site, "pump-1", SECRET, keep_alive=asked))[0] == 0
