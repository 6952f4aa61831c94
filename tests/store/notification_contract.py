"""What every store owes to the inbox. Derive a class from `NotificationStoreContract` and give it the fixture."""

import asyncio
import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from bridge.inbox.base import NotificationStore
from bridge.model.errors import AlreadyProcessed, UnknownNotification
from bridge.model.notification import Bounds, Importance, Notice, Notification, Selection

NOW = 1_700_000_000_000
SECOND = 1000
EVERYTHING = Selection(limit=1000)


def a_notice(about: str = "lamp", text: str = "hello", project: str = "home", **more: Any) -> Notice:
    return Notice(project, about, more.pop("importance", Importance.INFORMATION), text, **more)


async def enter(store: NotificationStore, *notices: Notice, now: int = NOW) -> list[Notification]:
    entered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    store.enter(notices, now, entered.set_result)
    found: list[Notification] = await entered
    return found


def texts(notifications: Iterable[Notification]) -> list[str]:
    return [notification.notice.text for notification in notifications]


class NotificationStoreContract:
    """Fixture: `store`, empty."""

    @pytest.fixture
    def store(self) -> NotificationStore:
        raise NotImplementedError

    async def test_nothing_is_there_before(self, store: NotificationStore) -> None:
        assert store.notifications("home", EVERYTHING, history=True) == []
        assert store.notifications("home", EVERYTHING, history=False) == []
        assert store.notification_bounds("home", EVERYTHING) == Bounds(0)
        assert store.notification("home", "0" * 24) is None
        assert store.next_due() is None
        assert await store.process_due(NOW, 10) == []
        await store.clear("home")
        assert await store.prune_notifications(NOW) == 0

    async def test_what_entered_is_read_back_whole(self, store: NotificationStore) -> None:
        text = "ß 漢字 \U0001f600 \x00 \u2028\r\n"
        notice = a_notice("a/b ç", text, importance=Importance.CRITICAL, message_id="m-1")
        [entered] = await enter(store, notice)
        assert (entered.notice, entered.at, entered.read) == (notice, NOW, False)
        assert store.notification("home", entered.id) == entered
        assert store.notification("home", entered.id.upper()) == entered
        assert store.notifications("home", EVERYTHING, history=True) == [entered]
        assert store.notification_bounds("home", EVERYTHING) == Bounds(1, entered, entered)

    async def test_an_id_is_24_hexadecimal_digits_and_begins_with_the_second(self, store: NotificationStore) -> None:
        [entered] = await enter(store, a_notice(), now=1_569_468_083_027)
        assert len(entered.id) == 24
        assert int(entered.id[:8], 16) == 1_569_468_083

    async def test_ids_that_nothing_has(self, store: NotificationStore) -> None:
        [entered] = await enter(store, a_notice())
        near = f"{int(entered.id, 16) + 1:024x}", f"{(int(entered.id[:8], 16) + 1):08x}{entered.id[8:]}"
        for wrong in (*near, "", "f" * 24, "0" * 24, entered.id[:-1], f"{entered.id}0", f"{entered.id}\n", "x" * 24):
            assert store.notification("home", wrong) is None
            with pytest.raises(UnknownNotification):
                await store.mark_read("home", wrong, True)
        assert store.notification("away", entered.id) is None

    async def test_projects_are_apart(self, store: NotificationStore) -> None:
        await enter(store, a_notice(text="1"), a_notice(text="2", project="away"), a_notice(text="3"))
        assert texts(store.notifications("home", EVERYTHING, history=True)) == ["3", "1"]
        assert texts(store.notifications("away", EVERYTHING, history=True)) == ["2"]
        [away] = store.notifications("away", EVERYTHING, history=True)
        with pytest.raises(UnknownNotification):
            await store.confirm("home", away.id, "app", None, NOW)
        await store.clear("home")
        assert texts(store.notifications("away", EVERYTHING, history=False)) == ["2"]

    async def test_times_never_fall_back(self, store: NotificationStore) -> None:
        await enter(store, a_notice(text="1"))
        [second] = await enter(store, a_notice(text="2"), now=NOW - 5)
        assert second.at == NOW
        [third] = await enter(store, a_notice(text="3"), now=NOW + 1)
        assert third.at == NOW + 1

    async def test_clearing_empties_the_inbox_and_leaves_the_history(self, store: NotificationStore) -> None:
        await enter(store, a_notice(text="1"), a_notice(text="2"))
        await store.clear("home")
        assert store.notifications("home", EVERYTHING, history=False) == []
        await enter(store, a_notice(text="3"))
        assert texts(store.notifications("home", EVERYTHING, history=False)) == ["3"]
        for selection in (Selection(about="lamp"), Selection(read=False), Selection(importance=Importance.INFORMATION)):
            assert texts(store.notifications("home", selection, history=False)) == ["3"]
            assert texts(store.notifications("home", selection, history=True)) == ["3", "2", "1"]
        assert store.notification_bounds("home", EVERYTHING).count == 3

    async def test_read_and_unread(self, store: NotificationStore) -> None:
        _, second, _ = await enter(store, *(a_notice(text=text) for text in "123"))
        marked = await store.mark_read("home", second.id, True)
        assert marked.read
        assert texts(store.notifications("home", Selection(read=True), history=True)) == ["2"]
        assert texts(store.notifications("home", Selection(read=False), history=True)) == ["3", "1"]
        assert store.notification_bounds("home", Selection(read=True)) == Bounds(1, marked, marked)
        assert store.notification_bounds("home", Selection(read=False)).count == 2
        assert not (await store.mark_read("home", second.id, False)).read
        assert store.notification_bounds("home", Selection(read=True)) == Bounds(0)

    async def test_every_selection_is_what_a_look_at_each_says(self, store: NotificationStore) -> None:
        importances = itertools.cycle(Importance)
        for number in range(60):
            notice = a_notice(f"lamp-{number % 4}", f"Text {number % 7}", importance=next(importances))
            [entered] = await enter(store, notice, now=NOW + number // 3 * SECOND)
            if number % 5 == 0:
                await store.mark_read("home", entered.id, True)
            if number == 13:
                await store.clear("home")
        everything = store.notifications("home", EVERYTHING, history=True)
        assert len(everything) == 60
        for selection in selections():
            wanted = [each for each in everything if wants(selection, each)]
            assert store.notifications("home", selection, history=True) == page(wanted, selection)
            since = [each for each in wanted if everything.index(each) < 46]
            assert store.notifications("home", selection, history=False) == page(since, selection)
            ends = (wanted[-1], wanted[0]) if wanted else ()
            assert store.notification_bounds("home", selection) == Bounds(len(wanted), *ends)

    async def test_confirmed_at_once(self, store: NotificationStore) -> None:
        [entered] = await enter(store, a_notice())
        [processed] = await store.confirm("home", entered.id, "app", None, NOW + 1)
        assert (processed.read, processed.confirmed_by, processed.confirmed_at) == (True, "app", NOW + 1)
        assert (processed.process_at, processed.processed_at) == (None, NOW + 1)
        assert store.notification("home", entered.id) == processed
        assert store.next_due() is None
        with pytest.raises(AlreadyProcessed):
            await store.confirm("home", entered.id, "app", None, NOW + 2)

    async def test_confirmed_for_a_time(self, store: NotificationStore) -> None:
        [entered] = await enter(store, a_notice())
        [waiting] = await store.confirm("home", entered.id, "app", NOW + 10, NOW + 1)
        assert (waiting.read, waiting.process_at, waiting.processed_at) == (False, NOW + 10, None)
        assert store.next_due() == NOW + 10
        assert await store.process_due(NOW + 9, 10) == []
        [processed] = await store.process_due(NOW + 10, 10)
        assert (processed.read, processed.process_at, processed.processed_at) == (True, NOW + 10, NOW + 10)
        assert store.notification("home", entered.id) == processed
        assert await store.process_due(NOW + 11, 10) == []
        assert store.next_due() is None
        with pytest.raises(AlreadyProcessed):
            await store.confirm("home", entered.id, "app", NOW + 20, NOW + 12)

    async def test_the_second_confirmation_replaces_the_first(self, store: NotificationStore) -> None:
        [entered] = await enter(store, a_notice())
        await store.confirm("home", entered.id, "one", NOW + 10, NOW + 1)
        [waiting] = await store.confirm("home", entered.id, "two", NOW + 20, NOW + 2)
        assert (waiting.confirmed_by, waiting.confirmed_at, store.next_due()) == ("two", NOW + 2, NOW + 20)
        assert await store.process_due(NOW + 19, 10) == []
        [processed] = await store.confirm("home", entered.id, "three", None, NOW + 3)
        assert (processed.process_at, processed.processed_at, store.next_due()) == (None, NOW + 3, None)

    async def test_a_message_stands_for_what_is_open_about_it(self, store: NotificationStore) -> None:
        first, second, other = await enter(
            store,
            a_notice("lamp", message_id="m-1"),
            a_notice("fan", message_id="m-1"),
            a_notice("fan", message_id="m-2"),
        )
        await store.confirm("home", first.id, "app", None, NOW)
        assert [each.id for each in await store.confirm("home", "m-1", "app", NOW + 5, NOW)] == [second.id]
        assert [each.id for each in await store.process_due(NOW + 5, 10)] == [second.id]
        with pytest.raises(AlreadyProcessed):
            await store.confirm("home", "m-1", "app", None, NOW)
        with pytest.raises(UnknownNotification):
            await store.confirm("home", "m-3", "app", None, NOW)
        found = store.notification("home", other.id)
        assert found is not None
        assert found.processed_at is None

    async def test_the_earliest_is_processed_first(self, store: NotificationStore) -> None:
        entered = await enter(store, *(a_notice(text=text) for text in "abc"))
        for notification, moment in zip(entered, (30, 10, 20), strict=True):
            await store.confirm("home", notification.id, "app", NOW + moment, NOW)
        assert texts(await store.process_due(NOW + 30, 2)) == ["b", "c"]
        assert store.next_due() == NOW + 30
        assert texts(await store.process_due(NOW + 30, 2)) == ["a"]

    async def test_the_old_goes_and_numbers_stay_exact(self, store: NotificationStore) -> None:
        for number in range(10):
            about = "lamp" if number % 2 else "fan"
            await enter(store, a_notice(about, str(number)), now=NOW + number)
        assert await store.prune_notifications(NOW + 4) == 4
        assert texts(store.notifications("home", EVERYTHING, history=True)) == list("987654")
        newest, next_to_it, *_, oldest = store.notifications("home", EVERYTHING, history=True)
        assert store.notification_bounds("home", EVERYTHING) == Bounds(6, oldest, newest)
        assert store.notification_bounds("home", Selection(about="fan")) == Bounds(3, oldest, next_to_it)
        assert await store.prune_notifications(NOW + 100) == 6
        assert store.notification_bounds("home", EVERYTHING) == Bounds(0)
        assert store.notification_bounds("home", Selection(about="fan")) == Bounds(0)
        [entered] = await enter(store, a_notice("fan", "new"), now=NOW + 200)
        assert store.notifications("home", Selection(about="fan"), history=True) == [entered]

    async def test_what_waits_for_its_time_outlives_its_retention(self, store: NotificationStore) -> None:
        waiting, _, _ = await enter(store, *(a_notice("lamp", text) for text in "abc"))
        await store.confirm("home", waiting.id, "app", NOW + 100, NOW)
        [late] = await enter(store, a_notice("lamp", "d"), now=NOW + 50)
        assert await store.prune_notifications(NOW + 10) == 3
        for selection in (EVERYTHING, Selection(about="lamp"), Selection(importance=Importance.INFORMATION)):
            assert texts(store.notifications("home", selection, history=True)) == ["d"]
            assert store.notification_bounds("home", selection) == Bounds(1, late, late)
        assert await store.prune_notifications(NOW + 10) == 0
        assert store.notification("home", waiting.id) is not None
        assert texts(await store.process_due(NOW + 100, 10)) == ["a"]
        assert await store.prune_notifications(NOW + 10) == 1
        assert store.notification("home", waiting.id) is None


def selections() -> Iterable[Selection]:
    windows = (0, None), (NOW + 5 * SECOND, NOW + 11 * SECOND), (NOW - 9, NOW - 1), (NOW + 9 * SECOND, NOW), (NOW, NOW)
    pages = (0, 1000), (0, 3), (2, 4), (1000, 5), (0, 0)
    filters: tuple[dict[str, Any], ...] = (
        {},
        {"about": "lamp-1"},
        {"about": "nobody"},
        {"importance": Importance.CRITICAL},
        {"read": True},
        {"read": False},
        {"about": "lamp-0", "importance": Importance.INFORMATION},
        {"about": "lamp-0", "read": True},
        {"importance": Importance.IMPORTANT, "read": False},
        {"search": "TEXT 3"},
        {"search": "no such text"},
        {"search": "text 5", "about": "lamp-2", "read": False, "importance": Importance.INFORMATION},
    )
    for (begin, end), (offset, limit), more in itertools.product(windows, pages, filters):
        yield Selection(begin, end, offset, limit, **more)


def wants(selection: Selection, notification: Notification) -> bool:
    notice = notification.notice
    return (
        selection.begin <= notification.at
        and (selection.end is None or notification.at <= selection.end)
        and selection.about in {None, notice.about}
        and selection.importance in {None, notice.importance}
        and selection.read in {None, notification.read}
        and (selection.search is None or selection.search.lower() in notice.text.lower())
    )


def page(notifications: list[Notification], selection: Selection) -> list[Notification]:
    return notifications[selection.offset : selection.offset + selection.limit]
