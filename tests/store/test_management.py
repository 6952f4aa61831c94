"""Administration away from the event loop."""

import asyncio
import threading

import pytest

from bridge.model.errors import StoreUnavailable, UnknownDevice
from bridge.store import Admin, Store


async def test_it_runs_elsewhere_and_is_noticed_here(store: Store) -> None:
    told: list[int] = []
    store.on_device_change(told.append)
    where: list[threading.Thread] = []

    def add(admin: Admin) -> int:
        where.append(threading.current_thread())
        return admin.add_device("home", "lamp", "secret-of-lamp").key

    key = await store.manage(add)
    assert told == [key]
    assert store.device("home", "lamp")
    assert where != [threading.current_thread()]


async def test_what_is_known_from_before_is_not_told_any_more(store: Store, device: int) -> None:
    assert store.devices_called("lamp")
    await store.manage(lambda admin: admin.remove_device("home", "lamp"))
    assert store.devices_called("lamp") == []


async def test_one_after_the_other(store: Store) -> None:
    order: list[int] = []

    def note(number: int) -> int:
        order.append(number)
        return number

    asked = [store.manage(lambda admin, number=number: note(number)) for number in range(20)]  # type: ignore[misc]
    assert await asyncio.gather(*asked) == order == list(range(20))


async def test_errors_come_back(store: Store) -> None:
    with pytest.raises(UnknownDevice):
        await store.manage(lambda admin: admin.remove_device("home", "lamp"))

    def fail(_: Admin) -> None:
        raise RuntimeError("not my day")

    with pytest.raises(RuntimeError, match="not my day"):
        await store.manage(fail)


async def test_it_is_done_though_nobody_waits(store: Store) -> None:
    entered, release = threading.Event(), threading.Event()

    def add(admin: Admin) -> None:
        entered.set()
        release.wait(10)
        admin.add_device("home", "lamp", "secret-of-lamp")

    asked = asyncio.create_task(store.manage(add))
    await asyncio.to_thread(entered.wait, 10)
    asked.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await store.manage(lambda _: None)
    assert store.device("home", "lamp")


async def test_nothing_more_once_the_store_is_closed(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.manage(lambda admin: admin.devices("home"))
    await store.close()
