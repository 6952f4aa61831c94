"""When devices were connected is written down, many at once."""

import asyncio

from bridge.model.errors import BridgeError, StoreUnavailable
from bridge.model.record import Activity, DeviceStatus, Enrolment, Profile, Sighting
from bridge.store import Store
from bridge.store.presence_writes import PAGE


async def note(store: Store, *sightings: Sighting) -> None:
    written: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    store.note(sightings, written.set_result)
    assert await written is False


async def end_last_run(store: Store, at: int) -> bool:
    written: asyncio.Future[bool | BridgeError] = asyncio.get_running_loop().create_future()
    store.end_last_run(at, written.set_result)
    return await written is True


def activity(store: Store, device_id: str = "lamp") -> Activity:
    record = store.record("home", device_id)
    assert record is not None
    return record.activity


async def test_the_first_connection_is_remembered(store: Store, device: int, other: int) -> None:
    await note(store, Sighting(device, True, 5, 5))
    assert activity(store) == Activity(True, 5, 5)
    await note(store, Sighting(device, False, 6, None))
    assert activity(store) == Activity(False, 6, 5)
    await note(store, Sighting(device, True, 9, 7))
    assert activity(store) == Activity(True, 9, 5)
    assert activity(store, "fan") == Activity()


async def test_status(store: Store, device: int) -> None:
    seen = []
    for sighting in (Sighting(device, True, 5, 5), Sighting(device, False, 6, None)):
        await note(store, sighting)
        record = store.record("home", "lamp")
        assert record is not None
        seen.append(record.status)
    assert seen == [DeviceStatus.ONLINE, DeviceStatus.OFFLINE]


async def test_any_number_at_once(store: Store) -> None:
    keys = [store.add_device("home", f"d{number}", "12345678").key for number in range(87)]
    await note(store, *(Sighting(key, True, key, key) for key in keys), Sighting(9999, True, 1, 1))
    assert [activity(store, f"d{number}").changed_at for number in range(87)] == keys
    await note(store)


async def test_a_removed_device_is_passed_over(store: Store, device: int, other: int) -> None:
    store.remove_device("home", "lamp")
    await note(store, Sighting(device, True, 5, 5), Sighting(other, True, 5, 5))
    assert activity(store, "fan").online
    assert store.record("home", "lamp") is None


async def test_the_end_of_the_last_run(store: Store, device: int, other: int) -> None:
    await note(store, Sighting(device, True, 5, 5))
    assert await end_last_run(store, 9)
    assert activity(store) == Activity(False, 9, 5)
    assert activity(store, "fan") == Activity()
    assert await end_last_run(store, 10)
    assert activity(store).changed_at == 9


async def test_it_is_written_page_by_page(store: Store) -> None:
    keys = [store.add_device("home", f"d{number}", "12345678").key for number in range(2 * PAGE + 1)]
    await note(store, *(Sighting(key, True, 1, 1) for key in keys))
    assert [await end_last_run(store, 9) for _ in range(3)] == [False, False, True]
    assert {activity(store, f"d{number}") for number in range(2 * PAGE + 1)} == {Activity(False, 9, 1)}


async def test_a_device_behind_a_gateway_shares_its_connection(store: Store, device: int) -> None:
    await note(store, Sighting(device, True, 5, 5))
    made = store.enrol("home", Enrolment("bulb", Profile("bulb"), gateway_id="lamp"))
    born = made.device.created_at
    assert activity(store, "bulb") == Activity(True, born, None)
    await note(store, Sighting(device, False, born - 1, None))
    assert activity(store, "bulb") == Activity()
    await note(store, Sighting(device, False, born + 1, None))
    assert activity(store, "bulb") == Activity(False, born + 1, None)
    await note(store, Sighting(device, True, born + 2, None))
    assert activity(store, "bulb") == Activity(True, born + 2, None)


async def test_refused_when_the_store_is_closed(store: Store, device: int) -> None:
    await store.close()
    told: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    store.note([Sighting(device, True, 5, 5)], told.set_result)
    assert isinstance(await told, StoreUnavailable)
