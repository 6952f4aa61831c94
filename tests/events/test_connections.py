from typing import Any

import pytest

from bridge.model.device import Device
from bridge.model.event import DEVICE_STATUS
from bridge.model.record import Enrolment, Profile
from bridge.registry import presence
from bridge.store.presence_writes import PAGE
from tests.broker.times import START
from tests.events.conftest import NewSite
from tests.events.event_site import EventSite


def behind(site: EventSite, gateway_id: str, *device_ids: str) -> list[Device]:
    made = [Enrolment(each, Profile(each), secret="12345678", gateway_id=gateway_id) for each in device_ids]
    return [site.store.enrol("default", enrolment).device for enrolment in made]


async def heard(site: EventSite) -> list[tuple[str, str]]:
    return [(device_of(event), state_of(event)) for event in await site.told(DEVICE_STATUS)]


def device_of(event: dict[str, Any]) -> str:
    return str(event["notify_data"]["header"]["device_id"])


def state_of(event: dict[str, Any]) -> str:
    return str(event["notify_data"]["body"]["status"])


async def test_a_device_comes_and_goes(site: EventSite) -> None:
    await site.subscribe(DEVICE_STATUS)
    pump = site.add_device()
    client = await site.log_in(pump)
    await site.let_pass(60)
    await site.log_out(pump, client)
    online, offline = await site.told(DEVICE_STATUS)
    assert (online["resource"], online["event"]) == ("device.status", "update")
    assert online["notify_data"]["header"]["device_id"] == "pump-1"
    assert online["notify_data"]["body"]["status"] == "ONLINE"
    assert offline["notify_data"]["body"] == {
        "status": "OFFLINE",
        "last_online_time": online["notify_data"]["body"]["status_update_time"],
        "status_update_time": "2023-11-14T22:14:20.000Z",
    }
    assert START == 1_700_000_000_000


async def test_it_came_before_anybody_asked(site: EventSite) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    await site.store.flush()
    await site.let_pass(60)
    await site.subscribe(DEVICE_STATUS)
    await site.log_out(pump, client)
    [offline] = await site.bodies(DEVICE_STATUS)
    assert (offline["status"], offline["last_online_time"]) == ("OFFLINE", "2023-11-14T22:13:20.000Z")


async def test_other_projects_are_not_told(site: EventSite) -> None:
    await site.subscribe(DEVICE_STATUS)
    await site.log_in(site.add_device(project="elsewhere"))
    assert await site.told(DEVICE_STATUS) == []


async def test_a_removed_device_is_not_told(site: EventSite) -> None:
    await site.subscribe(DEVICE_STATUS)
    pump = site.add_device()
    await site.log_in(pump)
    site.store.remove_device("default", "pump-1")
    await site.heard.wait("disconnected", pump.key)
    assert [body["status"] for body in await site.bodies(DEVICE_STATUS)] in (["ONLINE"], [])


async def test_every_step_is_told_while_the_disk_is_busy(site: EventSite) -> None:
    await site.subscribe(DEVICE_STATUS)
    pump = site.add_device()
    with site.writer_held():
        for _ in range(3):
            site.presence.connected(pump.key)
            site.presence.disconnected(pump.key)
    await site.settled()
    assert await heard(site) == [("pump-1", "ONLINE"), ("pump-1", "OFFLINE")] * 3


async def test_a_disk_that_cannot_keep_up_gets_the_latest_states(
    site: EventSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "_MOST_WAITING", 4)
    await site.subscribe(DEVICE_STATUS)
    pump, other = site.add_device(), site.add_device("pump-2")
    await site.settled()
    with site.writer_held():
        site.presence.connected(pump.key)  # this is on its way
        for _ in range(1000):
            site.presence.disconnected(pump.key)
            site.presence.connected(pump.key)
        site.presence.connected(other.key)
        assert site.presence._count < 10
    await site.settled()
    told = await heard(site)
    assert len(told) < 20
    assert dict(told) == {"pump-1": "ONLINE", "pump-2": "ONLINE"}


async def test_what_the_disk_refuses_is_told_later(site: EventSite, caplog: pytest.LogCaptureFixture) -> None:
    """Each step, in order."""
    await site.subscribe(DEVICE_STATUS)
    pump, other = site.add_device(), site.add_device("pump-2")
    async with site.writes_refused():
        site.presence.connected(other.key)
        await site.store.flush()
        for _ in range(3):
            site.presence.connected(pump.key)
            site.presence.disconnected(pump.key)
        await site.let_pass(1)
        await site.store.flush()
        assert caplog.text.count("the store refuses writes") == 1
    await site.let_pass(1)
    await site.settled()
    assert await heard(site) == [("pump-2", "ONLINE"), *[("pump-1", "ONLINE"), ("pump-1", "OFFLINE")] * 3]


async def test_event_and_notification_are_one_write(entering_site: EventSite) -> None:
    site = entering_site
    await site.subscribe(DEVICE_STATUS)
    pump = site.add_device()
    async with site.unreadable("notification"):
        site.presence.connected(pump.key)
        await site.store.flush()
        assert await site.told(DEVICE_STATUS) == []
        record = site.store.record("default", "pump-1")
        assert record is not None
        assert not record.line.online
    await site.let_pass(1)
    await site.settled()
    assert await heard(site) == [("pump-1", "ONLINE")]
    assert site.notified() == ["Device pump-1 is online."]


async def test_devices_behind_a_gateway_come_and_go_with_it(entering_site: EventSite) -> None:
    site = entering_site
    await site.subscribe(DEVICE_STATUS)
    hub = site.add_device("hub")
    behind(site, "hub", "near-1", "near-2")
    behind(site, "near-1", "far")
    client = await site.log_in(hub)
    await site.let_pass(60)
    await site.log_out(hub, client)
    await site.settled()
    told = await site.told(DEVICE_STATUS)
    ids = ["hub", "near-1", "near-2", "far"]
    assert [(device_of(event), state_of(event)) for event in told] == [
        (each, state) for state in ("ONLINE", "OFFLINE") for each in ids
    ]
    assert told[-1]["notify_data"]["header"]["gateway_id"] == "near-1"
    assert told[-1]["notify_data"]["body"] == {
        "status": "OFFLINE",
        "last_online_time": "2023-11-14T22:13:20.000Z",
        "status_update_time": "2023-11-14T22:14:20.000Z",
    }
    assert site.notified() == [f"Device {each} is {state}." for state in ("online", "offline") for each in ids]


async def test_one_that_is_registered_later_is_online_since_then(site: EventSite) -> None:
    await site.subscribe(DEVICE_STATUS)
    hub = site.add_device("hub")
    client = await site.log_in(hub)
    await site.settled()
    await site.store.flush()
    await site.let_pass(60)
    behind(site, "hub", "near")
    await site.let_pass(60)
    await site.log_out(hub, client)
    await site.settled()
    _, _, near = await site.bodies(DEVICE_STATUS)
    assert near["last_online_time"] == "2023-11-14T22:14:20.000Z"


async def test_devices_behind_a_gateway_are_told_of_though_the_clock_went_back(entering_site: EventSite) -> None:
    """They were enrolled in what is the future now."""
    site = entering_site
    await site.subscribe(DEVICE_STATUS)
    hub = site.add_device("hub")
    behind(site, "hub", "near")
    site.clock.advance(-86_400)
    await site.log_in(hub)
    await site.settled()
    assert await heard(site) == [("hub", "ONLINE"), ("near", "ONLINE")]


async def test_many_behind_a_gateway_are_told_in_pages_that_outlive_the_daemon(new_site: NewSite) -> None:
    first = await new_site()
    await first.subscribe(DEVICE_STATUS)
    hub = first.add_device("hub")
    ids = [f"near-{number}" for number in range(2 * PAGE)]
    behind(first, "hub", *ids)
    with first.writer_held():
        first.presence.connected(hub.key)
        first.presence.stop()  # as if the daemon ended before the second page
    await first.store.flush()
    assert await heard(first) == [(each, "ONLINE") for each in ["hub", *ids[:PAGE]]]
    second = await new_site()
    await second.settled()
    after = await heard(second)
    assert after[: PAGE + 1] == [("hub", "OFFLINE"), *((each, "ONLINE") for each in ids[PAGE:])]
    assert after[PAGE + 1 :] == [(each, "OFFLINE") for each in ids]


async def test_after_an_unclean_end_everybody_is_told_to_be_offline(new_site: NewSite) -> None:
    first = await new_site()
    await first.subscribe(DEVICE_STATUS)
    pumps = [first.add_device(f"pump-{number}") for number in range(PAGE + 10)]
    for pump in pumps:
        first.presence.connected(pump.key)
    await first.settled()
    await first.told(DEVICE_STATUS)
    second = await new_site()
    second.clock.advance(5)  # nobody can say when it ended; the start is when it is known
    with second.writer_held():
        second.presence.connected(pumps[-1].key)  # it comes back at once
    await second.settled()
    told = await heard(second)
    assert sorted(told[:-1]) == sorted((pump.device_id, "OFFLINE") for pump in pumps)
    assert told[-1] == (pumps[-1].device_id, "ONLINE")
    third = await new_site()
    await third.settled()
    assert await heard(third) == [(pumps[-1].device_id, "OFFLINE")]
