"""Who may connect: registered devices, tokens of admins, anonymous clients if that is wanted."""

import pytest

from bridge.mqtt import Disconnect, Publish, Version
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt

ADMIN = frozenset(("admin",))


async def test_the_same_id_in_two_projects(site: Site) -> None:
    """The secret tells which of the two it is."""
    here = site.add_device()
    there = site.store.add_device("other", "pump-1", "another-secret")
    first, second = await site.client(), await site.client()
    await first.log_in(here)
    await second.log_in(there)
    assert [(await site.heard.wait("connected"))[1] for _ in range(2)] == [here.key, there.key]
    await first.quiet()
    third = await site.client()
    assert (await third.connect("pump-1", "pump-1", "a-third-secret")).reason_code == 0x86


async def test_an_admin_uses_a_token(site: Site) -> None:
    pump = site.add_device()
    device = await site.log_in(pump)
    token = site.store.add_token("ops", None, ADMIN)
    admin = await site.client()
    assert (await admin.connect("console", "default", token)).reason_code == 0
    assert await admin.subscribe("$oc/devices/+/user/#") == 1
    device.publish("$oc/devices/pump-1/user/up", b"1", 1)
    assert (await admin.take()).payload == b"1"


@pytest.mark.parametrize(
    ("project", "scopes", "code"),
    [
        (None, {"admin"}, 0),
        ("default", {"admin", "devices:read"}, 0),
        ("other", {"admin"}, 0x87),
        (None, {"messages:send", "devices:write"}, 0x87),
        ("default", set(), 0x87),
    ],
)
async def test_what_a_token_opens(site: Site, project: str | None, scopes: set[str], code: int) -> None:
    token = site.store.add_token("ops", project, frozenset(scopes))
    client = await site.client()
    assert (await client.connect("console", "default", token)).reason_code == code


@pytest.mark.parametrize("change", ["revoked", "rotated"])
async def test_the_connection_of_an_admin_ends_with_its_token(site: Site, change: str) -> None:
    """Those of other admins, and of devices, go on."""
    device = await site.log_in(site.add_device())
    lost, kept = (site.store.add_token(name, None, ADMIN) for name in ("lost", "kept"))
    admin, other = await site.client(), await site.client()
    for client, token in ((admin, lost), (other, kept)):
        assert (await client.connect(token[:8], "default", token)).reason_code == 0
    if change == "revoked":
        site.store.revoke_token("lost")
    else:
        site.store.rotate_token("lost", None, "a-new-text")
    assert (await admin.receive(Disconnect)).reason_code == 0x87
    for client in (other, device):
        await client.quiet()


@pytest.mark.parametrize("username", ["", "no/project", "x" * 65])
async def test_a_token_needs_the_name_of_a_project(site: Site, username: str) -> None:
    token = site.store.add_token("ops", None, ADMIN)
    client = await site.client()
    assert (await client.connect("console", username, token)).reason_code == 0x86


async def test_a_token_of_a_project_that_is_called_like_a_device(site: Site) -> None:
    site.add_device("plant")
    token = site.store.add_token("ops", "plant", ADMIN)
    client, device = await site.client(), await site.client()
    assert (await client.connect("console", "plant", token)).reason_code == 0
    assert (await device.connect("plant", "plant", SECRET)).reason_code == 0
    await client.quiet()


async def test_a_revoked_token_is_none(site: Site) -> None:
    token = site.store.add_token("ops", None, ADMIN)
    site.store.revoke_token("ops")
    client = await site.client()
    assert (await client.connect("console", "default", token)).reason_code == 0x86


@pytest.mark.parametrize("version", [Version.V311, Version.V5])
async def test_anonymous_clients_if_allowed(new_site: NewSite, version: Version) -> None:
    site = await new_site(mqtt(allow_anonymous=True))
    client = await site.client(version)
    assert (await client.connect("anybody")).reason_code == 0
    assert await client.subscribe("#") == 1
    refused = await client.subscribe("$oc/#")
    assert refused == (0x87 if version is Version.V5 else 0x80)
    client.publish("a/b", b"x")
    assert (await client.receive(Publish)).payload == b"x"


@pytest.mark.parametrize(("username", "password"), [("somebody", None), (None, b"something"), ("", None)])
async def test_whoever_names_himself_is_not_anonymous(
    new_site: NewSite, username: str | None, password: bytes | None
) -> None:
    site = await new_site(mqtt(allow_anonymous=True))
    client = await site.client()
    assert (await client.connect("anybody", username, password)).reason_code == 0x86


async def test_the_id_of_a_device_belongs_to_it(new_site: NewSite) -> None:
    """Nobody else of its project takes its connection over by calling himself like it."""
    site = await new_site(mqtt(allow_anonymous=True))
    pump = site.add_device()
    device = await site.log_in(pump)
    token = site.store.add_token("ops", None, ADMIN)
    for username, password in ((None, None), ("default", token)):
        client = await site.client()
        assert (await client.connect("pump-1", username, password)).reason_code == 0x85
    elsewhere = await site.client()
    assert (await elsewhere.connect("pump-1", "other", token)).reason_code == 0
    await device.quiet()
