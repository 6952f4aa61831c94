"""Every row of the state table: how a message ends, and what is said about it."""

import asyncio

import pytest

from bridge.delivery import DeliverySettings
from bridge.model.errors import BridgeError, UnknownMessage
from bridge.model.message import AcknowledgedBy, Failure, Message, Outcome, Status
from bridge.model.topics import user_topic
from bridge.mqtt import Properties, Puback, Pubcomp, Publish, Pubrec, Pubrel, Version
from tests.broker.site import Site, draft, mqtt
from tests.broker.times import turn
from tests.delivery.conftest import NewSite

VERSIONS = pytest.mark.parametrize("version", list(Version), ids=lambda version: version.name)
ACK_WAIT = DeliverySettings(ack_wait=1)
WINDOW_FULL = "the device takes no more now: its window is full, and the message is not to be cached"
OTHERS_IN_FRONT = "other messages wait for the device's connection, and the message is not to be cached"


async def ended(site: Site, message: Message) -> Outcome:
    """The outcome of a message, which is committed and the same for everybody."""
    await site.store.flush()
    found = site.store.message(message.device, message.draft.message_id)
    assert found is not None
    assert found.outcome is not None
    device = site.store.device_by_key(message.device)
    assert device is not None
    assert site.shown(device, message).outcome == found.outcome
    return found.outcome


@VERSIONS
@pytest.mark.parametrize("qos", [1, 2])
async def test_delivered_when_the_device_acknowledges(new_site: NewSite, version: Version, qos: int) -> None:
    site = await new_site(mqtt(downlink_qos=qos))
    pump = site.add_device()
    client = await site.log_in(pump, version)
    message = await site.submit(pump)
    publish = await client.receive(Publish)
    assert (publish.qos, publish.dup) == (qos, False)
    await client.quiet()
    assert site.status(pump, message) is Status.PENDING
    await site.let_pass(2)
    await client.acknowledge(publish)
    await client.quiet()
    assert await ended(site, message) == Outcome(Status.DELIVERED, site.clock(), AcknowledgedBy.DEVICE)


async def test_delivered_when_a_qos_2_message_is_received(new_site: NewSite) -> None:
    """PUBREC says that the device has it; PUBCOMP says nothing more about the message."""
    site = await new_site(mqtt(downlink_qos=2))
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump)
    publish = await client.receive(Publish)
    client.send(Pubrec(publish.packet_id))
    await client.receive(Pubrel)
    assert (await ended(site, message)).status is Status.DELIVERED
    client.send(Pubcomp(publish.packet_id))
    await client.quiet()


@VERSIONS
async def test_delivered_when_written_at_qos_0(new_site: NewSite, version: Version) -> None:
    site = await new_site(mqtt(downlink_qos=0), ACK_WAIT)
    pump = site.add_device()
    client = await site.log_in(pump, version)
    message = await site.submit(pump)
    expected = Outcome(Status.DELIVERED, site.clock(), AcknowledgedBy.SENT)
    assert message.outcome == expected
    assert (await client.receive(Publish)).qos == 0
    assert await ended(site, message) == expected


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize(("properties", "said"), [({}, ""), ({"reason_string": "no paper"}, ": no paper")])
async def test_failed_when_the_device_refuses(new_site: NewSite, qos: int, properties: Properties, said: str) -> None:
    site = await new_site(mqtt(downlink_qos=qos))
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump)
    packet_id = (await client.receive(Publish)).packet_id
    client.send((Puback if qos == 1 else Pubrec)(packet_id, 0x83, properties))
    await client.quiet()
    detail = f"the device refused it with reason code 0x83{said}"
    assert await ended(site, message) == Outcome(Status.FAILED, site.clock(), None, Failure.REFUSED, detail)


async def test_success_with_another_code_is_delivered(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump)
    client.send(Puback((await client.receive(Publish)).packet_id, 0x10))
    await client.quiet()
    assert (await ended(site, message)).status is Status.DELIVERED


async def test_uncached_fails_when_the_device_is_offline(new_site: NewSite) -> None:
    site = await new_site(mqtt(), ACK_WAIT)
    pump = site.add_device()
    message = await site.submit(pump, ttl=0)
    detail = "the device is not online and the message is not to be cached"
    assert message.outcome == Outcome(Status.FAILED, site.clock(), None, Failure.OFFLINE, detail)
    assert await ended(site, message) == message.outcome
    client = await site.log_in(pump)
    await client.quiet()


async def test_uncached_fails_when_the_device_has_gone(new_site: NewSite) -> None:
    site = await new_site(mqtt(), ACK_WAIT)
    pump = site.add_device()
    client = await site.log_in(pump)
    await site.log_out(pump, client)
    message = await site.submit(pump, ttl=0)
    assert message.outcome is not None
    assert message.outcome.failure is Failure.OFFLINE


async def test_uncached_fails_without_a_subscription(new_site: NewSite) -> None:
    site = await new_site(mqtt(), ACK_WAIT)
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump, ttl=0, topic=user_topic("pump-1", "news"))
    assert message.outcome == Outcome(
        Status.FAILED, site.clock(), None, Failure.NOT_SUBSCRIBED, "the device has not subscribed to the topic"
    )
    assert await ended(site, message) == message.outcome
    await client.subscribe(user_topic("pump-1", "#"))
    await client.quiet()


async def test_uncached_is_delivered_on_the_live_connection(new_site: NewSite) -> None:
    site = await new_site(mqtt(), ACK_WAIT)
    pump = site.add_device()
    client = await site.log_in(pump)
    submission = asyncio.create_task(site.submit(pump, ttl=0))
    await client.take()
    assert (await submission).status is Status.DELIVERED
    await site.log_out(pump, client)
    assert (await ended(site, await submission)).status is Status.DELIVERED


@pytest.mark.parametrize("clean", [True, False])
async def test_uncached_fails_when_the_device_leaves(site: Site, clean: bool) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311, clean=clean)
    message = await site.submit(pump, ttl=0)
    cached = await site.submit(pump)
    await client.receive(Publish)
    await client.receive(Publish)
    await site.log_out(pump, client)
    detail = "the device disconnected before it acknowledged"
    assert await ended(site, message) == Outcome(Status.FAILED, site.clock(), None, Failure.OFFLINE, detail)
    assert site.status(pump, cached) is Status.PENDING
    client = await site.log_in(pump, Version.V311, clean=clean)
    assert b'"id":"%s"' % cached.draft.message_id.encode() in (await client.take()).payload
    await client.quiet()


@pytest.mark.parametrize("acknowledged_later", [True, False])
async def test_uncached_fails_when_the_window_is_full(new_site: NewSite, acknowledged_later: bool) -> None:
    """Now, or not at all: it does not wait for room."""
    site = await new_site(mqtt(max_inflight=1), ACK_WAIT)
    pump = site.add_device()
    client = await site.log_in(pump)
    first = asyncio.create_task(site.submit(pump))
    publish = await client.receive(Publish)
    message = await site.submit(pump, ttl=0)
    assert message.outcome == Outcome(Status.FAILED, site.clock(), None, Failure.BUSY, WINDOW_FULL)
    if acknowledged_later:
        await client.acknowledge(publish)
    else:
        await site.log_out(pump, client)
        client = await site.log_in(pump)
        await client.take()
    await client.quiet()
    assert await ended(site, message) == message.outcome
    await first


async def test_uncached_fails_when_a_backlog_is_in_front(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=2), ACK_WAIT)
    pump = site.add_device()
    client = await site.log_in(pump)
    for _ in range(3):
        site.delivery.begin("default", "pump-1", draft(), lambda answer: None)
    publish = await client.receive(Publish)
    await client.receive(Publish)
    await client.quiet()
    message = await site.submit(pump, ttl=0)
    assert message.outcome == Outcome(Status.FAILED, site.clock(), None, Failure.BUSY, OTHERS_IN_FRONT)
    await client.acknowledge(publish)
    await client.take()
    await client.quiet()
    assert await ended(site, message) == message.outcome


async def test_uncached_does_not_have_a_long_backlog_offered(new_site: NewSite) -> None:
    """The backlog has to be looked through again because the device has subscribed to something."""
    site = await new_site(mqtt(max_inflight=2))
    pump = site.add_device()
    for _ in range(6):
        await site.submit(pump, topic="news")
    client = await site.log_in(pump)
    await client.quiet()
    message: asyncio.Future[Message | BridgeError] = asyncio.get_running_loop().create_future()
    site.delivery.begin("default", "pump-1", draft(), lambda _: site.delivery.subscribed(pump.key))
    site.delivery.begin("default", "pump-1", draft("now", ttl=0), message.set_result)
    now = await message
    assert isinstance(now, Message)
    assert (await ended(site, now)).detail == OTHERS_IN_FRONT


async def test_uncached_is_sent_when_what_was_in_front_is_gone(new_site: NewSite) -> None:
    """Nobody has looked since."""
    site = await new_site(mqtt(max_inflight=4), ACK_WAIT)
    pump = site.add_device()
    client = await site.log_in(pump)
    for number in range(5):
        site.delivery.begin("default", "pump-1", draft(f"m{number}"), lambda answer: None)
    publish, *_ = [await client.receive(Publish) for _ in range(4)]
    await client.quiet()
    await site.delivery.cancel("default", "pump-1", "m4")
    await client.acknowledge(publish)
    await client.quiet()
    submission = asyncio.create_task(site.submit(pump, "now", ttl=0))
    await client.take()
    assert (await submission).status is Status.DELIVERED


async def test_uncached_in_a_page_of_the_backlog_fails_when_the_window_is_full(new_site: NewSite) -> None:
    """The backlog's reader saw it before its sender was told that it is stored."""
    site = await new_site(mqtt(max_inflight=1), ACK_WAIT)
    pump = site.add_device()
    await site.submit(pump, topic="news")
    client = await site.log_in(pump)
    async with site.news_held():
        submissions = [asyncio.create_task(site.submit(pump, name, ttl=0)) for name in ("first", "second")]
        while site.store.message(pump.key, "second") is None:
            await turn()
        await client.subscribe("other")
        publish = await client.receive(Publish)
    second = await submissions[1]
    assert (second.status, second.outcome and second.outcome.failure) == (Status.FAILED, Failure.BUSY)
    await client.acknowledge(publish)
    assert (await submissions[0]).status is Status.DELIVERED
    await client.quiet()


async def test_uncached_times_out_on_a_live_connection(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, uncached_wait=5))
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump, ttl=0)
    assert message.expires_at == site.clock() + 5000
    await client.receive(Publish)
    await site.let_pass(6)
    assert await ended(site, message) == Outcome(Status.TIMEOUT, message.expires_at)
    await site.log_out(pump, client)
    assert (await ended(site, message)).status is Status.TIMEOUT


async def test_failed_when_it_is_too_large(new_site: NewSite) -> None:
    site = await new_site(mqtt(), ACK_WAIT)
    pump = site.add_device()
    client = await site.log_in(pump, properties={"maximum_packet_size": 200})
    message = await site.submit(pump, content=f'"{"x" * 200}"')
    detail = "larger than the Maximum Packet Size of the device"
    assert message.outcome == Outcome(Status.FAILED, site.clock(), None, Failure.TOO_LARGE, detail)
    assert await ended(site, message) == message.outcome
    submission = asyncio.create_task(site.submit(pump))
    await client.take()
    assert (await submission).status is Status.DELIVERED


async def test_too_large_in_a_backlog_does_not_stop_it(site: Site) -> None:
    pump = site.add_device()
    large = await site.submit(pump, content=f'"{"x" * 200}"')
    small = await site.submit(pump)
    client = await site.log_in(pump, properties={"maximum_packet_size": 200})
    await client.take()
    await client.quiet()
    assert (await ended(site, large)).failure is Failure.TOO_LARGE
    assert (await ended(site, small)).status is Status.DELIVERED


@pytest.mark.parametrize("backlog", [True, False])
async def test_failed_when_mqtt_cannot_express_it(site: Site, backlog: bool) -> None:
    """The dialects let no such topic through; if one did, the messages behind it would not be held up."""
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311, clean=False)
    await client.subscribe("news/#")
    if backlog:
        await site.log_out(pump, client)
    message = await site.submit(pump, topic="news/+")
    if backlog:
        client = await site.log_in(pump, Version.V311, clean=False)
    await client.quiet()
    assert await ended(site, message) == Outcome(
        Status.FAILED, site.clock(), None, Failure.UNSENDABLE, "MQTT cannot express it"
    )
    await site.submit(pump, topic="news/today")
    await client.take()


async def test_displaced_from_a_full_queue(new_site: NewSite) -> None:
    site = await new_site(
        mqtt(), DeliverySettings(ack_wait=0, max_pending_per_device=1, when_full="drop_oldest", max_ttl=60)
    )
    pump = site.add_device()
    message = await site.submit(pump)
    await site.submit(pump)
    detail = "a newer message pushed it out of the full queue"
    assert await ended(site, message) == Outcome(Status.FAILED, site.clock(), None, Failure.DISPLACED, detail)


@pytest.mark.parametrize("online", [True, False])
async def test_timeout_when_its_ttl_has_passed(site: Site, online: bool) -> None:
    pump = site.add_device()
    client = await site.log_in(pump) if online else None
    message = await site.submit(pump, ttl=5)
    if client:
        await client.receive(Publish)
    await site.let_pass(5 * 60 - 1)
    assert await site.stored_as(message) is Status.PENDING
    await site.let_pass(1)
    assert await ended(site, message) == Outcome(Status.TIMEOUT, message.expires_at)


async def test_cancelled(site: Site) -> None:
    pump = site.add_device()
    message = await site.submit(pump, "m")
    await site.delivery.cancel("default", "pump-1", "m")
    assert site.stored(message) is None
    with pytest.raises(UnknownMessage):
        site.delivery.message("default", "pump-1", "m")
    with pytest.raises(UnknownMessage):
        await site.delivery.cancel("default", "pump-1", "m")
    client = await site.log_in(pump)
    await client.quiet()
    assert (await site.delivery.submit("default", "pump-1", draft("m"))).seq > 0


async def test_a_finished_message_can_be_forgotten(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump, "m")
    await client.take()
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED
    await site.delivery.cancel("default", "pump-1", "m")
    assert site.stored(message) is None
