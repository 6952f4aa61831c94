"""Enhanced authentication with SCRAM-SHA-256, whose two sides are a library's."""

from typing import Any

import pytest

from bridge.broker import MqttSettings
from bridge.mqtt import Auth, Connack, Connect, ReasonCode, Version
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.scram import PATH, ScramUser
from tests.broker.site import SECRET, Site, mqtt

USERS = {"anna": "pencil", "bert": "paper", "pump-1": "steam"}


def with_scram(**settings: Any) -> MqttSettings:
    return mqtt(plugins={PATH: {"users": USERS}}, **settings)


@pytest.fixture
async def site(new_site: NewSite) -> Site:
    return await new_site(with_scram())


async def scram(client: RawClient, user: str, password: str, client_id: str = "", **fields: Any) -> Connack:
    """Log in."""
    party = ScramUser(user, password)
    client.send(Connect(Version.V5, client_id, properties=party.first(), **fields))
    client.send(party.answer(await client.receive(Auth)))
    connack = await client.receive(Connack)
    if not connack.reason_code:
        party.check(connack.properties)
    return connack


async def test_mqtt_4_12_0_5_scram(site: Site) -> None:
    """Challenge, answer, and the server's own proof in the CONNACK."""
    client = await site.client()
    connack = await scram(client, "anna", "pencil")
    assert connack.reason_code == 0
    assert "assigned_client_identifier" in connack.properties
    assert await client.subscribe("a/#") == 1
    assert await client.subscribe("$oc/devices/pump-1/#") == 0x87


async def test_a_device_that_proves_its_name(site: Site) -> None:
    device = site.add_device()
    client = await site.client()
    assert (await scram(client, "pump-1", "steam", "pump-1")).reason_code == 0
    message = await site.submit(device)
    await client.take()
    assert site.shown(device, message).status is not None
    assert site.hub.connected(device.key)


@pytest.mark.parametrize(
    ("user", "password", "client_id", "code"),
    [("anna", "wrong", "", 0x86), ("nobody", "pencil", "", 0x86), ("anna", "pencil", "pump-1", 0x85)],
)
async def test_mqtt_4_12_0_4_not_let_in(site: Site, user: str, password: str, client_id: str, code: int) -> None:
    """[MQTT-4.12.0-4]"""
    site.add_device()
    client = await site.client()
    party = ScramUser(user, password)
    client.send(Connect(Version.V5, client_id, properties=party.first()))
    if user != "nobody":
        client.send(party.answer(await client.receive(Auth)))
    connack = await client.receive(Connack)
    assert connack.reason_code == code
    assert await client.ended() is None


async def test_a_frozen_device_proves_its_name(site: Site) -> None:
    site.add_device()
    site.store.set_frozen("default", "pump-1", True)
    client = await site.client()
    assert (await scram(client, "pump-1", "steam", "pump-1")).reason_code == 0x8A


async def test_others_log_in_as_ever(site: Site) -> None:
    device = await site.log_in(site.add_device())
    await device.quiet()
    old = await site.client(Version.V311)
    assert (await old.connect("pump-1", "pump-1", SECRET)).reason_code == 0


async def test_mqtt_4_12_1_1_authenticating_again(site: Site) -> None:
    client = await site.client()
    await scram(client, "anna", "pencil")
    for _ in range(2):
        party = ScramUser("anna", "pencil")
        client.send(Auth(ReasonCode.REAUTHENTICATE, party.first()))
        client.send(party.answer(await client.receive(Auth)))
        done = await client.receive(Auth)
        assert done.reason_code == ReasonCode.SUCCESS
        party.check(done.properties)
        await client.quiet()


@pytest.mark.parametrize(("user", "password"), [("anna", "wrong"), ("bert", "paper")])
async def test_mqtt_4_12_1_2_authenticating_again_in_vain(site: Site, user: str, password: str) -> None:
    """[MQTT-4.12.1-2]"""
    client = await site.client()
    await scram(client, "anna", "pencil")
    party = ScramUser(user, password)
    client.send(Auth(ReasonCode.REAUTHENTICATE, party.first()))
    client.send(party.answer(await client.receive(Auth)))
    assert await client.ended() == 0x87


@pytest.mark.slow
async def test_wrong_proofs_are_held_back(new_site: NewSite) -> None:
    site = await new_site(with_scram(max_failed_logins=1))
    for _ in range(2):
        client = await site.client()
        party = ScramUser("anna", "wrong")
        client.send(Connect(Version.V5, "", properties=party.first()))
        client.send(party.answer(await client.receive(Auth)))
    assert (await client.receive(Connack)).reason_code == 0x86
