"""Channels, subscribers and events. What is asked for here, any store has to do (`bridge.events.base.EventStore`)."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.events.base import EventStore
from bridge.model.errors import StoreUnavailable
from bridge.model.event import Extent, Pruned, StatusChange, StoredEvent, Subject, Subscribed
from bridge.model.message import Status
from bridge.model.notification import Importance, Notice, Selection
from bridge.store import Store, events
from bridge.store.journal import Journal
from bridge.store.writer import Telling
from tests.store.asking import DELIVERED, FAILED, NOW, a_message, add, finish
from tests.store.clock import HandClock

HOME = ("home", "news")


def asked(write: Callable[..., None], *arguments: Any, **named: Any) -> "asyncio.Future[Any]":
    """The answer of a write whose `done` comes last."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    write(*arguments, future.set_result, **named)
    return future


async def subscribed(store: EventStore, name: str = "app", *, anew: bool = True, channel: str = "news") -> Subscribed:
    answer = await asked(store.subscribe, "home", channel, name, NOW, anew=anew)
    assert isinstance(answer, Subscribed)
    return answer


def told(change: StatusChange, position: int) -> str:
    return f"{change.message_id} {change.status} {change.failure}"


def read(store: EventStore, channel: int, after: int = 0, *, limit: int = 100, since: int = 0) -> list[str]:
    return [event.content for event in store.events(channel, after=after, since=since, limit=limit)]


@pytest.fixture
def heard(store: Store) -> list[Mapping[int, Extent]]:
    found: list[Mapping[int, Extent]] = []
    store.on_events(found.append)
    store.tell_status_with(told)
    return found


async def test_positions_have_no_gaps_and_end_with_the_last(store: Store, heard: list[Mapping[int, Extent]]) -> None:
    begun = await subscribed(store)
    assert begun.position == begun.last
    assert (
        await asyncio.gather(
            *(asked(store.publish, begun.channel, f"m{number}", NOW + number, f'"{number}"') for number in range(80))
        )
        == [True] * 80
    )
    stored = store.events(begun.channel, after=begun.last, since=0, limit=1000)
    assert [event.position for event in stored] == list(range(begun.last + 1, begun.last + 81))
    assert stored[7] == StoredEvent(begun.last + 8, NOW + 7, "m7", '"7"')
    assert heard == [{begun.channel: Extent(begun.last + 1, begun.last + 80, NOW, 10 * 3 + 70 * 4)}]
    assert read(store, begun.channel, begun.last + 78) == ['"78"', '"79"']
    assert len(read(store, begun.channel, limit=3)) == 3
    assert read(store, begun.channel, since=NOW + 79) == ['"79"']


async def test_the_first_content_of_an_id_wins(store: Store, heard: list[Mapping[int, Extent]]) -> None:
    begun = await subscribed(store)
    answers = [asked(store.publish, begun.channel, "m1", NOW, text) for text in ("1", "2")]
    assert await asyncio.gather(*answers) == [True, False]
    heard.clear()
    assert await asked(store.publish, begun.channel, "m1", NOW, "3") is False
    assert heard == []
    assert await asyncio.gather(*(asked(store.publish, begun.channel, None, NOW, text) for text in "45")) == [True] * 2
    assert read(store, begun.channel) == ["1", "4", "5"]


async def test_many_large_ones_are_not_read_at_once(store: Store) -> None:
    begun = await subscribed(store)
    text = "x" * (events.MOST_READ // 2)
    await asyncio.gather(*(asked(store.publish, begun.channel, None, NOW, text) for _ in range(3)))
    assert len(read(store, begun.channel)) == 2


async def test_a_subscriber_begins_at_the_end_and_stays_where_it_is(store: Store) -> None:
    begun = await subscribed(store)
    await asked(store.publish, begun.channel, None, NOW, "1")
    assert (await subscribed(store, anew=False)).position == begun.position
    assert (await subscribed(store, "other")).position == begun.position + 1
    await asked(store.acknowledge, begun.channel, "app", begun.position + 1, NOW)
    await asked(store.acknowledge, begun.channel, "app", begun.position, NOW)
    await asked(store.acknowledge, begun.channel, "nobody", begun.position, NOW)
    assert (await subscribed(store, anew=False)).position == begun.position + 1
    await asked(store.publish, begun.channel, None, NOW, "2")
    assert (await subscribed(store, anew=True)).position == begun.position + 2


async def test_what_is_stored_is_found_again(path: Path, clock: HandClock) -> None:
    store = Store.open(path, clock=clock)
    begun = await subscribed(store)
    await subscribed(store, "silent", channel="other")
    await asked(store.publish, begun.channel, "m1", NOW + 3, "1")
    await asked(store.note_seen, [(begun.channel, "app", NOW + 9)])
    await store.close()
    store = Store.open(path, clock=clock)
    news, other = sorted(store.stored_channels(), key=lambda channel: channel.name)
    assert (news.key, news.project, news.name) == (begun.channel, "home", "news")
    assert news.extent == Extent(begun.last + 1, begun.last + 1, NOW + 3, 1)
    assert [(each.name, each.position, each.seen) for each in news.subscribers] == [("app", begun.last, NOW + 9)]
    assert other.extent.oldest is None
    assert other.extent.first == other.extent.last + 1
    await store.close()


async def test_pruning_goes_piece_by_piece_and_takes_an_empty_channel_along(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PRUNED_AT_ONCE", 2)
    begun = await subscribed(store)
    for number in range(5):
        await asked(store.publish, begun.channel, None, NOW + number, str(number))
    left = await asked(store.prune_channel, begun.channel, NOW + 3)
    assert left == Pruned(Extent(begun.last + 3, begun.last + 5, NOW + 2, 3), 2, 0)
    assert (await asked(store.prune_channel, begun.channel, NOW + 3)).left.oldest == NOW + 3
    assert (await asked(store.prune_channel, begun.channel, NOW + 3)).left.oldest == NOW + 3
    everything = NOW + 100
    nothing = Extent(begun.last + 6, begun.last + 5, None)
    assert await asked(store.prune_channel, begun.channel, everything) == Pruned(nothing, 2, 0)
    assert await asked(store.unsubscribe, *HOME, ["app", "nobody"]) is None
    assert await asked(store.unsubscribe, "home", "nothing", ["app"]) is None
    assert await asked(store.prune_channel, begun.channel, everything) is None
    assert await asked(store.prune_channel, begun.channel, everything) is None
    assert store.stored_channels() == []
    await asked(store.publish, begun.channel, None, NOW, "to nobody")
    assert read(store, begun.channel) == []
    again = await subscribed(store)
    assert again.channel > begun.channel
    assert again.position > begun.position + 6


async def test_a_full_channel_loses_its_oldest_events_and_counts_them(
    store: Store, path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = await subscribed(store)
    for number in range(6):
        await asked(store.publish, begun.channel, None, NOW + number, f"{number}" * 100)
    prune = partial(asked, store.prune_channel, begun.channel, NOW + 1)
    kept_for_a_reader = await prune(most=0, upto=begun.last + 1)
    assert kept_for_a_reader == Pruned(Extent(begun.last + 2, begun.last + 6, NOW + 1, 500), 100, 0)
    monkeypatch.setattr(events, "MOST_PRUNED", 150)
    assert await prune(most=201) == Pruned(Extent(begun.last + 4, begun.last + 6, NOW + 3, 300), 200, 2)
    assert await prune(most=201) == Pruned(Extent(begun.last + 5, begun.last + 6, NOW + 4, 200), 100, 1)
    assert await prune(most=200) == Pruned(Extent(begun.last + 5, begun.last + 6, NOW + 4, 200), 0, 0)
    await store.close()
    again = Store.open(path, clock=clock)
    [channel] = again.stored_channels()
    assert (channel.extent.size, channel.dropped) == (200, 3)
    await again.close()


async def test_a_change_and_its_event(store: Store, heard: list[Mapping[int, Extent]], device: int) -> None:
    begun = await subscribed(store)
    first, second, third = (a_message(device, name) for name in ("m1", "m2", "m3"))
    done: list[asyncio.Future[Any]] = [asyncio.get_running_loop().create_future() for _ in range(6)]
    store.add(first, done[0].set_result, begun.channel)
    store.add(second, done[1].set_result)
    store.add(third, done[2].set_result, begun.channel)
    store.finish(first.seq, DELIVERED, done[3].set_result, begun.channel)
    store.finish(second.seq, FAILED, done[4].set_result, begun.channel)
    store.finish(third.seq, FAILED, done[5].set_result)
    assert await asyncio.gather(*done) == [None, None, None, True, True, True]
    assert read(store, begun.channel) == [
        "m1 PENDING None",
        "m3 PENDING None",
        "m1 DELIVERED None",
        "m2 FAILED offline",
    ]
    assert len(heard) == 1


async def test_what_changed_nothing_leaves_no_event(
    store: Store, heard: list[Mapping[int, Extent]], device: int
) -> None:
    begun = await subscribed(store)
    first, second = a_message(device, "m1"), a_message(device, "m1")
    done: list[asyncio.Future[Any]] = [asyncio.get_running_loop().create_future() for _ in range(4)]
    store.add(first, done[0].set_result, begun.channel)
    store.add(second, done[1].set_result, begun.channel)
    store.finish(first.seq, DELIVERED, done[2].set_result, begun.channel)
    store.finish(first.seq, FAILED, done[3].set_result, begun.channel)
    results = await asyncio.gather(*done)
    assert (results[0], type(results[1]).__name__, *results[2:]) == (None, "DuplicateMessage", True, False)
    assert read(store, begun.channel) == ["m1 PENDING None", "m1 DELIVERED None"]
    await asked(lambda done: store.finish(first.seq, FAILED, done, begun.channel))
    assert len(read(store, begun.channel)) == 2
    [stored] = store.stored_channels()
    assert stored.extent.last == begun.last + 2


async def test_an_event_that_cannot_be_stored_takes_its_change_back(
    store: Store, device: int, caplog: pytest.LogCaptureFixture
) -> None:
    store.tell_status_with(lambda change, _: "\ud800" if change.message_id == "bad" else told(change, 0))
    begun = await subscribed(store)
    good, bad = a_message(device, "good"), a_message(device, "bad")
    with caplog.at_level(logging.CRITICAL, "bridge"):
        answers = [asked(lambda done, m=m: store.add(m, done, begun.channel)) for m in (bad, good)]
        results = await asyncio.gather(*answers)
    assert [type(result) for result in results] == [StoreUnavailable, type(None)]
    assert store.message(device, "bad") is None
    assert store.message(device, "good") is not None
    assert read(store, begun.channel) == ["good PENDING None"]


async def test_a_removed_message_is_cancelled_only_if_it_was_pending(
    store: Store, heard: list[Mapping[int, Extent]], device: int
) -> None:
    begun = await subscribed(store)
    ended, waiting = a_message(device, "m1"), a_message(device, "m2")
    await asyncio.gather(add(store, ended), add(store, waiting))
    await finish(store, ended.seq)
    for message, was in ((ended, Status.DELIVERED), (waiting, Status.PENDING), (waiting, None)):
        assert await asked(lambda done, seq=message.seq: store.remove(seq, done, begun.channel, NOW)) == was
    assert read(store, begun.channel) == ["m2 CANCELLED None"]


async def test_uncached_messages_of_projects_that_want_to_know(
    store: Store, heard: list[Mapping[int, Extent]], device: int
) -> None:
    begun = await subscribed(store)
    elsewhere = store.add_device("elsewhere", "lamp", "secret-of-lamp").key
    await asyncio.gather(add(store, a_message(device, "m1", ttl=0)), add(store, a_message(elsewhere, "m2", ttl=0)))
    count = await asked(lambda done: store.fail_uncached(FAILED, done, {"home": begun.channel}))
    assert count == 2
    assert read(store, begun.channel) == ["m1 FAILED offline"]


async def test_events_about_devices(store: Store, heard: list[Mapping[int, Extent]], device: int) -> None:
    begun = await subscribed(store)

    def text(subject: Subject, position: int) -> str:
        return f"{subject.device_id} {position - begun.last}"

    answers = [asked(store.tell, begun.channel, key, NOW, text) for key in (device, device + 99, device)]
    assert await asyncio.gather(*answers) == [True, False, True]
    assert read(store, begun.channel) == ["lamp 1", "lamp 2"]


@pytest.mark.slow
async def test_a_full_disk_refuses_what_makes_events_and_lets_the_rest_pass(
    store: Store, heard: list[Mapping[int, Extent]], device: int, caplog: pytest.LogCaptureFixture
) -> None:
    begun = await subscribed(store)
    wanted, unwanted = a_message(device, "m1"), a_message(device, "m2")
    await asyncio.gather(add(store, wanted), add(store, unwanted))
    connection = store._writer._connection
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with caplog.at_level(logging.CRITICAL, "bridge"):
        refused = asked(store.publish, begun.channel, "m", NOW, "x" * 100_000)
        put_off = asked(lambda done: store.finish(wanted.seq, DELIVERED, done, begun.channel))
        passed = finish(store, unwanted.seq)
        assert (type(await refused), await passed) == (StoreUnavailable, True)
        assert not put_off.done()
    connection.execute("PRAGMA max_page_count = 1000000")
    assert await put_off is True
    assert read(store, begun.channel) == ["m1 DELIVERED None"]


async def test_every_write_learns_that_the_disk_refuses(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    begun = await subscribed(store)
    store._writer._connection.execute("PRAGMA query_only = ON")
    answers: list[asyncio.Future[Any]] = [
        asked(store.subscribe, "home", "fresh", "app", NOW, anew=True),
        asked(store.unsubscribe, *HOME, ["app"]),
        asked(store.acknowledge, begun.channel, "app", begun.last + 1, NOW),
        asked(store.note_seen, [(begun.channel, "app", NOW)]),
        asked(store.publish, begun.channel, "m", NOW, "1"),
        asked(store.prune_channel, begun.channel, NOW),
    ]
    with caplog.at_level(logging.CRITICAL, "bridge"):
        assert {type(answer) for answer in await asyncio.gather(*answers)} == {StoreUnavailable}
    store._writer._connection.execute("PRAGMA query_only = OFF")


async def test_who_hears_of_events_may_fail(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    begun = await subscribed(store)

    def fail(_: Mapping[int, Extent]) -> None:
        raise sqlite3.Error("a defect")

    store.on_events(fail)
    assert await asked(store.publish, begun.channel, None, NOW, "1") is True
    assert "failed to take" in caplog.text


async def test_a_write_that_fails_takes_its_notification_back(
    store: Store, heard: list[Mapping[int, Extent]], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: sqlite3.Connection, journal: Journal) -> None:
        journal.notify(Notice("home", "lamp", Importance.INFORMATION, "never"), NOW)
        raise ValueError("a defect")

    def succeed(_: sqlite3.Connection, journal: Journal) -> None:
        journal.notify(Notice("home", "lamp", Importance.INFORMATION, "this happened"), NOW)
        journal.notify(None, NOW)

    ends = [asyncio.get_running_loop().create_future() for _ in range(2)]
    for run, end in zip((fail, succeed), ends, strict=True):
        store._writer.put(Telling(run, end.set_result))
    failed, succeeded = await asyncio.gather(*ends)
    assert isinstance(failed, StoreUnavailable)
    assert succeeded is None
    assert [each.notice.text for each in store.notifications("home", Selection(), history=True)] == ["this happened"]
