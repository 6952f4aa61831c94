"""Events go with their age, subscribers when they do not come."""

import asyncio

import pytest

from bridge.events import ChannelSettings
from bridge.events.register import Register
from bridge.model.errors import TooManySubscribers, UnknownSubscriber
from bridge.model.event import Polled
from bridge.store import events as stored
from tests.broker.times import turn
from tests.events.conftest import NewSite
from tests.events.event_site import APP, EventSite

NEWS = "news"
MINUTE = 60


async def test_events_go_with_their_age(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.publish(NEWS, "old", "[1]")
    await site.let_pass(20 * MINUTE)
    await site.publish(NEWS, "young", "[2]")
    await site.let_pass(10 * MINUTE - 1)
    assert await site.contents(NEWS) == ["[1]", "[2]"]
    await site.let_pass(2)
    assert await site.contents(NEWS) == ["[2]"]
    await site.store.flush()
    info = site.events.channels.channel("default", NEWS)
    assert info is not None
    assert (info.events, info.subscribers[0].lag) == (1, 1)
    assert await site.publish(NEWS, "old", "[3]")
    assert await site.contents(NEWS) == ["[2]", "[3]"]


async def test_what_is_expired_is_not_read_before_it_is_removed(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.publish(NEWS, "old", "[1]")
    site.clock.advance(20 * MINUTE)
    await site.contents(NEWS)
    site.clock.advance(10 * MINUTE + 1)
    assert await site.poll(NEWS) == Polled()


async def test_many_are_removed_piece_by_piece(site: EventSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PRUNED_AT_ONCE", 7)
    await site.subscribe(NEWS)
    await asyncio.gather(*(site.publish(NEWS, f"m{number}") for number in range(50)))
    await site.contents(NEWS)
    await site.let_pass(25 * MINUTE)
    await site.contents(NEWS)
    await site.let_pass(6 * MINUTE)
    for _ in range(10):
        await site.store.flush()
    info = site.events.channels.channel("default", NEWS)
    assert info is not None
    assert (info.events, info.oldest) == (0, None)


async def test_published_while_the_rest_is_removed(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.publish(NEWS, "old", "[1]")
    await site.let_pass(25 * MINUTE)
    await site.contents(NEWS)
    with site.writer_held():
        await site.let_pass(6 * MINUTE)
        young = asyncio.create_task(site.publish(NEWS, "young", "[2]"))
        await turn()
    assert await young
    await site.store.flush()
    info = site.events.channels.channel("default", NEWS)
    assert info is not None
    assert (info.events, info.oldest) == (1, site.clock())
    assert await site.contents(NEWS) == ["[2]"]


async def test_a_full_channel_loses_its_oldest_and_says_how_many(new_site: NewSite) -> None:
    site = await new_site(ChannelSettings(max_size=2000))
    await site.subscribe(NEWS)
    contents = [f'"{number:0498}"' for number in range(6)]
    for number, content in enumerate(contents):
        await site.publish(NEWS, f"m{number}", content)
    await site.let_pass(2)
    await site.store.flush()
    assert await site.contents(NEWS) == contents[2:]
    for message_id in ("one", "more"):
        await site.publish(NEWS, message_id, contents[0])
    await site.let_pass(2)
    await site.store.flush()
    info = site.events.channels.channel("default", NEWS)
    assert info is not None
    assert (info.events, info.dropped) == (4, 4)


async def test_there_are_only_so_many_subscribers(new_site: NewSite) -> None:
    site = await new_site(ChannelSettings(max_subscribers=2))
    await site.subscribe(NEWS)
    await site.subscribe("other")
    with pytest.raises(TooManySubscribers):
        await site.subscribe(NEWS, "third")
    await site.subscribe(NEWS)
    await site.events.cursor("default", NEWS, "intake").open()
    await site.events.channels.unsubscribe("default", "other", APP)
    with pytest.raises(TooManySubscribers):
        await site.subscribe(NEWS, "third")
    await site.events.channels.unsubscribe("default", NEWS, APP)
    await site.subscribe(NEWS, "third")


async def test_subscribers_go_when_they_do_not_come(site: EventSite) -> None:
    for subscriber in (APP, "silent"):
        await site.subscribe(NEWS, subscriber)
    await site.let_pass(20 * MINUTE)
    await site.poll(NEWS)
    site.clock.advance(10 * MINUTE)
    assert not site.events.channels.knows("default", NEWS, "silent")
    with pytest.raises(UnknownSubscriber):
        await site.poll(NEWS, "silent")
    await site.let_pass(2)
    await site.store.flush()
    assert [each.name for channel in site.store.stored_channels() for each in channel.subscribers] == [APP]


async def test_one_that_comes_back_is_a_new_one(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.subscribe(NEWS, "other")
    for minutes in (20, 10):
        await site.poll(NEWS, "other")
        await site.publish(NEWS, f"m{minutes}")
        site.clock.advance(minutes * MINUTE)
    await site.subscribe(NEWS)
    assert await site.contents(NEWS) == []
    assert len(await site.contents(NEWS, "other")) == 2
    await site.let_pass(2)
    await site.store.flush()
    assert site.events.channels.knows("default", NEWS, APP)


async def test_one_that_waits_is_there(site: EventSite) -> None:
    await site.subscribe(NEWS)
    poll = asyncio.create_task(site.poll(NEWS, wait=3600))
    await turn()
    site.clock.advance(31 * MINUTE)
    await site.publish(NEWS, "m", "[1]")
    assert [event.content for event in (await poll).events] == ["[1]"]


async def test_a_channel_without_readers_goes(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.publish(NEWS, "m")
    await site.events.channels.unsubscribe("default", NEWS, APP)
    assert await site.publish(NEWS, "m")
    await site.let_pass(2)
    await site.store.flush()
    assert site.events.channels.channels("default") == []
    assert site.store.stored_channels() == []


async def test_channels_have_lifetimes_of_their_own(new_site: NewSite) -> None:
    site = await new_site(ChannelSettings(lifetimes={"a.*": 5, "ab": 1}))
    for channel in ("ab", "b-a", "c"):
        await site.subscribe(channel)
        await site.publish(channel, "m")
    await site.let_pass(5 * MINUTE + 1)
    assert not site.events.channels.knows("default", "ab", APP)
    assert len(await site.contents("b-a")) == len(await site.contents("c")) == 1


async def test_who_was_seen_is_written_now_and_then(site: EventSite) -> None:
    def seen() -> int:
        return site.store.stored_channels()[0].subscribers[0].seen

    await site.subscribe(NEWS)
    began = site.clock()
    await site.let_pass(59)
    await site.poll(NEWS)
    await site.let_pass(2)
    await site.store.flush()
    assert seen() == began
    await site.poll(NEWS)
    polled = site.clock()
    await site.let_pass(2)
    await site.store.flush()
    assert seen() == polled


async def test_what_was_not_written_of_a_subscriber_counts_for_it(site: EventSite) -> None:
    """The daemon was killed: the subscriber came later than the store knows."""
    await site.subscribe(NEWS)
    await site.store.flush()
    register = Register(site.store, ChannelSettings(), lambda: site.clock() + 30 * MINUTE * 1000 + 59_000)
    assert register.visit("default", NEWS, APP)
    late = Register(site.store, ChannelSettings(), lambda: site.clock() + 31 * MINUTE * 1000)
    with pytest.raises(UnknownSubscriber):
        late.visit("default", NEWS, APP)


async def test_a_stop_writes_who_was_seen(site: EventSite) -> None:
    await site.subscribe(NEWS)
    await site.let_pass(10)
    await site.poll(NEWS)
    seen = site.clock()
    await site.restart()
    assert site.store.stored_channels()[0].subscribers[0].seen == seen


async def test_a_refusing_disk_is_survived(site: EventSite, caplog: pytest.LogCaptureFixture) -> None:
    await site.subscribe(NEWS)
    await site.publish(NEWS, "m")
    await site.let_pass(25 * MINUTE)
    await site.contents(NEWS)
    async with site.writes_refused():
        await site.let_pass(6 * MINUTE)
        await site.store.flush()
    assert "the store refuses writes" in caplog.text
    await site.let_pass(2)
    await site.store.flush()
    info = site.events.channels.channel("default", NEWS)
    assert info is not None
    assert info.events == 0
