"""A device may have so many PENDING messages and not more."""

import asyncio

import pytest

from bridge.delivery import DeliverySettings
from bridge.model.errors import QueueFull
from bridge.model.message import Message, Status
from bridge.mqtt import Publish
from tests.broker.site import Site, mqtt
from tests.delivery.conftest import NewSite

REJECT = DeliverySettings(ack_wait=0, max_pending_per_device=3)
DROP = DeliverySettings(ack_wait=0, max_pending_per_device=3, when_full="drop_oldest")


async def states(site: Site, messages: list[Message]) -> list[str]:
    return [str(await site.stored_as(message)) for message in messages]


async def test_reject(new_site: NewSite) -> None:
    site = await new_site(mqtt(), REJECT)
    pump, other = site.add_device(), site.add_device("pump-2")
    messages = [await site.submit(pump) for _ in range(3)]
    with pytest.raises(QueueFull, match="3 messages waiting"):
        await site.submit(pump, "too-many")
    assert site.store.message(pump.key, "too-many") is None
    await site.submit(other)
    assert await states(site, messages) == ["PENDING"] * 3


async def test_reject_while_nothing_is_committed(new_site: NewSite) -> None:
    site = await new_site(mqtt(), REJECT)
    pump = site.add_device()
    with site.writer_held():
        submissions = [asyncio.create_task(site.submit(pump)) for _ in range(5)]
        results = await asyncio.gather(*submissions[3:], return_exceptions=True)
        assert [type(result) for result in results] == [QueueFull, QueueFull]
    assert len(await asyncio.gather(*submissions[:3])) == 3


async def test_room_again(new_site: NewSite) -> None:
    """Each end of a message makes room for one: delivered, failed, expired, cancelled."""
    site = await new_site(mqtt(), REJECT)
    pump = site.add_device()
    for _ in range(2):
        await site.submit(pump, "delivered", ttl=60)
        await site.submit(pump, "expires", ttl=5)
        await site.submit(pump, "cancelled", ttl=60)
        with pytest.raises(QueueFull):
            await site.submit(pump)
        await site.delivery.cancel("default", "pump-1", "cancelled")
        await site.submit(pump, "uncached", ttl=0)
        await site.let_pass(5 * 60)
        client = await site.log_in(pump)
        await client.take()
        await client.quiet()
        for message_id in ("delivered", "expires", "uncached"):
            await site.delivery.cancel("default", "pump-1", message_id)
        await site.log_out(pump, client)
    assert site.store.messages(pump.key, limit=10) == []


async def test_counted_from_the_store_after_a_restart(new_site: NewSite) -> None:
    site = await new_site(mqtt(), REJECT)
    pump = site.add_device()
    for _ in range(3):
        await site.submit(pump)
    await site.restart()
    with pytest.raises(QueueFull):
        await site.submit(pump)


async def test_drop_oldest(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DROP)
    pump = site.add_device()
    messages = [await site.submit(pump) for _ in range(5)]
    assert await states(site, messages) == ["FAILED", "FAILED", "PENDING", "PENDING", "PENDING"]
    client = await site.log_in(pump)
    for message in messages[2:]:
        assert message.draft.message_id.encode() in (await client.take()).payload
    await client.quiet()


async def test_drop_oldest_never_one_that_is_in_flight(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=1), DROP)
    pump = site.add_device()
    messages = [await site.submit(pump) for _ in range(3)]
    client = await site.log_in(pump)
    publish = await client.receive(Publish)
    messages += [await site.submit(pump) for _ in range(2)]
    assert await states(site, messages) == ["PENDING", "FAILED", "FAILED", "PENDING", "PENDING"]
    await client.acknowledge(publish)
    await client.take()
    await client.take()
    await client.quiet()
    assert await states(site, messages) == ["DELIVERED", "FAILED", "FAILED", "DELIVERED", "DELIVERED"]


async def test_refused_when_all_are_in_flight(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DROP)
    pump = site.add_device()
    client = await site.log_in(pump)
    messages = [await site.submit(pump) for _ in range(3)]
    with pytest.raises(QueueFull):
        await site.submit(pump)
    assert await states(site, messages) == ["PENDING"] * 3
    for _ in messages:
        await client.take()
    await client.quiet()
    await site.submit(pump)


async def test_refused_while_the_displaced_are_not_committed(new_site: NewSite) -> None:
    """Every message is displaced once; a second one in the same moment takes the next."""
    site = await new_site(mqtt(), DROP)
    pump = site.add_device()
    messages = [await site.submit(pump) for _ in range(3)]
    with site.writer_held():
        submissions = [asyncio.create_task(site.submit(pump)) for _ in range(4)]
        results = await asyncio.gather(submissions[3], return_exceptions=True)
        assert isinstance(results[0], QueueFull)
    messages += await asyncio.gather(*submissions[:3])
    assert await states(site, messages) == ["FAILED"] * 3 + ["PENDING"] * 3


async def test_drop_oldest_behind_many_in_flight(new_site: NewSite) -> None:
    """The oldest that is not in flight is found behind more than one page of those that are."""
    settings = DeliverySettings(ack_wait=0, max_pending_per_device=201, when_full="drop_oldest")
    site = await new_site(mqtt(max_inflight=200), settings)
    pump = site.add_device()
    messages = list(await asyncio.gather(*(site.submit(pump) for _ in range(201))))
    client = await site.log_in(pump)
    for _ in range(200):
        await client.receive(Publish)
    await client.quiet()
    messages.append(await site.submit(pump))
    assert await states(site, messages) == ["PENDING"] * 200 + ["FAILED", "PENDING"]
    assert site.status(pump, messages[-1]) is Status.PENDING
