"""Messages that wait when their device is removed: whoever sent them hears how they ended."""

import time

import pytest

from bridge.inbox import InboxSettings
from bridge.model.event import MESSAGE_STATUS
from bridge.model.message import Message
from bridge.model.record import Enrolment, Profile
from bridge.store import Admin
from bridge.store.orphans import AT_ONCE
from tests.broker.site import draft
from tests.broker.times import START, turn
from tests.events.conftest import NewSite
from tests.events.event_site import EventSite

CHANNEL = MESSAGE_STATUS
GONE = {"error_code": "IOTDA.014118", "error_msg": "the device was removed"}


def remove(site: EventSite, device_id: str = "pump-1") -> None:
    """As another process does it."""
    with Admin.open(site.path, site.clock) as admin:
        admin.remove_device("default", device_id)


def orphans(site: EventSite) -> int:
    return int(site.store._reader.execute("SELECT count(*) FROM orphan").fetchone()[0])


async def told_all(site: EventSite) -> None:
    while orphans(site):
        await site.store.flush()


async def test_behind_a_gateway_it_is_told_where_the_message_was_to_go(site: EventSite) -> None:
    await site.subscribe(CHANNEL)
    site.add_device()
    enrolment = Enrolment("near", Profile("near"), secret="secret-1", gateway_id="pump-1")
    await site.submit(site.store.enrol("default", enrolment).device, "m1")
    await site.told(CHANNEL)
    remove(site, "near")
    site.store.look()
    await told_all(site)
    [gone] = await site.bodies(CHANNEL)
    assert (gone["topic"], gone["error_info"]) == ("$oc/devices/pump-1/sys/messages/down", GONE)


async def test_its_end_is_told(entering_site: EventSite) -> None:
    site = entering_site
    await site.subscribe(CHANNEL)
    pump = site.add_device()
    await site.submit(pump, "m1", name="n", topic="t/x")
    await site.submit(pump, "m2", send_at=START + 3_600_000)
    await site.told(CHANNEL)
    remove(site)
    assert orphans(site) == 2
    site.store.look()
    await told_all(site)
    events = await site.told(CHANNEL)
    assert [event["notify_data"]["body"] for event in events] == [
        {
            "message_id": "m1",
            "name": "n",
            "topic": "t/x",
            "status": "FAILED",
            "timestamp": "20231114T221320Z",
            "error_info": GONE,
        },
        {
            "message_id": "m2",
            "topic": "$oc/devices/pump-1/sys/messages/down",
            "status": "FAILED",
            "timestamp": "20231114T221320Z",
            "error_info": GONE,
        },
    ]
    assert {event["notify_data"]["header"]["device_id"] for event in events} == {"pump-1"}
    assert site.notified() == [
        f"Message {each} for device pump-1 failed: the device was removed." for each in ("m1", "m2")
    ]


async def test_what_had_ended_is_not_told_again(site: EventSite) -> None:
    await site.subscribe(CHANNEL)
    pump = site.add_device()
    client = await site.log_in(pump)
    await site.submit(pump, "m1")
    await client.take()
    await site.heard.wait("acknowledged")
    await site.told(CHANNEL)
    site.store.remove_device("default", "pump-1")
    assert orphans(site) == 0
    assert await site.told(CHANNEL) == []


async def test_told_after_the_next_start(site: EventSite) -> None:
    """The device was removed while no daemon ran, or the daemon ended before it could tell."""
    await site.subscribe(CHANNEL)
    await site.submit(site.add_device(), "m1")
    await site.told(CHANNEL)
    await site.stop()
    remove(site)
    await site.__aenter__()
    await told_all(site)
    assert [(body["message_id"], body["status"]) for body in await site.bodies(CHANNEL)] == [("m1", "FAILED")]


async def test_nobody_wants_to_know(site: EventSite) -> None:
    await site.submit(site.add_device(), "m1")
    site.store.remove_device("default", "pump-1")
    await told_all(site)
    await site.subscribe(CHANNEL)
    assert await site.told(CHANNEL) == []


@pytest.mark.parametrize("inbox", [None, InboxSettings(failed=False)])
async def test_an_inbox_that_is_not_told_of_failures(new_site: NewSite, inbox: InboxSettings | None) -> None:
    site = await new_site(inbox=inbox)
    await site.submit(site.add_device(), "m1")
    site.store.remove_device("default", "pump-1")
    await told_all(site)
    assert site.notified() == []


async def test_a_disk_that_refuses_it(site: EventSite, caplog: pytest.LogCaptureFixture) -> None:
    await site.subscribe(CHANNEL)
    await site.submit(site.add_device(), "m1")
    await site.submit(site.add_device("pump-2"), "m2")
    await site.told(CHANNEL)
    remove(site)
    async with site.writes_refused():
        site.store.look()
        await site.store.flush()
        assert "the store refuses writes" in caplog.text
    remove(site, "pump-2")
    site.store.look()
    assert orphans(site) == 2  # they wait for the time of the next attempt
    await site.let_pass(1)
    await told_all(site)
    assert [body["message_id"] for body in await site.bodies(CHANNEL)] == ["m1", "m2"]


async def test_one_that_is_removed_while_another_is_told(site: EventSite) -> None:
    await site.subscribe(CHANNEL)
    await site.submit(site.add_device(), "m1")
    await site.submit(site.add_device("pump-2"), "m2")
    await site.told(CHANNEL)
    remove(site)
    site.store.look()
    await turn()
    while orphans(site):  # the loop does not turn: nobody hears yet that it is committed
        time.sleep(0.001)  # noqa: ASYNC251
    remove(site, "pump-2")
    site.store.look()
    await told_all(site)
    assert [body["message_id"] for body in await site.bodies(CHANNEL)] == ["m1", "m2"]


async def test_stopped_while_they_are_told(new_site: NewSite, caplog: pytest.LogCaptureFixture) -> None:
    site = await new_site()
    await site.subscribe(CHANNEL)
    await site.submit(site.add_device(), "m1")
    await site.told(CHANNEL)
    remove(site)
    async with site.writes_refused():
        site.store.look()
        site.delivery.stop()
        await site.store.flush()
        assert "the store refuses writes" in caplog.text
    site.delivery.device_changed(1)
    await site.let_pass(2)
    assert orphans(site) == 1


async def test_stopped_while_the_disk_refuses(new_site: NewSite) -> None:
    site = await new_site()
    await site.subscribe(CHANNEL)
    await site.submit(site.add_device(), "m1")
    remove(site)
    async with site.writes_refused():
        site.store.look()
        await site.store.flush()
        site.delivery.stop()
    await site.let_pass(2)
    await site.store.flush()
    assert orphans(site) == 1  # for the next start


@pytest.mark.slow
async def test_many_are_told_in_pages(site: EventSite) -> None:
    """A queue that is full: nothing is held up by what is told of it."""
    count = 10_000
    await site.subscribe(CHANNEL)
    pump = site.add_device()
    for number in range(count):
        message = Message(pump.key, draft(f"m{number}"), START, START + 3_600_000)
        site.store.add(message, lambda _: None)
    await site.store.flush()
    remove(site)
    assert orphans(site) == count
    site.store.look()
    longest = await longest_wait(site)
    await site.store.flush()
    info = site.events.channels.channel("default", CHANNEL)
    assert info is not None
    assert info.events == count
    assert longest < 1.0  # a page is a few milliseconds; a machine that freezes is not measured here


async def longest_wait(site: EventSite) -> float:
    """How long somebody else waits for a commit, meanwhile."""
    longest, left = 0.0, orphans(site)
    while left:
        started = time.perf_counter()
        await site.store.flush()
        longest = max(longest, time.perf_counter() - started)
        before, left = left, orphans(site)
        assert before - left <= 2 * AT_ONCE
    return longest
