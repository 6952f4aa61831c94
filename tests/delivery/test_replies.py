"""Who waits for the reply of a device gets that one and no other, or the state of the message."""

import asyncio
import json
from typing import Any, cast

import pytest

from bridge.delivery import DeliverySettings
from bridge.delivery.waiting import Waiting
from bridge.model.device import Device
from bridge.model.errors import (
    BridgeError,
    DuplicateMessage,
    QueueFull,
    StoreUnavailable,
    TooManyWaiting,
    UnknownDevice,
    UnknownMessage,
)
from bridge.model.message import Failure, Status
from bridge.model.reply import Exchange
from bridge.model.topics import response_topic, uplink
from bridge.mqtt import Properties, Puback, Publish, Version
from tests.broker.client import RawClient
from tests.broker.site import Site, draft, mqtt
from tests.broker.times import turn
from tests.delivery.conftest import NewSite
from tests.delivery.test_gateways import add, add_family

TIMEOUT = 10.0
UP = uplink("pump-1")


def ask(site: Site, device: Device, message_id: str = "", **fields: Any) -> Waiting:
    return site.replies.ask(device.project, device.device_id, draft(message_id, **fields), TIMEOUT)


def begin(waiting: Waiting) -> asyncio.Task[Exchange]:
    return asyncio.get_running_loop().create_task(waiting.exchange())


def reply_to(client: RawClient, asked: Publish, payload: bytes = b"ok", **more: Any) -> None:
    """As MQTT 5 wants it."""
    properties = {"correlation_data": asked.properties["correlation_data"], **more}
    client.publish(asked.properties["response_topic"], payload, properties=cast("Properties", properties))


def report(client: RawClient, topic: str, **envelope: object) -> None:
    """As a client without properties can."""
    client.publish(topic, json.dumps(envelope).encode())


async def told(waiting: Waiting) -> tuple[Status, bytes | None]:
    exchange = await begin(waiting)
    return exchange.message.status, exchange.reply.payload if exchange.reply else None


async def is_waiting(waiting: Waiting, client: RawClient) -> bool:
    """Whether it still waits after everything that the client sent has been read."""
    await client.quiet()
    return not waiting._answer.done()


def idle(site: Site) -> bool:
    """Nothing is left of any call."""
    return not (site.replies._waiting or site.replies._expected or site.delivery._answers._followers)


async def test_the_reply_on_the_response_topic(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    waiting = ask(site, pump, "m")
    asked = await client.take()
    topic = response_topic("pump-1")
    assert asked.properties["response_topic"] == topic
    assert asked.properties["correlation_data"] == b"m"
    await client.quiet()
    await site.let_pass(1.5)
    pairs = [("k", "1"), ("a", ""), ("k", "1")]
    reply_to(client, asked, b"\xff", content_type="text/plain", user_properties=pairs)
    exchange = await begin(waiting)
    reply = exchange.reply
    assert exchange.message.status is Status.DELIVERED
    assert reply is not None
    assert (reply.topic, reply.payload, reply.content_type) == (topic, b"\xff", "text/plain")
    assert reply.user_properties == tuple(pairs)
    assert 1500 <= reply.latency < 1500 + 5000
    record = site.shown(pump, exchange.message).draft
    assert (record.response_topic, record.correlation_data) == (topic, "m")
    assert idle(site)


async def test_the_senders_own_topic_and_correlation_data(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    waiting = ask(site, pump, response_topic="plant/answers", correlation_data="c")
    asked = await client.take()
    assert (asked.properties["response_topic"], asked.properties["correlation_data"]) == ("plant/answers", b"c")
    for topic, correlation in (("plant/answers", b"d"), (response_topic("pump-1"), b"c"), ("plant/answers/2", b"c")):
        client.publish(topic, b"no", properties=Properties(correlation_data=correlation))
    client.publish("plant/answers", b"no")
    assert await is_waiting(waiting, client)
    reply_to(client, asked)
    assert await told(waiting) == (Status.DELIVERED, b"ok")


@pytest.mark.parametrize("version", [Version.V31, Version.V311, Version.V5])
@pytest.mark.parametrize("named", [{}, {"object_device_id": "pump-1"}, {"object_device_id": None}])
async def test_the_reply_on_the_uplink_topic(site: Site, version: Version, named: dict[str, str]) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, version)
    waiting = ask(site, pump, "m")
    await client.take()
    report(client, UP, id="m", name="n", content={"a": 1}, **named)
    status, payload = await told(waiting)
    assert status is Status.DELIVERED
    assert json.loads(payload or b"")["content"] == {"a": 1}
    assert idle(site)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"id":"n"}',
        b'{"id":["m"]}',
        b'{"id":null}',
        b'{"id":7}',
        b'{"ID":"m"}',
        b'{"id":"m","object_device_id":"pump-2"}',
        b'{"id":"m","object_device_id":7}',
        b'{"id":"m","object_device_id":["pump-1"]}',
        b'["m"]',
        b'"m"',
        b"m",
        b"",
        b"\xff{",
        b"[" * 500_000,
        b'{"id":' + b"9" * 5000 + b"}",
    ],
    ids=lambda payload: repr(payload[:30]),
)
async def test_what_is_no_reply_on_the_uplink_topic(site: Site, payload: bytes) -> None:
    pump = site.add_device()
    site.add_device("pump-2")
    client = await site.log_in(pump, Version.V311)
    waiting = ask(site, pump, "m")
    await client.take()
    client.publish(UP, payload)
    client.publish(f"{UP}/more", b'{"id":"m"}')
    client.publish("plant/up", b'{"id":"m"}')
    assert await is_waiting(waiting, client)
    report(client, UP, id="m")
    assert await told(waiting) == (Status.DELIVERED, b'{"id": "m"}')


async def test_another_device_cannot_reply(site: Site) -> None:
    """Not even where both may publish, nor in another project under the same name."""
    pump, other = site.add_device(), site.add_device("pump-2")
    namesake = site.store.add_device("elsewhere", "pump-1", "another-secret")
    client, second, third = await site.log_in(pump), await site.log_in(other), await site.log_in(namesake)
    waiting, others = (
        ask(site, device, "m", response_topic="plant/answers", correlation_data="c") for device in (pump, other)
    )
    asked = await client.take()
    await second.take()
    for impostor, device_id in ((second, "pump-2"), (third, "pump-1")):
        report(impostor, uplink(device_id), id="n", object_device_id="pump-1")
        report(impostor, UP, id="m")
        if device_id == "pump-1":
            report(impostor, UP, id="m", object_device_id="pump-2")
        reply_to(impostor, asked, b"forged")
        await impostor.quiet()
    assert await is_waiting(waiting, client)
    reply_to(client, asked)
    assert await told(waiting) == (Status.DELIVERED, b"ok")
    assert (await told(others))[1] == b"forged"


async def test_each_call_gets_its_own_reply(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    waits = [ask(site, pump, f"m{number}") for number in range(5)]
    asked = [await client.take() for _ in waits]
    for publish in reversed(asked):
        reply_to(client, publish, publish.properties["correlation_data"])
        reply_to(client, publish, b"again")
    assert [await told(waiting) for waiting in waits] == [
        (Status.DELIVERED, f"m{number}".encode()) for number in range(5)
    ]
    assert idle(site)


async def test_calls_that_cannot_be_told_apart_are_served_in_order(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    waits = [ask(site, pump, response_topic="r", correlation_data="c") for _ in range(3)]
    asked = [await client.receive(Publish) for _ in waits]
    for number, publish in enumerate(asked):  # none of them is acknowledged yet
        reply_to(client, publish, str(number).encode())
    for publish in asked:
        await client.acknowledge(publish)
    assert [(await told(waiting))[1] for waiting in waits] == [b"0", b"1", b"2"]


async def test_a_reply_before_the_acknowledgement(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    waiting = ask(site, pump)
    asked = await client.receive(Publish)
    reply_to(client, asked)
    assert await is_waiting(waiting, client)  # for what most clients send next
    await client.acknowledge(asked)
    assert await told(waiting) == (Status.DELIVERED, b"ok")


async def test_a_reply_without_an_acknowledgement(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    waiting = ask(site, pump)
    reply_to(client, await client.receive(Publish))
    await client.quiet()
    await site.let_pass(0.1)
    assert await told(waiting) == (Status.PENDING, b"ok")


async def test_a_reply_and_then_a_refusal(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    waiting = ask(site, pump)
    asked = await client.receive(Publish)
    reply_to(client, asked, b"no, thanks")
    client.send(Puback(asked.packet_id, 0x80))
    assert await told(waiting) == (Status.FAILED, b"no, thanks")


async def test_a_device_that_comes_in_time(site: Site) -> None:
    pump = site.add_device()
    waiting = ask(site, pump)
    await site.store.flush()
    await turn()
    client = await site.log_in(pump)
    reply_to(client, await client.take())
    assert await told(waiting) == (Status.DELIVERED, b"ok")


@pytest.mark.parametrize("connected", [False, True])
async def test_no_reply_in_time(site: Site, connected: bool) -> None:
    pump = site.add_device()
    client = await site.log_in(pump) if connected else None
    waiting = ask(site, pump, "m")
    asked = await client.take() if client else None
    if client:
        await client.quiet()
    await site.store.flush()
    await site.let_pass(TIMEOUT - 0.5)
    assert not waiting._answer.done()
    await site.let_pass(1)
    assert await told(waiting) == (Status.DELIVERED if connected else Status.PENDING, None)
    assert idle(site)
    if client and asked:
        reply_to(client, asked, b"late")
        await client.quiet()
    else:
        await (await site.log_in(pump)).take()


async def test_a_message_that_fails_has_no_reply(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    waiting = ask(site, pump)
    client.send(Puback((await client.receive(Publish)).packet_id, 0x97))
    assert await told(waiting) == (Status.FAILED, None)
    assert idle(site)


async def test_an_uncached_message_for_an_absent_device(site: Site) -> None:
    exchange = await begin(ask(site, site.add_device(), ttl=0))
    assert exchange.message.outcome is not None
    assert (exchange.message.outcome.failure, exchange.reply) == (Failure.OFFLINE, None)


async def test_a_message_that_expires_has_no_reply(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(uncached_wait=2))
    pump = site.add_device()
    client = await site.log_in(pump)
    waiting = ask(site, pump, ttl=0)
    await client.receive(Publish)
    await site.let_pass(3)
    assert await told(waiting) == (Status.TIMEOUT, None)


@pytest.mark.parametrize("delivered", [False, True])
async def test_a_message_that_is_removed_meanwhile(site: Site, delivered: bool) -> None:
    pump = site.add_device()
    waiting = ask(site, pump, "m")
    await site.store.flush()
    if delivered:
        await (await site.log_in(pump)).take()
    waits = begin(waiting)
    await site.delivery.cancel("default", "pump-1", "m")
    with pytest.raises(UnknownMessage):
        await waits
    assert idle(site)


async def test_a_device_that_is_removed_meanwhile(site: Site) -> None:
    pump, other = site.add_device(), site.add_device("pump-2")
    gone, stays = ask(site, pump), ask(site, other)
    await site.store.flush()
    site.store.set_frozen("default", "pump-2", frozen=True)
    site.store.remove_device("default", "pump-1")
    with pytest.raises(UnknownDevice):
        await begin(gone)
    assert not stays._answer.done()


async def test_nothing_is_stored_for_who_cannot_wait(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, max_pending_per_device=2, max_waiting_calls=3))
    pump, other = site.add_device(), site.add_device("pump-2")
    waits = [ask(site, pump), ask(site, pump)]
    with pytest.raises(QueueFull):
        ask(site, pump)
    with pytest.raises(UnknownDevice):
        site.replies.ask("default", "nobody", draft(), TIMEOUT)
    waits.append(ask(site, other))
    with pytest.raises(TooManyWaiting):
        ask(site, other, "refused")
    await site.store.flush()
    assert site.store.message(other.key, "refused") is None
    waits[0].leave()
    ask(site, other)


async def refused(waiting: Waiting) -> type[BridgeError]:
    with pytest.raises(BridgeError) as error:
        await begin(waiting)
    return error.type


async def test_a_message_that_is_not_stored(site: Site) -> None:
    pump = site.add_device()
    await site.submit(pump, "m")
    assert await refused(ask(site, pump, "m")) is DuplicateMessage
    async with site.writes_refused():
        assert await refused(ask(site, pump)) is StoreUnavailable
    assert idle(site)


async def test_the_reply_to_an_earlier_message_of_that_id_is_not_for_who_is_refused(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    await site.submit(pump, "m")
    await client.take()
    with site.writer_held():
        waiting = ask(site, pump, "m")
        report(client, UP, id="m")
        assert await is_waiting(waiting, client)
        await site.let_pass(TIMEOUT)
        assert not waiting._answer.done()
    assert await refused(waiting) is DuplicateMessage


async def test_who_leaves_frees_the_place_and_leaves_the_message(site: Site) -> None:
    pump = site.add_device()
    with site.writer_held():
        waiting = ask(site, pump, "m")
        waiting.leave()
        await turn()
        assert not waiting._answer.done()
    assert await told(waiting) == (Status.PENDING, None)
    cancelled = begin(ask(site, pump, "n"))
    await site.store.flush()
    await turn()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert idle(site)
    client = await site.log_in(pump)
    assert [json.loads((await client.take()).payload)["id"] for _ in "mn"] == ["m", "n"]


async def test_the_end_of_the_message_after_the_task_was_cancelled(site: Site) -> None:
    pump = site.add_device()
    waiting = ask(site, pump)
    task = begin(waiting)
    await turn()
    waiting._answer.cancel()
    waiting.followed(UnknownMessage())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_stopping_answers_everybody_with_what_is_true(site: Site) -> None:
    pump, other = site.add_device(), site.add_device("pump-2")
    client = await site.log_in(pump)
    taken, pending = ask(site, pump), ask(site, other)
    await client.take()
    await client.quiet()
    await site.store.flush()
    site.replies.stop()
    assert await told(taken) == (Status.DELIVERED, None)
    assert await told(pending) == (Status.PENDING, None)
    assert await told(ask(site, other)) == (Status.PENDING, None)
    assert idle(site)


@pytest.mark.parametrize("way", ["response topic", "own topic", "topic of the device"])
async def test_a_gateway_replies_for_the_devices_behind_it(site: Site, way: str) -> None:
    hub, near, far = add_family(site, "near", "far")
    client = await site.log_in(hub)
    waiting, own, others = (ask(site, device, "m") for device in (near, hub, far))
    requests = {packet.properties["response_topic"]: packet for packet in [await client.take() for _ in range(3)]}
    asked = requests[response_topic("near")]
    if way == "response topic":
        reply_to(client, asked, b"near")
    elif way == "own topic":
        report(client, uplink("hub"), id="m", object_device_id="near")
    else:
        report(client, uplink("near"), id="m", object_device_id="far")
        assert await is_waiting(waiting, client)
        report(client, uplink("near"), id="m")
    assert (await told(waiting))[0] is Status.DELIVERED
    assert not own._answer.done()
    assert not others._answer.done()
    report(client, uplink("hub"), id="m")
    assert (await told(own))[1] == b'{"id": "m"}'
    assert not others._answer.done()


async def test_another_gateway_cannot_reply(site: Site) -> None:
    hub, near = add_family(site, "near")
    stranger = add(site, "stranger")
    client, impostor = await site.log_in(hub), await site.log_in(stranger)
    waiting = ask(site, near, "m")
    asked = await client.take()
    reply_to(impostor, asked)
    report(impostor, uplink("near"), id="m")
    report(impostor, uplink("stranger"), id="m", object_device_id="near")
    await impostor.quiet()
    assert await is_waiting(waiting, client)
