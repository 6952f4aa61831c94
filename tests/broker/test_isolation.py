"""Devices see nothing of each other, projects nothing at all."""

import pytest

from bridge.mqtt import Publish, Version
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt
from tests.broker.test_messages import publish

OWN = "$oc/devices/pump-1/"
OTHER = "$oc/devices/pump-2/"


async def admin(site: Site, project: str = "default") -> RawClient:
    token = site.store.add_token(f"ops-{project}", None, frozenset(("admin",)))
    client = await site.client()
    assert (await client.connect("console", project, token)).reason_code == 0
    return client


@pytest.mark.parametrize(
    ("topic_filter", "code"),
    [
        (f"{OWN}#", 1),
        (f"{OWN}user/a", 1),
        (f"{OWN}sys/+/down", 1),
        ("$oc/devices/pump-1", 1),
        (f"{OTHER}user/a", 0x87),
        ("$oc/devices/pump-10/user/a", 0x87),
        ("$oc/devices/+/user/a", 0x87),
        ("$oc/devices/#", 0x87),
        ("$oc/#", 0x87),
        ("$SYS/#", 0x87),
        ("$oc/broadcast/news", 1),
        ("#", 1),
        ("+/devices/pump-2/#", 1),
        ("a/b", 1),
    ],
)
async def test_what_a_device_may_subscribe_to(site: Site, topic_filter: str, code: int) -> None:
    client = await site.log_in(site.add_device())
    assert await client.subscribe(topic_filter) == code


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        (f"{OWN}user/a", 0),
        (f"{OWN}sys/messages/up", 0),
        (f"{OTHER}user/a", 0x87),
        (f"{OTHER}sys/messages/down", 0x87),
        ("$oc/broadcast/news", 0x87),
        ("$SYS/a", 0x87),
        ("a/b", 0x10),
    ],
)
async def test_what_a_device_may_publish_to(site: Site, topic: str, code: int) -> None:
    sender = await site.log_in(site.add_device())
    assert await publish(sender, topic, b"x") == code
    sender.publish(topic, b"x", 0)
    await sender.quiet()


@pytest.mark.parametrize("version", [Version.V31, Version.V311])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_an_older_client_is_not_told(site: Site, version: Version, qos: int) -> None:
    """It is acknowledged and goes nowhere [MQTT-3.3.5-2]."""
    other = await site.log_in(site.add_device("pump-2"))
    await other.subscribe(f"{OTHER}#")
    sender = await site.log_in(site.add_device(), version)
    await publish(sender, f"{OTHER}user/a", b"x", qos)
    await other.quiet()


async def test_wildcards_do_not_reach_into_the_trees(site: Site) -> None:
    """[MQTT-4.7.2-1]"""
    watcher = await site.log_in(site.add_device("pump-2"))
    await watcher.subscribe("#")
    await watcher.subscribe("+/devices/#")
    sender = await site.log_in(site.add_device())
    await publish(sender, f"{OWN}user/a", b"x")
    await watcher.quiet()


async def test_rules_of_the_configuration(new_site: NewSite) -> None:
    site = await new_site(
        mqtt(device_publish=("plant/+/state",), device_subscribe=("plant/#", "$oc/devices/hub/user/#"))
    )
    client = await site.log_in(site.add_device())
    assert await publish(client, "plant/1/state", b"x") == 0x10
    assert await publish(client, "plant/1/other", b"x") == 0x87
    assert await publish(client, "a", b"x") == 0x87
    assert await client.subscribe("plant/+/state") == 1
    assert await client.subscribe("$oc/devices/hub/user/news") == 1
    assert await client.subscribe("a") == 0x87
    assert await client.subscribe("#") == 0x87


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_system_topics_reach_their_device_unasked(new_site: NewSite, qos: int) -> None:
    site = await new_site(mqtt(downlink_qos=qos))
    console = await admin(site)
    pump = await site.log_in(site.add_device())
    bystander = await site.log_in(site.add_device("pump-2"))
    for topic in ("sys/messages/down", "sys/commands/request_id=7", "sys/events/down"):
        assert await publish(console, OWN + topic, b"x", 2) == 0
        received = await pump.take()
        assert (received.topic, received.qos) == (OWN + topic, qos)
    for topic in ("sys/messages/up", "user/a", "sys/commands/response"):
        await publish(console, OWN + topic, b"x")
    await publish(console, "$oc/devices/pump-3/sys/messages/down", b"x")
    await publish(console, "$oc/devices", b"x")
    await pump.quiet()
    await bystander.quiet()


async def test_its_own_subscription_goes_first(site: Site) -> None:
    console = await admin(site)
    pump = await site.log_in(site.add_device())
    await pump.subscribe(f"{OWN}sys/#", 0)
    await publish(console, f"{OWN}sys/messages/down", b"x")
    assert (await pump.receive(Publish)).qos == 0
    await pump.quiet()


async def test_projects_never_meet(site: Site) -> None:
    """The same topics, client identifiers and device ids, and nothing in common."""
    here, there = site.add_device(), site.store.add_device("other", "pump-1", "another-secret")
    clients = [await site.log_in(here), await site.log_in(there)]
    consoles = [await admin(site), await admin(site, "other")]
    for client in clients:
        await client.subscribe("a")
        await client.subscribe(f"{OWN}user/#")
    for topic in ("a", f"{OWN}user/x", f"{OWN}sys/messages/down"):
        for sender, payload in zip(consoles, (b"default", b"other"), strict=True):
            await publish(sender, topic, payload)
        assert [(await client.take()).payload for client in clients] == [b"default", b"other"]
    for client in (*clients, *consoles):
        await client.quiet()


async def test_a_device_of_another_project_is_not_reached_unasked(site: Site) -> None:
    pump = await site.log_in(site.add_device(project="other"))
    console = await admin(site)
    await publish(console, f"{OWN}sys/messages/down", b"x")
    await pump.quiet()
