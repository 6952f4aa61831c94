"""What applications read: one message, or a page of them."""

import asyncio

import pytest

from bridge.delivery import DeliverySettings
from bridge.model.errors import UnknownMessage
from bridge.model.message import Message, Status
from bridge.mqtt import Publish
from tests.broker.site import Site, mqtt
from tests.broker.times import turn
from tests.delivery.conftest import NewSite


def page(
    site: Site, limit: int = 10, marker: str | None = None, status: Status | None = None
) -> list[tuple[str, Status]]:
    before = None if marker is None else site.delivery.place("default", "pump-1", marker)
    found = site.delivery.messages("default", "pump-1", limit=limit, before=before, status=status)
    return [(message.draft.message_id, message.status) for message in found]


async def five(site: Site) -> list[Message]:
    pump = site.add_device()
    return [await site.submit(pump, message_id) for message_id in "abcde"]


@pytest.fixture
async def messages(site: Site) -> list[Message]:
    return await five(site)


async def test_newest_first_in_pages(site: Site, messages: list[Message]) -> None:
    assert [message_id for message_id, _ in page(site)] == ["e", "d", "c", "b", "a"]
    assert [message_id for message_id, _ in page(site, 2)] == ["e", "d"]
    assert [message_id for message_id, _ in page(site, 2, "d")] == ["c", "b"]
    assert page(site, 2, "a") == []


async def test_the_place_of_one_that_was_removed(site: Site, messages: list[Message]) -> None:
    await site.delivery.cancel("default", "pump-1", "d")
    assert [message_id for message_id, _ in page(site, 2, "d")] == ["c", "b"]
    await site.restart()
    assert [message_id for message_id, _ in page(site, 2, "d")] == ["c", "b"]
    pump = site.store.device("default", "pump-1")
    assert pump is not None
    again = await site.submit(pump, "d")
    assert site.delivery.place("default", "pump-1", "d") == again.seq
    await site.let_pass(86_400)
    await site.store.forget()
    assert site.store.place(pump.key, "d") == again.seq
    await site.delivery.cancel("default", "pump-1", "d")
    assert site.store.place(pump.key, "d") == again.seq
    await site.let_pass(86_400)
    await site.store.forget()
    assert site.store.place(pump.key, "d") is None


async def test_unknown_ones(site: Site, messages: list[Message]) -> None:
    with pytest.raises(UnknownMessage):
        page(site, 2, "nothing")
    with pytest.raises(UnknownMessage):
        site.delivery.message("default", "pump-1", "nothing")


async def test_one_as_it_was_accepted(site: Site) -> None:
    pump = site.add_device()
    message = await site.submit(
        pump, "m", name="n", topic="news", user_properties=(("a", "1"), ("a", "2")), response_topic="r"
    )
    assert site.delivery.message("default", "pump-1", "m") == message


async def test_only_those_in_a_state(site: Site, messages: list[Message]) -> None:
    pump = site.store.device("default", "pump-1")
    assert pump is not None
    client = await site.log_in(pump)
    await client.take()
    for _ in range(4):
        await client.receive(Publish)
    await client.quiet()
    await site.store.flush()
    assert page(site, status=Status.DELIVERED) == [("a", Status.DELIVERED)]
    assert [message_id for message_id, _ in page(site, status=Status.PENDING)] == ["e", "d", "c", "b"]
    assert page(site, status=Status.FAILED) == []


@pytest.mark.parametrize("tell", ["recorded", "acknowledged"])
async def test_delivered_is_seen_when_it_is_committed_or_before(new_site: NewSite, tell: str) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, tell=tell))
    messages = await five(site)
    pump = site.store.device("default", "pump-1")
    assert pump is not None
    client = await site.log_in(pump)
    publish = await client.receive(Publish)
    with site.writer_held():
        await client.acknowledge(publish)
        for _ in range(4):
            await client.receive(Publish)
        await client.quiet()
        assert site.stored(messages[0]) is Status.PENDING
        early = tell == "acknowledged"
        assert page(site)[-1] == ("a", Status.DELIVERED if early else Status.PENDING)
        pending = ["e", "d", "c", "b"] if early else ["e", "d", "c", "b", "a"]
        assert [message_id for message_id, _ in page(site, status=Status.PENDING)] == pending
        assert page(site, status=Status.DELIVERED) == []  # the store is asked, and has none
    await site.store.flush()
    assert page(site)[-1] == ("a", Status.DELIVERED)


async def test_other_ends_are_seen_when_they_are_committed(site: Site) -> None:
    """Whoever reads TIMEOUT may rely on it, whatever happens to the daemon."""
    pump = site.add_device()
    await site.submit(pump, "m", ttl=5)
    with site.writer_held():
        await site.let_pass(5 * 60)
        assert page(site) == [("m", Status.PENDING)]
    await site.store.flush()
    assert page(site) == [("m", Status.TIMEOUT)]


async def test_what_is_being_cancelled_is_not_seen(site: Site, messages: list[Message]) -> None:
    with site.writer_held():
        cancelled = asyncio.create_task(site.delivery.cancel("default", "pump-1", "c"))
        await turn()
        assert [message_id for message_id, _ in page(site)] == ["e", "d", "b", "a"]
        with pytest.raises(UnknownMessage):
            site.delivery.message("default", "pump-1", "c")
    await cancelled
    assert [message_id for message_id, _ in page(site)] == ["e", "d", "b", "a"]
