"""Requests with an idempotency key."""

import asyncio

import pytest

from bridge.delivery import DeliverySettings
from bridge.model.device import Device
from bridge.model.errors import (
    DuplicateMessage,
    KeyReused,
    QueueFull,
    RepeatedTooLate,
    StoreUnavailable,
    UnknownDevice,
)
from bridge.model.message import Draft, Message, Status
from bridge.model.once import REMEMBERED, Once
from bridge.mqtt import Publish
from tests.broker.site import Site, draft, mqtt
from tests.broker.times import turn
from tests.delivery.conftest import NewSite

ONCE = Once("a-key", b"the body")
OTHER_BODY = Once("a-key", b"another body")


async def submit(site: Site, device: Device, once: Once = ONCE, message_id: str = "") -> Message:
    return await site.delivery.submit_once(device.project, device.device_id, once, lambda: draft(message_id))


def asked(site: Site, device: Device, once: Once = ONCE, message_id: str = "") -> asyncio.Task[Message]:
    return asyncio.create_task(submit(site, device, once, message_id))


def refused() -> Draft:
    raise ValueError("not right any more")


def message_id(message: Message) -> str:
    return message.draft.message_id


async def test_the_first_answer_again(site: Site) -> None:
    pump = site.add_device()
    first = await submit(site, pump)
    assert await submit(site, pump) == first
    assert len(site.store.messages(pump.key, limit=10)) == 1


async def test_after_a_restart_and_with_the_state_of_now(site: Site) -> None:
    pump = site.add_device()
    first = await submit(site, pump)
    await site.restart()
    client = await site.log_in(pump)
    await client.take()
    await client.quiet()
    await site.store.flush()
    again = await submit(site, pump)
    assert (message_id(again), again.created_at) == (message_id(first), first.created_at)
    assert again.status is Status.DELIVERED
    await client.quiet()


async def test_a_repeat_is_not_checked_again(site: Site) -> None:
    pump = site.add_device()
    first = await submit(site, pump)
    assert await site.delivery.submit_once("default", "pump-1", ONCE, refused) == first
    with pytest.raises(ValueError, match="not right"):
        await site.delivery.submit_once("default", "pump-1", Once("new", b""), refused)


async def test_another_body(site: Site) -> None:
    pump = site.add_device()
    with site.writer_held():
        first = asked(site, pump)
        await turn()
        with pytest.raises(KeyReused):
            await submit(site, pump, OTHER_BODY)
    await first
    with pytest.raises(KeyReused):
        await submit(site, pump, OTHER_BODY)
    assert len(site.store.messages(pump.key, limit=10)) == 1


async def test_another_device_and_no_device(site: Site) -> None:
    first = await submit(site, site.add_device())
    second = await submit(site, site.add_device("pump-2"))
    assert message_id(first) != message_id(second)
    with pytest.raises(UnknownDevice):
        await site.delivery.submit_once("default", "nobody", ONCE, draft)


async def test_repeats_wait_for_the_first(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=60))
    pump = site.add_device()
    client = await site.log_in(pump)
    with site.writer_held():
        requests = [asked(site, pump) for _ in range(3)]
        await turn()
    publish = await client.receive(Publish)
    requests.append(asked(site, pump))
    await turn()
    assert not any(request.done() for request in requests)
    requests[0].cancel()
    await client.acknowledge(publish)
    answers = await asyncio.gather(*requests[1:])
    assert {message_id(answer) for answer in answers} == {message_id(answers[0])}
    assert {answer.status for answer in answers} == {Status.DELIVERED}
    await client.quiet()


async def test_errors_are_not_remembered(site: Site) -> None:
    pump = site.add_device()
    await site.submit(pump, "taken")
    requests = [asked(site, pump, message_id="taken") for _ in range(2)]
    for request in requests:
        with pytest.raises(DuplicateMessage):
            await request
    assert message_id(await submit(site, pump, message_id="free")) == "free"


async def test_a_repeat_needs_no_room(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, max_pending_per_device=1))
    pump = site.add_device()
    first = await submit(site, pump)
    assert await submit(site, pump) == first
    for _ in range(2):
        with pytest.raises(QueueFull):
            await submit(site, pump, Once("another", b""))


async def test_a_disk_that_refuses(site: Site) -> None:
    pump = site.add_device()
    async with site.writes_refused():
        with pytest.raises(StoreUnavailable):
            await submit(site, pump)
    assert site.store.messages(pump.key, limit=10) == []
    assert (await submit(site, pump)).seq


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_message_that_was_deleted(site: Site, replaced: bool) -> None:
    """Neither is it sent again, nor does another one of that name stand for it."""
    pump = site.add_device()
    await submit(site, pump, message_id="m")
    await site.delivery.cancel("default", "pump-1", "m")
    if replaced:
        site.clock.advance(1)
        await site.submit(pump, "m")
    with pytest.raises(RepeatedTooLate):
        await submit(site, pump, message_id="m")


async def test_a_day_later(site: Site) -> None:
    pump = site.add_device()
    first = await submit(site, pump)
    site.clock.advance(REMEMBERED / 1000 - 0.001)
    assert message_id(await submit(site, pump)) == message_id(first)
    site.clock.advance(0.001)
    second = await submit(site, pump, OTHER_BODY)
    assert message_id(second) != message_id(first)
    assert message_id(await submit(site, pump, OTHER_BODY)) == message_id(second)


async def test_with_the_same_key_for_a_scheduled_message(site: Site) -> None:
    site.add_device()
    at = site.clock() + 1000

    async def ask() -> Message:
        return await site.delivery.submit_once("default", "pump-1", ONCE, lambda: draft(send_at=at))

    first = await ask()
    assert await ask() == first
    assert site.store.next_scheduled() == at
