"""The use cases, on the real store, with a clock and timers in the hands of the tests."""

# ruff: noqa: ASYNC110 - what is waited for is in a log, or in the database

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bridge.events import Events
from bridge.events.polling import PollingSubscribers
from bridge.events.settings import ChannelSettings
from bridge.inbox import Inbox, InboxSettings, intake
from bridge.model.errors import AlreadyProcessed, PastTime, StoreUnavailable, UnknownNotification
from bridge.model.event import SERVICE_MESSAGE
from bridge.model.message import Outcome, Status
from bridge.model.notification import Importance, Kind, Notice, Notification, Occurrence, Selection
from bridge.model.times import precise
from bridge.store import Store
from tests.broker.times import LoopTime
from tests.store.asking import added, finish
from tests.store.clock import HandClock
from tests.store.template import prepared

EVERYTHING = Selection(limit=1000)
DAY = 86_400_000


class Listener:
    """An application that polls the channel `service-message`."""

    def __init__(self, channels: PollingSubscribers, store: Store) -> None:
        self._channels = channels
        self._store = store

    async def subscribe(self) -> None:
        await self._channels.subscribe("home", SERVICE_MESSAGE, "app")

    async def heard(self) -> list[str]:
        """The texts of what was processed, of all time."""
        return [event["notify_data"]["body"]["text"] for event in await self.events() if event["event"] == "processed"]

    async def events(self) -> list[dict[str, Any]]:
        polled = await self._channels.poll("home", SERVICE_MESSAGE, "app", at_most=2000, wait=0)
        return [json.loads(event.content) for event in polled.events]

    async def wait(self, count: int = 1) -> list[str]:
        async with asyncio.timeout(20):
            while len(texts := await self.heard()) < count:
                await asyncio.sleep(0)
                await self._store.flush()  # the writer's thread gets its time
        return texts


class Office:
    """An inbox on a file, until it is closed or crashes."""

    def __init__(self, path: Path, clock: HandClock, settings: InboxSettings) -> None:
        self.clock = clock
        self.time = LoopTime(asyncio.get_running_loop())
        self.store = Store.open(prepared(path), clock=clock)
        self.events = Events(self.store, self.store, ChannelSettings(lifetime=525_600), clock)
        self.inbox = Inbox(self.store, settings, clock, self.events.register.wanting(SERVICE_MESSAGE))
        self.listener = Listener(self.events.channels, self.store)

    async def __aenter__(self) -> "Office":
        await self.listener.subscribe()
        self.inbox.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.inbox.stop()
        self.events.stop()
        await self.store.close()

    async def post(self, text: str = "hello", about: str = "lamp") -> Notification:
        return await self.inbox.post(Notice("home", about, Importance.INFORMATION, text))

    def pass_time(self, milliseconds: int) -> None:
        """For the clock and for timers."""
        self.clock.now += milliseconds
        self.time.advance(milliseconds / 1000)

    def texts(self) -> list[str]:
        return [each.notice.text for each in self.inbox.history("home", EVERYTHING)]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def offices(tmp_path: Path, clock: HandClock) -> Callable[..., Office]:
    return lambda **settings: Office(tmp_path / "bridge.db", clock, InboxSettings(**settings))


@pytest.fixture
async def office(offices: Callable[..., Office]) -> AsyncIterator[Office]:
    async with offices() as office:
        yield office


async def test_processed_at_once_and_told(office: Office) -> None:
    entered = await office.post()
    await office.inbox.confirm("home", entered.id, "app", None)
    assert await office.listener.heard() == ["hello"]
    assert office.inbox.show("home", entered.id).processed_at == office.clock.now
    with pytest.raises(AlreadyProcessed):
        await office.inbox.confirm("home", entered.id, "app", None)
    assert await office.listener.heard() == ["hello"]


async def test_what_an_application_posts_is_told_in_the_same_write(office: Office) -> None:
    entered = await office.post("the filter is full", "pump")
    office.inbox.heard(Occurrence(Kind.REPORT, "home", "lamp", topic="user/n", detail="not posted by an application"))
    await office.store.flush()
    [event] = await office.listener.events()
    assert (event["resource"], event["event"]) == ("service-message", "posted")
    assert event["notify_data"] == {
        "header": {"device_id": "pump"},
        "body": {
            "notification_id": entered.id,
            "importance": "information",
            "text": "the filter is full",
            "created_time": precise(entered.at),
        },
    }


async def test_what_cannot_be_told_is_not_posted(office: Office) -> None:
    office.store._writer._connection.execute("ALTER TABLE event RENAME TO lost")
    with pytest.raises(StoreUnavailable):
        await office.post()
    office.store._writer._connection.execute("ALTER TABLE lost RENAME TO event")
    assert office.texts() == []


async def test_nobody_wants_to_know(office: Office) -> None:
    await office.events.channels.unsubscribe("home", SERVICE_MESSAGE, "app")
    entered = await office.post()
    await office.inbox.confirm("home", entered.id, "app", None)
    await office.listener.subscribe()
    assert await office.listener.heard() == []


async def test_neither_is_there_without_the_other(office: Office) -> None:
    """The event cannot be written, so the notification stays open."""
    entered = await office.post()
    office.store._connection.execute("ALTER TABLE event RENAME TO event_away")
    with pytest.raises(StoreUnavailable):
        await office.inbox.confirm("home", entered.id, "app", None)
    office.store._connection.execute("ALTER TABLE event_away RENAME TO event")
    assert office.inbox.show("home", entered.id) == entered
    await office.inbox.confirm("home", entered.id, "app", None)
    assert await office.listener.heard() == ["hello"]


async def test_processed_at_its_time_and_not_before(office: Office) -> None:
    entered = await office.post()
    moment = office.clock.now + 60_000
    await office.inbox.confirm("home", entered.id, "app", moment)
    for _ in range(59):
        office.pass_time(1000)
        await turns()
    office.pass_time(999)
    await turns()
    assert await office.listener.heard() == []
    office.pass_time(1)
    assert await office.listener.wait() == ["hello"]
    found = office.inbox.show("home", entered.id)
    assert (found.read, found.processed_at) == (True, moment)


async def test_a_clock_that_jumps_is_noticed_within_a_second(office: Office) -> None:
    entered = await office.post()
    await office.inbox.confirm("home", entered.id, "app", office.clock.now + DAY)
    office.clock.now += DAY
    office.time.advance(1.0)
    assert await office.listener.wait() == ["hello"]


async def test_one_timer_for_the_earliest(office: Office) -> None:
    entered = [await office.post(text) for text in "abc"]
    now = office.clock.now
    assert office.inbox._appointments._timer is None
    for notification, delay in zip(entered, (300, 100, 200), strict=True):
        await office.inbox.confirm("home", notification.id, "app", now + delay)
    for wanted in ("b", "bc", "bca"):
        office.pass_time(100)
        assert "".join(await office.listener.wait(len(wanted))) == wanted
    await turns()
    assert office.inbox._appointments._timer is None


async def test_the_second_confirmation_counts(office: Office) -> None:
    entered = await office.post()
    await office.inbox.confirm("home", entered.id, "app", office.clock.now + 1000)
    await office.inbox.confirm("home", entered.id, "app", office.clock.now + 2000)
    office.pass_time(1000)
    await turns()
    assert await office.listener.heard() == []
    office.pass_time(1000)
    assert await office.listener.wait() == ["hello"]


async def test_more_than_a_page_is_due_at_once(office: Office) -> None:
    notices = [Notice("home", "lamp", Importance.IMPORTANT, str(number), "m-1") for number in range(1100)]
    entered: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    office.store.enter(notices, office.clock.now, entered.set_result)
    await entered
    await office.inbox.confirm("home", "m-1", "app", office.clock.now + 1)
    office.pass_time(1)
    assert sorted(await office.listener.wait(1100), key=int) == [str(number) for number in range(1100)]


async def test_what_came_due_while_nothing_ran(offices: Callable[..., Office], clock: HandClock) -> None:
    async with offices() as office:
        entered = await office.post()
        await office.inbox.confirm("home", entered.id, "app", clock.now + 1000)
    clock.now += 5000
    async with offices() as office:
        assert await office.listener.wait() == ["hello"]
        assert office.inbox.show("home", entered.id).processed_at == clock.now


@pytest.mark.slow
async def test_a_refusing_disk_is_tried_again(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    entered = await office.post()
    await office.inbox.confirm("home", entered.id, "app", office.clock.now + 1000)
    writer = office.store._writer._connection
    writer.execute("PRAGMA query_only = ON")
    office.pass_time(1000)
    async with asyncio.timeout(20):
        while "the store refuses writes" not in caplog.text:
            await asyncio.sleep(0)
    writer.execute("PRAGMA query_only = OFF")
    assert await office.listener.heard() == []
    office.pass_time(1000)
    assert await office.listener.wait() == ["hello"]


async def test_stopping_in_the_middle(offices: Callable[..., Office], clock: HandClock) -> None:
    async with offices() as office:
        entered = await office.post()
        await office.inbox.confirm("home", entered.id, "app", clock.now + 1000)
        office.pass_time(1000)
        while office.inbox._appointments._task is None:
            await asyncio.sleep(0)
    async with offices() as office:
        assert await office.listener.heard() == ["hello"]


async def test_what_cannot_be_confirmed(office: Office) -> None:
    entered = await office.post()
    with pytest.raises(PastTime):
        await office.inbox.confirm("home", entered.id, "app", office.clock.now - 1)
    with pytest.raises(UnknownNotification):
        await office.inbox.confirm("home", "nobody", "app", None)
    with pytest.raises(UnknownNotification):
        office.inbox.show("home", "nobody")
    assert office.inbox.show("home", entered.id) == entered


async def test_what_is_heard_enters_in_order(office: Office) -> None:
    for number in range(600):
        office.inbox.heard(Occurrence(Kind.REPORT, "home", "lamp", topic="user/n", detail=str(number)))
    office.inbox.heard(Occurrence(Kind.DELIVERED, "home", "lamp", "m-1"))
    while len(office.texts()) < 600:
        await office.store.flush()
    assert office.texts() == [f"Device lamp reported on user/n: {number}" for number in reversed(range(600))]


async def test_nothing_is_lost_by_stopping(offices: Callable[..., Office]) -> None:
    async with offices() as office:
        for number in range(600):
            office.inbox.heard(Occurrence(Kind.ONLINE, "home", f"lamp-{number}"))
    async with offices() as office:
        assert len(office.texts()) == 600


async def test_more_than_the_disk_takes_is_left_out_and_counted(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(intake, "_MOST_WAITING", 2)
    for number in range(5):
        office.inbox.heard(Occurrence(Kind.ONLINE, "home", f"lamp-{number}"))
    while len(office.texts()) < 3:
        await office.store.flush()
    assert [record.__dict__["count"] for record in caplog.records if "left out" in record.message] == [2]


async def test_a_disk_that_refuses_what_is_heard(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    writer = office.store._writer._connection
    writer.execute("PRAGMA query_only = ON")
    office.inbox.heard(Occurrence(Kind.ONLINE, "home", "lamp"))
    await office.store.flush()
    office.inbox.heard(Occurrence(Kind.OFFLINE, "home", "lamp"))
    await office.store.flush()
    assert caplog.text.count("the store refuses writes") == 1
    with pytest.raises(StoreUnavailable):
        await office.post()
    writer.execute("PRAGMA query_only = OFF")
    await office.post("later")
    assert office.texts() == ["later"]
    office.time.advance(1)
    async with asyncio.timeout(20):
        while len(office.texts()) < 3:
            await office.store.flush()
    assert office.texts() == ["Device lamp is offline.", "Device lamp is online.", "later"]


async def test_what_waits_at_the_end_goes_to_the_disk_once_more(offices: Callable[..., Office]) -> None:
    async with offices() as office:
        writer = office.store._writer._connection
        writer.execute("PRAGMA query_only = ON")
        office.inbox.heard(Occurrence(Kind.ONLINE, "home", "lamp"))
        await office.store.flush()
        writer.execute("PRAGMA query_only = OFF")
    async with offices() as office:
        assert office.texts() == ["Device lamp is online."]


async def test_failed_messages_enter_with_their_state(office: Office) -> None:
    key = office.store.add_device("home", "lamp", "secret-of-lamp").key
    [message] = await added(office.store, key, "m1")
    assert await finish(office.store, message.seq, Outcome(Status.FAILED, office.clock.now, detail="why")) is True
    assert office.texts() == ["Message m1 for device lamp failed: why."]


async def test_delivered_messages_enter_if_that_is_wanted(offices: Callable[..., Office]) -> None:
    async with offices(delivered=True, failed=False) as office:
        key = office.store.add_device("home", "lamp", "secret-of-lamp").key
        one, two = await added(office.store, key, "m1", "m2")
        await finish(office.store, one.seq)
        await finish(office.store, two.seq, Outcome(Status.FAILED, office.clock.now))
        assert office.texts() == ["Message m1 was delivered to device lamp."]


async def test_the_old_is_removed_by_itself(offices: Callable[..., Office], clock: HandClock) -> None:
    async with offices(retention_days=1) as office:
        await office.post("old")
        clock.now += 2 * DAY
        await office.post("new")
        office.time.advance(61)
        async with asyncio.timeout(20):
            while office.texts() != ["new"]:
                await office.store.flush()


async def test_pruning_survives_a_refusing_disk(
    offices: Callable[..., Office], clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "bridge.inbox")
    async with AsyncExitStack() as stack:
        office = await stack.enter_async_context(offices(retention_days=1))
        await office.post("old")
        office.store._writer._connection.execute("PRAGMA query_only = ON")
        clock.now += 2 * DAY
        office.time.advance(61)
        async with asyncio.timeout(20):
            while "cannot prune notifications" not in caplog.text:
                await office.store.flush()
        office.store._writer._connection.execute("PRAGMA query_only = OFF")
        office.time.advance(61)
        async with asyncio.timeout(20):
            while office.texts():
                await office.store.flush()


async def turns() -> None:
    """What is due now has happened, except what waits for the disk."""
    for _ in range(20):
        await asyncio.sleep(0)
