import logging

import pytest

from bridge.model.event import DEVICE_STATUS
from tests.broker.times import START
from tests.events.event_site import EventSite


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
    await site.subscribe(DEVICE_STATUS)
    await site.log_out(pump, client)
    [offline] = await site.bodies(DEVICE_STATUS)
    assert offline["status"] == "OFFLINE"
    assert "last_online_time" not in offline


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


async def test_what_cannot_be_told_is_logged(site: EventSite, caplog: pytest.LogCaptureFixture) -> None:
    await site.subscribe(DEVICE_STATUS)
    pump = site.add_device()
    with caplog.at_level(logging.ERROR, "bridge.events"):
        async with site.unreadable("device"):
            site.events.connections.connected(pump.key)
        async with site.writes_refused():
            site.events.connections.disconnected(pump.key)
            await site.store.flush()
    assert caplog.text.count("not told") == 2
    assert await site.told(DEVICE_STATUS) == []
