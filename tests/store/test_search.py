"""Questions about all messages of a project."""

import asyncio
from pathlib import Path

import pytest

from bridge.model.errors import StoreUnavailable
from bridge.model.inquiry import Inquiry, Page
from bridge.model.message import Draft, Message, Status
from bridge.store import Store, search
from bridge.store.blocks import BITS
from bridge.store.search import FOREVER
from tests.store.asking import DELIVERED, NOW, TIMEOUT, a_message, add, finish, remove
from tests.store.clock import HandClock

BLOCK = 1 << BITS


async def find(store: Store, device: int | None = None, **asked: object) -> Page:
    fields = {"limit": 10, "device_id": device and "lamp", **asked}
    return await store.find_messages("home", device, Inquiry(**fields))  # type: ignore[arg-type]


def names(page: Page) -> list[str]:
    return [message.draft.message_id for _, message in page.messages]


async def everything(store: Store, device: int | None = None, **asked: object) -> list[str]:
    """All pages."""
    page = await find(store, device, **asked)
    found = names(page)
    while page.rest is not None:
        page = await find(store, device, **{**asked, "before": page.rest})
        found += names(page)
    return found


def at(device: int, name: str, created_at: int) -> Message:
    return Message(device, Draft(name, "1", 5), created_at, created_at + 1)


async def many(store: Store, device: int, count: int, created_at: int = NOW) -> None:
    await asyncio.gather(*(add(store, at(device, f"{created_at}-{n}", created_at)) for n in range(count)))


async def test_nothing(store: Store, device: int) -> None:
    assert await find(store) == Page([], None)
    assert await find(store, device) == Page([], None)


@pytest.mark.parametrize("alone", [True, False])
async def test_filters(store: Store, device: int, other: int, alone: bool) -> None:
    elsewhere = store.add_device("plant", "lamp", "secret-of-lamp").key
    for number in range(5):
        await add(store, at(device, f"m{number}", NOW + number))
        await add(store, at(elsewhere, "of another project", NOW + number))
        await add(store, a_message(elsewhere, f"{number}"))
    await finish(store, 1, DELIVERED)
    await finish(store, 4, TIMEOUT)
    only = device if alone else None
    page = await find(store, only)
    assert page.messages == [("lamp", store.message(device, f"m{number}")) for number in (4, 3, 2, 1, 0)]
    assert await everything(store, only, limit=2) == ["m4", "m3", "m2", "m1", "m0"]
    assert await everything(store, only, limit=1, status=Status.PENDING) == ["m4", "m3", "m2"]
    assert await everything(store, only, status=Status.DELIVERED) == ["m0"]
    assert await everything(store, only, since=NOW + 1, until=NOW + 3) == ["m3", "m2", "m1"]
    assert await everything(store, only, since=NOW + 4) == ["m4"]
    assert await everything(store, only, until=NOW) == ["m0"]
    assert names(await find(store, other)) == []


@pytest.mark.parametrize("before", [2**70, -(2**70), 0, 1, FOREVER])
async def test_a_page_may_begin_anywhere(store: Store, device: int, before: int) -> None:
    await add(store, a_message(device))
    for only in (device, None):
        assert names(await find(store, only, before=before)) == (["m1"] if before > 1 else [])


async def test_pages_are_not_moved_by_what_comes_in_or_goes(store: Store, device: int) -> None:
    await many(store, device, 6)
    first = await find(store, limit=3)
    await add(store, a_message(device, "new"))
    await remove(store, 3)
    assert names(first) == [f"{NOW}-5", f"{NOW}-4", f"{NOW}-3"]
    assert await everything(store, limit=2, before=first.rest) == [f"{NOW}-1", f"{NOW}-0"]


async def test_a_page_of_large_messages_ends_early_but_not_empty(store: Store, device: int) -> None:
    for name in ("m1", "m2"):
        await add(store, a_message(device, name, content="x" * 2_000_000))
    page = await find(store)
    assert names(page) == ["m2"]
    assert names(await find(store, before=page.rest)) == ["m1"]


@pytest.mark.slow
@pytest.mark.parametrize("alone", [True, False])
async def test_looking_is_bounded(
    store: Store, device: int, other: int, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKS", 2)
    for number in range(5):
        await many(store, device, 1, NOW + number)
        await many(store, other, BLOCK - 1, NOW + number)
    only = device if alone else None
    page = await find(store, only, until=NOW)
    assert page == Page([], (3 if alone else 4) * BLOCK)
    assert (await find(store, only, status=Status.TIMEOUT)).rest is not None
    assert await everything(store, only, until=NOW, limit=BLOCK) == [
        *([] if alone else [f"{NOW}-{number}" for number in reversed(range(BLOCK - 1))]),
        f"{NOW}-0",
    ]


async def test_blocks_of_another_time_are_looked_at_once(store: Store, device: int) -> None:
    """The clock was set back in between: what was created when does not follow the order of acceptance."""
    await many(store, device, BLOCK - 1, NOW)
    await many(store, device, BLOCK, NOW - 1000)
    await many(store, device, BLOCK, NOW + 1000)
    looked: list[str] = []
    store._searches._connection.set_trace_callback(looked.append)
    for measured in (2, 0):
        looked.clear()
        assert len(await everything(store, limit=BLOCK, since=NOW, until=NOW)) == BLOCK - 1
        assert sum("CROSS JOIN" in statement for statement in looked) == 2  # one of them has no end yet
        assert sum("min(created_at)" in statement for statement in looked) == measured
    assert len(await everything(store, limit=BLOCK, since=NOW - 1000, until=NOW - 1)) == BLOCK


async def test_a_block_that_is_empty_now(store: Store, device: int, clock: HandClock) -> None:
    await many(store, device, 1)
    await many(store, device, 2 * BLOCK, NOW + 1)
    for seq in range(BLOCK, 2 * BLOCK):
        last = remove(store, seq)
    await last
    assert await everything(store, until=NOW) == [f"{NOW}-0"]


async def test_a_closed_store_says_so(path: Path, clock: HandClock) -> None:
    store = Store.open(path, clock=clock)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await find(store)


async def test_what_cannot_be_read(store: Store, device: int) -> None:
    store._searches._connection.execute("ALTER TABLE message RENAME TO lost")
    with pytest.raises(StoreUnavailable):
        await find(store)
