"""What becomes of messages, told in the commit that makes it so."""

import pytest

from bridge.delivery import DeliverySettings
from bridge.model.device import Device
from bridge.model.errors import DuplicateMessage, StoreUnavailable
from bridge.model.event import MESSAGE_STATUS
from bridge.model.message import Message
from bridge.model.record import Enrolment, Profile
from bridge.mqtt import Puback, Publish
from tests.broker.site import draft
from tests.events.conftest import NewSite
from tests.events.event_site import APP, EventSite

CHANNEL = MESSAGE_STATUS


async def statuses(site: EventSite, project: str = "default") -> list[tuple[str, str]]:
    return [(body["message_id"], body["status"]) for body in await site.bodies(CHANNEL, project)]


@pytest.fixture
async def pump(site: EventSite) -> Device:
    await site.subscribe(CHANNEL)
    return site.add_device()


async def test_delivered(site: EventSite, pump: Device) -> None:
    await site.submit(pump, "m1", name="n", topic="t/x")
    await site.submit(pump, "m2")
    client = await site.log_in(pump)
    await client.take()
    await site.heard.wait("acknowledged")
    await client.subscribe("t/x")
    await client.take()
    await site.heard.wait("acknowledged")
    events = [event["notify_data"] for event in await site.told(CHANNEL)]
    assert [(event["body"]["message_id"], event["body"]["status"]) for event in events] == [
        ("m1", "PENDING"),
        ("m2", "PENDING"),
        ("m2", "DELIVERED"),
        ("m1", "DELIVERED"),
    ]
    assert {event["header"]["device_id"] for event in events} == {"pump-1"}
    assert (events[3]["body"]["name"], events[3]["body"]["topic"]) == ("n", "t/x")


async def test_behind_a_gateway_it_is_told_where_the_message_goes(site: EventSite, pump: Device) -> None:
    for name, gateway in (("near", "pump-1"), ("far", "near")):
        enrolment = Enrolment(name, Profile(name), secret="secret-1", gateway_id=gateway)
        await site.submit(site.store.enrol("default", enrolment).device, "m1")
    topics = [event["topic"] for event in await site.bodies(CHANNEL)]
    assert topics == ["$oc/devices/pump-1/sys/messages/down"] * 2


async def test_refused(site: EventSite, pump: Device) -> None:
    client = await site.log_in(pump)
    await site.submit(pump, "m1")
    client.send(Puback((await client.receive(Publish)).packet_id, 0x99))
    await site.heard.wait("acknowledged")
    pending, failed = await site.bodies(CHANNEL)
    assert (pending["status"], failed["status"]) == ("PENDING", "FAILED")
    assert failed["error_info"]["error_code"] == "IOTDA.014113"
    assert "0x99" in failed["error_info"]["error_msg"]


async def test_timeout(site: EventSite, pump: Device) -> None:
    await site.submit(pump, "m1", ttl=5)
    await site.let_pass(301)
    assert await statuses(site) == [("m1", "PENDING"), ("m1", "TIMEOUT")]


async def test_not_cached(site: EventSite, pump: Device) -> None:
    """Without a ttl a message is not cached, so it is never told to be."""
    await site.submit(pump, "m1", ttl=0)
    [failed] = await site.bodies(CHANNEL)
    assert (failed["status"], failed["error_info"]["error_code"]) == ("FAILED", "IOTDA.014016")


async def test_left_over_from_the_last_run(site: EventSite, pump: Device) -> None:
    """As a daemon leaves it that was killed."""
    message = Message(pump.key, draft("m1", ttl=0), site.clock(), site.clock() + 60_000)
    site.store.add(message, lambda _: None)
    await site.restart()
    assert await statuses(site) == [("m1", "FAILED")]


async def test_cancelled(site: EventSite, pump: Device) -> None:
    await site.submit(pump, "m1")
    await site.delivery.cancel("default", pump.device_id, "m1")
    assert await statuses(site) == [("m1", "PENDING"), ("m1", "CANCELLED")]


async def test_removed_when_it_was_over(site: EventSite, pump: Device) -> None:
    await site.submit(pump, "m1", ttl=0)
    await site.store.flush()
    await site.delivery.cancel("default", pump.device_id, "m1")
    assert await statuses(site) == [("m1", "FAILED")]


async def test_pushed_out(new_site: NewSite) -> None:
    settings = DeliverySettings(ack_wait=0, max_pending_per_device=1, when_full="drop_oldest")
    site = await new_site(delivery=settings)
    await site.subscribe(CHANNEL)
    pump = site.add_device()
    await site.submit(pump, "m1")
    await site.submit(pump, "m2")
    assert sorted(await statuses(site)) == [("m1", "FAILED"), ("m1", "PENDING"), ("m2", "PENDING")]


async def test_what_was_not_accepted_is_not_told(site: EventSite, pump: Device) -> None:
    await site.submit(pump, "m1")
    with pytest.raises(DuplicateMessage):
        await site.submit(pump, "m1")
    async with site.writes_refused():
        with pytest.raises(StoreUnavailable):
            await site.submit(pump, "m2")
    assert await statuses(site) == [("m1", "PENDING")]


async def test_an_end_that_the_disk_refuses_is_told_when_it_is_written(site: EventSite, pump: Device) -> None:
    message = await site.submit(pump, "m1", ttl=5)
    async with site.writes_refused():
        await site.let_pass(301)
        await site.store.flush()
    assert await statuses(site) == [("m1", "PENDING")]
    await site.let_pass(2)
    assert await site.stored_as(message) == "TIMEOUT"
    assert await statuses(site) == [("m1", "TIMEOUT")]


async def test_projects_that_do_not_want_to_know(site: EventSite, pump: Device) -> None:
    elsewhere = site.add_device(project="elsewhere")
    await site.submit(elsewhere, "m1")
    await site.delivery.cancel("elsewhere", elsewhere.device_id, "m1")
    await site.submit(pump, "m2")
    assert await statuses(site) == [("m2", "PENDING")]
    assert site.store.stored_channels()[0].extent.last - site.store.stored_channels()[0].extent.first == 0


async def test_as_long_as_somebody_listens(site: EventSite, pump: Device) -> None:
    assert set(site.events.message_status) == {"default"}
    await site.subscribe(CHANNEL, "other")
    await site.events.channels.unsubscribe("default", CHANNEL, APP)
    assert set(site.events.message_status) == {"default"}
    await site.restart()
    assert set(site.events.message_status) == {"default"}
    await site.events.channels.unsubscribe("default", CHANNEL, "other")
    assert not site.events.message_status
    await site.submit(pump, "m1")
    await site.let_pass(2)
    await site.store.flush()
    assert site.store.stored_channels() == []
