"""A message is accepted when it is committed, and its sender is told how it ended if that does not take long."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Coroutine
from typing import Any

import pytest

from bridge.delivery import DeliverySettings
from bridge.model.errors import BridgeError, DuplicateMessage, StoreUnavailable, UnknownDevice
from bridge.model.message import AcknowledgedBy, Message, Outcome, Status
from bridge.mqtt import Puback, Publish
from tests.broker.site import Site, draft, mqtt
from tests.broker.times import turn
from tests.delivery.conftest import NewSite

PATIENT = DeliverySettings(ack_wait=1)


def begin(submission: Coroutine[Any, Any, Message]) -> asyncio.Task[Message]:
    return asyncio.get_running_loop().create_task(submission)


def on_disk(site: Site) -> list[tuple[str, str]]:
    """What another process sees."""
    with contextlib.closing(sqlite3.connect(site.path)) as other:
        return other.execute("SELECT message_id, status FROM message ORDER BY seq").fetchall()


async def test_answered_only_when_committed(site: Site) -> None:
    pump = site.add_device()
    with site.writer_held():
        submission = begin(site.submit(pump, "m"))
        await turn()
        assert not submission.done()
        assert on_disk(site) == []
    message = await submission
    assert on_disk(site) == [("m", "PENDING")]
    assert message.outcome is None
    assert (message.created_at, message.expires_at) == (site.clock(), site.clock() + 60 * 60_000)


async def test_sent_only_when_committed(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    with site.writer_held():
        submission = begin(site.submit(pump, "m"))
        await client.quiet()
    await submission
    await client.take()


async def test_an_acknowledgement_in_time_is_the_answer(new_site: NewSite) -> None:
    site = await new_site(mqtt(), PATIENT)
    pump = site.add_device()
    client = await site.log_in(pump)
    submission = begin(site.submit(pump))
    await client.take()
    message = await submission
    assert message.outcome == Outcome(Status.DELIVERED, site.clock(), AcknowledgedBy.DEVICE)


async def test_delivered_is_answered_only_when_it_is_committed(new_site: NewSite) -> None:
    """Whoever is told DELIVERED may rely on it, whatever happens to the daemon."""
    site = await new_site(mqtt(), PATIENT)
    pump = site.add_device()
    client = await site.log_in(pump)
    submission = begin(site.submit(pump))
    publish = await client.receive(Publish)
    with site.writer_held():
        await client.acknowledge(publish)
        await client.quiet()
        assert not submission.done()
        assert [state for _, state in on_disk(site)] == ["PENDING"]
    assert (await submission).status is Status.DELIVERED
    assert [state for _, state in on_disk(site)] == ["DELIVERED"]


async def test_the_answer_does_not_wait_for_the_second_commit_if_that_is_wanted(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=PATIENT.ack_wait, tell="acknowledged"))
    pump = site.add_device()
    client = await site.log_in(pump)
    submission = begin(site.submit(pump))
    publish = await client.receive(Publish)
    with site.writer_held():
        await client.acknowledge(publish)
        message = await submission
        assert message.status is Status.DELIVERED
        assert site.stored(message) is Status.PENDING
        assert site.status(pump, message) is Status.DELIVERED
    assert await site.stored_as(message) is Status.DELIVERED


async def test_a_failure_is_answered_only_when_it_is_committed(new_site: NewSite) -> None:
    """Whoever is told FAILED may rely on the message never being sent again, whatever happens to the daemon."""
    site = await new_site(mqtt(), PATIENT)
    pump = site.add_device()
    client = await site.log_in(pump)
    submission = begin(site.submit(pump))
    publish = await client.receive(Publish)
    with site.writer_held():
        client.send(Puback(publish.packet_id, 0x80))
        await client.quiet()
        assert not submission.done()
    assert (await submission).status is Status.FAILED
    assert [state for _, state in on_disk(site)] == ["FAILED"]


async def test_who_waits_too_long_is_answered_pending(new_site: NewSite) -> None:
    site = await new_site(mqtt(), PATIENT)
    pump = site.add_device()
    client = await site.log_in(pump)
    first = begin(site.submit(pump))
    held = await client.receive(Publish)
    await site.let_pass(0.6)
    second = begin(site.submit(pump))
    await client.receive(Publish)

    await site.let_pass(0.6)
    assert (await first).outcome is None
    assert not second.done()
    await site.let_pass(0.6)
    assert (await second).outcome is None

    await client.acknowledge(held)
    await client.quiet()
    assert await site.stored_as(await first) is Status.DELIVERED


async def test_without_waiting_the_answer_is_pending(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump)
    assert message.outcome is None
    await client.take()
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


async def test_an_offline_device_is_not_waited_for(new_site: NewSite) -> None:
    site = await new_site(mqtt(), PATIENT)
    pump = site.add_device()
    assert (await site.submit(pump)).outcome is None


async def test_senders_that_went_away_disturb_nobody(new_site: NewSite) -> None:
    site = await new_site(mqtt(), PATIENT)
    pump = site.add_device()
    client = await site.log_in(pump)
    gone = begin(site.submit(pump, "gone"))
    publish = await client.receive(Publish)
    gone.cancel()
    await client.acknowledge(publish)
    await client.quiet()
    stays = begin(site.submit(pump, "stays"))
    await client.take()
    assert (await stays).status is Status.DELIVERED


async def test_a_refusal_for_a_sender_that_went_away(site: Site) -> None:
    pump = site.add_device()
    await site.submit(pump, "m")
    with site.writer_held():
        gone = begin(site.submit(pump, "m"))
        await turn()
        gone.cancel()
    await site.store.flush()
    assert gone.cancelled()
    assert on_disk(site) == [("m", "PENDING")]


async def test_stopping_answers_everybody(new_site: NewSite) -> None:
    site = await new_site(mqtt(), PATIENT)
    pump = site.add_device()
    client = await site.log_in(pump)
    submissions = []
    for _ in range(3):
        submissions.append(begin(site.submit(pump)))
        await client.receive(Publish)
    site.delivery.stop()
    assert [(await submission).outcome for submission in submissions] == [None, None, None]


async def test_stopping_answers_nobody_before_the_commit(new_site: NewSite) -> None:
    site = await new_site(mqtt(), PATIENT)
    pump = site.add_device()
    with site.writer_held():
        submission = begin(site.submit(pump, "m"))
        await turn()
        site.delivery.stop()
        await turn()
        assert not submission.done()
    await submission
    assert on_disk(site) == [("m", "PENDING")]


async def test_unknown_device(site: Site) -> None:
    with pytest.raises(UnknownDevice):
        await site.delivery.submit("default", "nobody", draft())
    site.add_device("pump-1", project="other")
    with pytest.raises(UnknownDevice):
        await site.delivery.submit("default", "pump-1", draft())


async def test_the_same_id_twice(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, max_pending_per_device=2))
    pump = site.add_device()
    await site.submit(pump, "m")
    for _ in range(3):  # a refused message does not count as pending
        with pytest.raises(DuplicateMessage):
            await site.submit(pump, "m")
    await site.submit(pump, "n")
    assert on_disk(site) == [("m", "PENDING"), ("n", "PENDING")]


async def test_the_same_id_twice_at_once(site: Site) -> None:
    pump, other = site.add_device(), site.add_device("pump-2")
    client = await site.log_in(pump)
    results = await asyncio.gather(
        site.submit(pump, "m"), site.submit(pump, "m"), site.submit(other, "m"), return_exceptions=True
    )
    assert [type(result) for result in results] == [Message, DuplicateMessage, Message]
    await client.take()
    await client.quiet()


async def test_nothing_is_accepted_while_the_store_refuses(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, max_pending_per_device=1))
    pump = site.add_device()
    client = await site.log_in(pump)
    async with site.writes_refused():
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await site.submit(pump)
        await client.quiet()
    assert on_disk(site) == []
    await site.submit(pump, "m")
    assert (await client.take()).payload == b'{"name":null,"id":"m","content":"hello"}'


async def test_nothing_is_accepted_on_a_full_disk(site: Site) -> None:
    pump = site.add_device()

    def full(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    await site.store._writer.request(full)
    with pytest.raises(StoreUnavailable):
        await site.submit(pump, content=f'"{"x" * 100_000}"')
    assert on_disk(site) == []


async def test_a_damaged_store_is_an_error_of_the_core(site: Site) -> None:
    """Whoever asks gets a BridgeError, whatever it was that could not be read."""
    pump = site.add_device()
    async with site.unreadable("message"):
        with pytest.raises(BridgeError):
            await site.submit(pump)
    await site.submit(pump)
