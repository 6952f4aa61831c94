import asyncio
import time

import pytest

from bridge.model.errors import StoreUnavailable, UnknownSubscriber
from bridge.model.event import ChannelInfo, Polled, StoredEvent, SubscriberInfo
from tests.broker.times import PATIENCE, START, turn
from tests.events.event_site import APP, EventSite

NEWS = "news"
CROWD = 5000


async def waiting(
    site: EventSite, count: int = 1, subscriber: str = APP, channel: str = NEWS
) -> list[asyncio.Task[Polled]]:
    polls = [asyncio.create_task(site.poll(channel, subscriber, wait=PATIENCE)) for _ in range(count)]
    await turn()
    return polls


async def test_everybody_gets_everything_in_order_until_acknowledged(site: EventSite) -> None:
    for subscriber in ("one", "two"):
        await site.subscribe(NEWS, subscriber)
    assert await asyncio.gather(*(site.publish(NEWS, f"m{n}", f"[{n}]") for n in range(3))) == [True] * 3
    polled = await site.poll(NEWS, "one", at_most=2)
    assert [(event.message_id, event.content) for event in polled.events] == [("m0", "[0]"), ("m1", "[1]")]
    assert polled.more
    await site.acknowledge(NEWS, polled.events[-1].position, "one")
    await site.acknowledge(NEWS, polled.events[0].position, "one")
    rest = await site.poll(NEWS, "one")
    assert ([event.content for event in rest.events], rest.more) == (["[2]"], False)
    assert await site.contents(NEWS, "two") == ["[0]", "[1]", "[2]"]


async def test_content_stays_as_it_is(site: EventSite) -> None:
    await site.subscribe(NEWS)
    text = '{"a":1.0, "a":1e400,\t"b":12345678901234567890123}'
    await site.publish(NEWS, "m", text)
    assert await site.contents(NEWS) == [text]


async def test_what_was_published_before_is_not_for_later_subscribers(site: EventSite) -> None:
    assert await site.publish(NEWS, "m0")
    await site.subscribe(NEWS)
    await site.publish(NEWS, "m1", "[1]")
    await site.subscribe(NEWS, "late")
    assert await site.contents(NEWS) == ["[1]"]
    assert await site.contents(NEWS, "late") == []
    await site.subscribe(NEWS)  # again
    assert await site.contents(NEWS) == ["[1]"]


async def test_an_id_counts_as_long_as_its_message_lives(site: EventSite) -> None:
    await site.subscribe(NEWS)
    assert await site.publish(NEWS, "m", "[1]")
    assert not await site.publish(NEWS, "m", "[2]")
    assert await site.contents(NEWS) == ["[1]"]
    await site.subscribe("other")
    assert await site.publish("other", "m", "[3]")


async def test_nothing_asked_for(site: EventSite) -> None:
    await site.subscribe(NEWS)
    assert await site.poll(NEWS, at_most=0, wait=PATIENCE) == Polled()
    await site.publish(NEWS, "m")
    assert await site.poll(NEWS, at_most=0, wait=PATIENCE) == Polled(more=True)


async def test_unknown_subscribers(site: EventSite) -> None:
    await site.subscribe(NEWS)
    for channel, subscriber in ((NEWS, "nobody"), ("nothing", APP)):
        assert not site.events.channels.knows("default", channel, subscriber)
        with pytest.raises(UnknownSubscriber):
            await site.poll(channel, subscriber, wait=PATIENCE)
        with pytest.raises(UnknownSubscriber):
            await site.acknowledge(channel, 1, subscriber)
        await site.events.channels.unsubscribe("default", channel, subscriber)
    assert not site.events.channels.knows("elsewhere", NEWS, APP)
    assert site.events.channels.knows("default", NEWS, APP)


async def test_a_handle_from_the_future_acknowledges_what_there_is(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.publish(NEWS, "m1")
    await site.acknowledge(NEWS, 1 << 60)
    await site.publish(NEWS, "m2", "[2]")
    assert await site.contents(NEWS) == ["[2]"]


async def test_a_handle_of_an_earlier_channel_of_that_name_has_no_effect(site: EventSite) -> None:
    await site.subscribe(NEWS)
    for number in range(5):
        await site.publish(NEWS, f"m{number}")
    old = (await site.poll(NEWS)).events[-1].position
    await site.events.channels.unsubscribe("default", NEWS, APP)
    await site.let_pass(2)
    await site.store.flush()
    assert site.events.channels.channel("default", NEWS) is None
    await site.subscribe(NEWS)
    await site.publish(NEWS, "m0", "[0]")
    await site.acknowledge(NEWS, old)
    assert await site.contents(NEWS) == ["[0]"]


async def test_projects_are_apart(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.subscribe(NEWS, project="elsewhere")
    await site.publish(NEWS, "m")
    assert len(await site.contents(NEWS)) == 1
    assert await site.told(NEWS, "elsewhere") == []
    assert [info.name for info in site.events.channels.channels("elsewhere")] == [NEWS]


async def test_everything_survives_a_restart(site: EventSite) -> None:
    await site.subscribe(NEWS)
    for number in range(3):
        await site.publish(NEWS, f"m{number}", f"[{number}]")
    await site.acknowledge(NEWS, (await site.poll(NEWS)).events[0].position)
    await site.restart()
    assert await site.contents(NEWS) == ["[1]", "[2]"]
    assert not await site.publish(NEWS, "m2")
    await site.publish(NEWS, "m3", "[3]")
    assert await site.contents(NEWS) == ["[1]", "[2]", "[3]"]


async def test_a_poll_waits_for_the_event(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.subscribe(NEWS, "other")
    polls = [*await waiting(site, 2), *await waiting(site, 1, "other")]
    assert await site.publish(NEWS, "m", "[1]")
    assert {poll.events[0].content for poll in await asyncio.gather(*polls)} == {"[1]"}


async def test_a_duplicate_wakes_nobody(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.publish(NEWS, "m")
    await site.acknowledge(NEWS, (await site.poll(NEWS)).events[0].position)
    [poll] = await waiting(site)
    await site.publish(NEWS, "m")
    await turn()
    assert not poll.done()
    await site.let_pass(PATIENCE)
    assert await poll == Polled()


async def test_a_poll_ends_with_its_time(site: EventSite) -> None:
    await site.subscribe(NEWS)
    [poll] = await waiting(site)
    await site.let_pass(PATIENCE)
    assert await poll == Polled()
    log = site.events.register.channel("default", NEWS)
    assert log is not None
    assert not log.waiting


async def test_a_poll_that_nobody_waits_for_leaves_nothing(site: EventSite) -> None:
    await site.subscribe(NEWS)
    gone, stays = await waiting(site, 2)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await site.publish(NEWS, "m")
    assert (await stays).events
    log = site.events.register.channel("default", NEWS)
    assert log is not None
    assert not log.waiting


async def test_a_poll_ends_with_its_subscriber(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.subscribe(NEWS, "other")
    [poll], [other] = await waiting(site), await waiting(site, 1, "other")
    await site.events.channels.unsubscribe("default", NEWS, APP)
    with pytest.raises(UnknownSubscriber):
        await poll
    assert not other.done()
    await site.publish(NEWS, "m")
    assert (await other).events


async def test_polls_end_when_the_daemon_does(site: EventSite) -> None:
    await site.subscribe(NEWS)
    polls = await waiting(site, 3)
    site.events.channels.close()
    assert await asyncio.gather(*polls) == [Polled()] * 3
    assert await site.poll(NEWS, wait=PATIENCE) == Polled()


@pytest.mark.slow
async def test_a_crowd_is_answered_at_once(site: EventSite, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.gather(*(site.subscribe(NEWS, f"s{number}") for number in range(CROWD)))
    polls = [asyncio.create_task(site.poll(NEWS, f"s{number}", wait=60)) for number in range(CROWD)]
    await turn()
    reads = 0
    read = site.store.events

    def counted(channel: int, **question: int) -> list[StoredEvent]:
        nonlocal reads
        reads += 1
        return read(channel, **question)

    monkeypatch.setattr(site.store, "events", counted)
    began = time.process_time()
    await site.publish(NEWS, "m", "[1]")
    answers = await asyncio.gather(*polls)
    assert all(answer.events[0].content == "[1]" for answer in answers)
    assert reads == 1
    assert time.process_time() - began < 1


async def test_what_was_read_for_others_is_not_kept(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.publish(NEWS, "m")
    await site.contents(NEWS)
    assert site.events.channels._shared is not None
    await site.let_pass(2)
    assert site.events.channels._shared is None


async def test_what_a_channel_is(site: EventSite) -> None:
    channels = site.events.channels
    assert channels.channel("default", NEWS) is None
    await site.subscribe(NEWS, "b")
    await site.subscribe("empty", "a")
    await site.publish(NEWS, "m1")
    await site.let_pass(10)
    await site.subscribe(NEWS, "a")
    await site.publish(NEWS, "m2")
    await site.acknowledge(NEWS, (await site.poll(NEWS, "b")).events[0].position, "b")
    now = START + 10_000
    subscribers = [SubscriberInfo("a", 1, now), SubscriberInfo("b", 1, now)]
    assert channels.channel("default", NEWS) == ChannelInfo(NEWS, 2, START, subscribers)
    assert [info.name for info in channels.channels("default")] == ["empty", NEWS]
    assert channels.channels("default")[0] == ChannelInfo("empty", 0, None, [SubscriberInfo("a", 0, START)])


async def test_a_refusing_disk(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.publish(NEWS, "m")
    position = (await site.poll(NEWS)).events[0].position
    async with site.writes_refused():
        for refused in (
            site.publish(NEWS, "m2"),
            site.subscribe("other"),
            site.acknowledge(NEWS, position),
            site.events.channels.unsubscribe("default", NEWS, APP),
        ):
            with pytest.raises(StoreUnavailable):
                await refused
    assert len(await site.contents(NEWS)) == 1
    assert site.events.channels.channel("default", "other") is None


async def test_who_does_not_wait_for_the_commit_changes_nothing(site: EventSite) -> None:
    await site.subscribe(NEWS)
    with site.writer_held():
        asking = asyncio.create_task(site.subscribe(NEWS, "late"))
        await turn()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await site.store.flush()
    assert site.events.channels.knows("default", NEWS, "late")
    async with site.writes_refused():
        asking = asyncio.create_task(site.subscribe(NEWS, "never"))
        await turn()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await site.store.flush()
    assert not site.events.channels.knows("default", NEWS, "never")
