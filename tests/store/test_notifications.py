import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.inbox.base import NotificationStore
from bridge.model.errors import BridgeError, StoreUnavailable, TooBroad
from bridge.model.message import Outcome, Status
from bridge.model.notification import Importance, Kind, Notice, Notification, Occurrence, Selection
from bridge.store import Store, inbox_writes
from bridge.store import notifications as reads
from tests.store.asking import DELIVERED, FAILED, NOW, TIMEOUT, added, fail_uncached, finish, ids
from tests.store.clock import HandClock
from tests.store.notification_contract import EVERYTHING, NotificationStoreContract, a_notice, enter, texts


class TestSqlite(NotificationStoreContract):
    @pytest.fixture
    async def opened(self, path: Path, clock: HandClock) -> AsyncIterator[Store]:
        store = Store.open(path, clock=clock)
        yield store
        await store.close()

    @pytest.fixture
    def store(self, opened: Store) -> NotificationStore:
        return opened


def notice_of(occurrence: Occurrence) -> Notice | None:
    if occurrence.detail == "not worth it":
        return None
    text = f"{occurrence.kind.value} {occurrence.message_id} {occurrence.detail}"
    return Notice(occurrence.project, occurrence.device_id, Importance.IMPORTANT, text, occurrence.message_id)


@pytest.fixture
def announcing(store: Store, clock: HandClock) -> Store:
    store.announce_endings({Status.FAILED, Status.TIMEOUT}, notice_of, clock)
    return store


def said(store: Store) -> list[str]:
    return texts(store.notifications("home", EVERYTHING, history=True))


async def test_the_end_of_a_message_enters(announcing: Store, device: int, other: int) -> None:
    failed, late, delivered = await added(announcing, device, "m1", "m2", "m3")
    ends = (failed, FAILED), (late, TIMEOUT), (delivered, DELIVERED)
    answers = [finish(announcing, message.seq, outcome) for message, outcome in ends]
    assert await asyncio.gather(*answers) == [True, True, True]
    assert said(announcing) == ["timeout m2 None", "failed m1 the device is offline"]
    [newest, _] = announcing.notifications("home", EVERYTHING, history=True)
    assert (newest.notice.about, newest.notice.message_id) == ("lamp", "m2")


async def test_a_message_ends_once_and_so_does_its_notification(announcing: Store, device: int) -> None:
    [message] = await added(announcing, device, "m1")
    answers = [finish(announcing, message.seq, outcome) for outcome in (DELIVERED, FAILED, TIMEOUT)]
    assert await asyncio.gather(*answers) == [True, False, False]
    assert said(announcing) == []


async def test_what_is_not_worth_it_ends_silently(announcing: Store, device: int) -> None:
    [message] = await added(announcing, device, "m1")
    assert await finish(announcing, message.seq, Outcome(Status.FAILED, NOW, detail="not worth it")) is True
    assert said(announcing) == []


async def test_uncached_messages_of_the_last_run_enter(announcing: Store, device: int, other: int) -> None:
    await added(announcing, device, "m1", ttl=0)
    await added(announcing, other, "m2", ttl=0)
    await added(announcing, other, "m3")
    assert await fail_uncached(announcing) == 2
    assert said(announcing) == ["failed m2 the device is offline", "failed m1 the device is offline"]


@pytest.mark.slow
async def test_neither_is_there_without_the_other(announcing: Store, device: int) -> None:
    """While the notification cannot be written, the message stays PENDING."""
    [message] = await added(announcing, device, "m1")
    announcing._connection.execute("ALTER TABLE notification RENAME TO notification_away")
    finished = finish(announcing, message.seq, FAILED)
    while announcing.refusal is None:  # noqa: ASYNC110  nothing else tells a test
        await asyncio.sleep(0)
    assert ids(announcing.pending(device, after=0, limit=10)) == ["m1"]
    announcing._connection.execute("ALTER TABLE notification_away RENAME TO notification")
    assert await finished is True
    assert said(announcing) == ["failed m1 the device is offline"]


async def test_kinds_and_final_states_have_the_same_names() -> None:
    for status in Status:
        assert status is Status.PENDING or Kind(status.lower())


async def test_everything_survives_a_restart(path: Path, clock: HandClock) -> None:
    store = Store.open(path, clock=clock)
    first, second = await enter(store, a_notice(text="a"), a_notice(text="b"))
    await store.confirm("home", first.id, "app", NOW + 10, NOW)
    await store.mark_read("home", second.id, True)
    await store.clear("home")
    await store.close()
    store = Store.open(path, clock=clock)
    assert store.next_due() == NOW + 10
    assert said(store) == ["b", "a"]
    assert store.notifications("home", EVERYTHING, history=False) == []
    assert texts(store.notifications("home", Selection(read=True), history=True)) == ["b"]
    await store.close()


async def test_a_search_ends_after_a_while(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "MOST_LOOKED_AT", 3)
    for number in range(5):
        await enter(store, a_notice(text=f"text {number}"), now=NOW + number)
    assert texts(store.notifications("home", Selection(search="text", limit=3), history=True)) == [
        "text 4",
        "text 3",
        "text 2",
    ]
    with pytest.raises(TooBroad) as caught:
        store.notifications("home", Selection(search="text 1"), history=True)
    assert caught.value.reached == NOW + 1
    with pytest.raises(TooBroad):
        store.notification_bounds("home", Selection(search="text"))
    assert store.notification_bounds("home", Selection(search="text", begin=NOW + 2)).count == 3


async def test_a_search_ends_after_so_much_text(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "MOST_LOOKED_THROUGH", 10)
    await enter(store, *(a_notice(text="long text") for _ in range(2)))
    with pytest.raises(TooBroad):
        store.notifications("home", Selection(search="other"), history=True)


async def test_an_offset_among_the_unread_is_bounded(store: Store) -> None:
    await enter(store, a_notice())
    with pytest.raises(TooBroad):
        store.notifications("home", Selection(read=False, offset=10**14), history=True)
    await store.clear("home")
    with pytest.raises(TooBroad):
        store.notifications("home", Selection(read=False, offset=10**14), history=False)
    assert store.notifications("home", Selection(offset=10**14), history=True) == []


async def test_a_list_ends_after_so_much_text(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "MOST_LISTED", 10)
    await enter(store, *(a_notice(text="12345 " + text) for text in "abc"))
    assert texts(store.notifications("home", EVERYTHING, history=True)) == ["12345 c", "12345 b"]


async def test_pruning_goes_in_small_steps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_writes, "STEP", 2)
    await enter(store, *(a_notice(text=text) for text in "abcde"))
    connection = store._connection
    assert inbox_writes.prune(connection, 1, NOW + 1) == 2
    assert said(store) == ["e", "d", "c"]
    assert await store.prune_notifications(NOW + 1) == 3


@pytest.mark.slow
async def test_a_refusing_disk_changes_nothing(store: Store) -> None:
    [entered] = await enter(store, a_notice())
    store._writer._connection.execute("PRAGMA query_only = ON")
    later = asyncio.ensure_future(enter(store, a_notice(text="later")))  # nobody asks for it again
    posted: asyncio.Future[Notification | BridgeError] = asyncio.get_running_loop().create_future()
    store.post(a_notice(), NOW, posted.set_result)
    assert isinstance(await posted, StoreUnavailable)
    for write in (
        store.clear("home"),
        store.mark_read("home", entered.id, True),
        store.confirm("home", entered.id, "app", None, NOW),
    ):
        with pytest.raises(StoreUnavailable):
            await write
    assert store.notifications("home", EVERYTHING, history=False) == [entered]
    store._writer._connection.execute("PRAGMA query_only = OFF")
    assert texts(await later) == ["later"]
