"""A gateway may use the topics of the devices behind it; nobody else may."""

import pytest

from bridge.model.device import Device
from bridge.model.record import Enrolment, Profile
from bridge.mqtt import Puback
from tests.broker.client import RawClient
from tests.broker.site import SECRET, Site

NOT_AUTHORIZED = 0x87


def add(site: Site, device_id: str, gateway_id: str | None = None, project: str = "default") -> Device:
    enrolment = Enrolment(device_id, Profile(device_id), secret=SECRET, gateway_id=gateway_id)
    return site.store.enrol(project, enrolment).device


async def publish(client: RawClient, topic: str) -> int:
    client.publish(topic, b"x", 1)
    return (await client.receive(Puback)).reason_code


@pytest.fixture
def hub(site: Site) -> Device:
    """With `near` behind it, and `far` behind that; `other` is behind another one."""
    hub = add(site, "hub")
    add(site, "hub-2")
    for device_id, gateway_id in (("near", "hub"), ("far", "near"), ("other", "hub-2")):
        add(site, device_id, gateway_id)
    add(site, "foreign-hub", project="elsewhere")
    add(site, "foreign", "foreign-hub", "elsewhere")
    return hub


@pytest.mark.parametrize(
    ("topic_filter", "granted"),
    [
        ("$oc/devices/near/#", 1),
        ("$oc/devices/near/user/news", 1),
        ("$oc/devices/near/sys/messages/down", 1),
        ("$oc/devices/far/user/+", 1),
        ("$oc/devices/hub/#", 1),
        ("$oc/devices/other/#", NOT_AUTHORIZED),
        ("$oc/devices/hub-2/#", NOT_AUTHORIZED),
        ("$oc/devices/foreign/#", NOT_AUTHORIZED),
        ("$oc/devices/nobody/#", NOT_AUTHORIZED),
        ("$oc/devices/+/user/news", NOT_AUTHORIZED),
        ("$oc/devices/near", NOT_AUTHORIZED),
        ("$oc/devices/#", NOT_AUTHORIZED),
        ("$oc/devices//x", NOT_AUTHORIZED),
    ],
)
async def test_subscribing(site: Site, hub: Device, topic_filter: str, granted: int) -> None:
    client = await site.log_in(hub)
    assert await client.subscribe(topic_filter) == granted


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("$oc/devices/near/sys/messages/up", 0),
        ("$oc/devices/far/user/x", 0),
        ("$oc/devices/hub/sys/messages/up", 0),
        ("$oc/devices/other/sys/messages/up", NOT_AUTHORIZED),
        ("$oc/devices/foreign/user/x", NOT_AUTHORIZED),
        ("$oc/devices/nobody/user/x", NOT_AUTHORIZED),
    ],
)
async def test_publishing(site: Site, hub: Device, topic: str, reason: int) -> None:
    client = await site.log_in(hub)
    assert await publish(client, topic) == reason


async def test_a_device_that_is_no_gateway(site: Site, hub: Device) -> None:
    client = await site.log_in(site.add_device())
    assert await client.subscribe("$oc/devices/near/#") == NOT_AUTHORIZED
    assert await publish(client, "$oc/devices/near/user/x") == NOT_AUTHORIZED


async def test_what_cannot_be_read_opens_nothing(site: Site, hub: Device) -> None:
    client = await site.log_in(hub)
    async with site.unreadable("device"):
        assert await client.subscribe("$oc/devices/near/#") == NOT_AUTHORIZED
        assert await publish(client, "$oc/devices/near/user/x") == NOT_AUTHORIZED
    assert await client.subscribe("$oc/devices/near/#") == 1
