"""Messages for devices behind a gateway travel on the gateway's connection, and each device keeps its own order."""

import asyncio
import json
import random
from collections.abc import Iterable

import pytest

from bridge.delivery import DeliverySettings
from bridge.model.device import Device
from bridge.model.errors import ForeignTopic, QueueFull, StoreUnavailable
from bridge.model.message import Failure, Message, Status
from bridge.model.record import Enrolment, Profile
from bridge.model.topics import default_downlink, user_topic
from bridge.mqtt import Pingreq, Pingresp, Puback, Publish, Version
from tests.broker.client import RawClient
from tests.broker.site import SECRET, Site, mqtt
from tests.broker.times import PATIENCE
from tests.delivery.conftest import NewSite

HUB_DOWN = default_downlink("hub")


def add(site: Site, device_id: str, gateway_id: str | None = None) -> Device:
    enrolment = Enrolment(device_id, Profile(device_id), secret=SECRET, gateway_id=gateway_id)
    return site.store.enrol("default", enrolment).device


def add_family(site: Site, *names: str) -> list[Device]:
    """A gateway and devices behind it."""
    return [add(site, "hub"), *(add(site, name, "hub") for name in names)]


def envelope(publish: Publish) -> tuple[str | None, str]:
    """(object_device_id, message id)."""
    content = json.loads(publish.payload)
    return content.get("object_device_id"), content["id"]


async def submit(site: Site, device: Device, *message_ids: str, **fields: object) -> list[Message]:
    return list(await asyncio.gather(*(site.submit(device, message_id, **fields) for message_id in message_ids)))


async def take(client: RawClient, count: int) -> list[tuple[str | None, str]]:
    return [envelope(await client.take()) for _ in range(count)]


def of(taken: Iterable[tuple[str | None, str]], device_id: str | None) -> list[str]:
    return [message_id for name, message_id in taken if name == device_id]


async def statuses(site: Site, messages: Iterable[Message]) -> set[Status | None]:
    return {await site.stored_as(message) for message in messages}


def failure(site: Site, device: Device, message: Message) -> Failure | None:
    outcome = site.shown(device, message).outcome
    return outcome.failure if outcome else None


@pytest.mark.parametrize("version", [Version.V311, Version.V5])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_on_the_gateways_connection(new_site: NewSite, version: Version, qos: int) -> None:
    site = await new_site(mqtt(downlink_qos=qos))
    hub, near = add_family(site, "near")
    client = await site.log_in(hub, version)
    message = await site.submit(near, "m", name="n")
    publish = await client.take()
    assert (publish.topic, publish.qos) == (HUB_DOWN, qos)
    assert publish.payload == b'{"object_device_id":"near","name":"n","id":"m","content":"hello"}'
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED
    await site.submit(hub, "m")
    assert envelope(await client.take()) == (None, "m")


async def test_through_a_gateway_behind_a_gateway(site: Site) -> None:
    hub, near = add_family(site, "near")
    far = add(site, "far", "near")
    client = await site.log_in(hub)
    for device in (far, near):
        message = await site.submit(device)
        publish = await client.take()
        assert (publish.topic, envelope(publish)[0]) == (HUB_DOWN, device.device_id)
        await client.quiet()
        assert await site.stored_as(message) is Status.DELIVERED


@pytest.mark.parametrize("fields", [{"payload_format": "raw"}, {"content": '"aGVsbG8="', "encoding": "base64"}])
async def test_only_the_envelope_names_the_device(site: Site, fields: dict[str, str]) -> None:
    hub, near = add_family(site, "near")
    client = await site.log_in(hub)
    await site.submit(near, **fields)
    publish = await client.take()
    assert (publish.topic, publish.payload) == (HUB_DOWN, b"hello")


async def test_what_waited_comes_in_order_when_the_gateway_connects(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=4))
    hub, *behind = add_family(site, "a", "b", "c")
    names = [f"m{number:02}" for number in range(20)]
    messages = [message for device in (hub, *behind) for message in await submit(site, device, *names)]
    assert await statuses(site, messages) == {Status.PENDING}
    client = await site.log_in(hub)
    taken = await take(client, 80)
    await client.quiet()
    for device_id in (None, "a", "b", "c"):
        assert of(taken, device_id) == names
    assert await statuses(site, messages) == {Status.DELIVERED}


async def test_they_take_turns(new_site: NewSite) -> None:
    """A long backlog does not make the others wait for its end."""
    site = await new_site(mqtt(max_inflight=4))
    hub, a, b = add_family(site, "a", "b")
    await submit(site, a, *(f"m{number}" for number in range(40)))
    await submit(site, b, "m0", "m1")
    client = await site.log_in(hub)
    taken = await take(client, 42)
    assert taken.index(("b", "m1")) < 12


async def test_what_waits_since_the_last_run(site: Site) -> None:
    hub, near = add_family(site, "near")
    far = add(site, "far", "near")
    messages = [*await submit(site, near, "m1", "m2"), *await submit(site, far, "m3")]
    await site.restart()
    client = await site.log_in(hub)
    assert sorted(await take(client, 3)) == [("far", "m3"), ("near", "m1"), ("near", "m2")]
    await client.quiet()
    assert await statuses(site, messages) == {Status.DELIVERED}
    await site.log_out(hub, client)
    client = await site.log_in(hub)
    await client.quiet()


async def test_new_ones_stand_behind_what_waits_since_the_last_run(site: Site) -> None:
    hub, near = add_family(site, "near")
    await submit(site, near, "m1")
    await site.restart()
    [fresh] = await submit(site, near, "m2")
    client = await site.log_in(hub)
    assert await take(client, 2) == [("near", "m1"), ("near", "m2")]
    await client.quiet()
    assert await site.stored_as(fresh) is Status.DELIVERED


async def test_the_last_run_cannot_be_read_at_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    hub, near = add_family(site, "near")
    await submit(site, near, "m1")
    await site.restart()
    await site.submit(hub, ttl=0)
    async with site.unreadable("message"):
        client = await site.log_in(hub)
        await client.quiet()
        assert "the database cannot be used" in caplog.text
    await site.let_pass(1)
    assert await take(client, 1) == [("near", "m1")]


async def test_a_device_that_is_added_while_the_gateway_is_connected(site: Site) -> None:
    [hub] = add_family(site)
    client = await site.log_in(hub)
    late = add(site, "late", "hub")
    message = await site.submit(late, "m")
    assert await take(client, 1) == [("late", "m")]
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


async def test_a_device_that_comes_while_the_gateway_is_behind(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=1))
    hub, near = add_family(site, "near")
    client = await site.log_in(hub)
    await submit(site, hub, "m1", "m2", "m3")
    await client.receive(Publish)
    await submit(site, near, "m4")
    client.send(Puback(1))
    taken = await take(client, 3)
    assert of(taken, None) == ["m2", "m3"]
    assert of(taken, "near") == ["m4"]


async def test_the_window_is_shared(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=4))
    hub, a, b = add_family(site, "a", "b")
    client = await site.log_in(hub)
    messages = [*await submit(site, a, "m1", "m2", "m3"), *await submit(site, b, "m4", "m5", "m6")]
    first = [await client.receive(Publish) for _ in range(4)]
    await client.quiet()
    for publish in first:
        await client.acknowledge(publish)
    taken = [envelope(publish) for publish in first] + await take(client, 2)
    await client.quiet()
    assert of(taken, "a") == ["m1", "m2", "m3"]
    assert of(taken, "b") == ["m4", "m5", "m6"]
    assert await statuses(site, messages) == {Status.DELIVERED}


async def test_one_busy_device_does_not_keep_the_others_waiting(new_site: NewSite) -> None:
    """Whoever is behind gets its turn, though another one has something new for every place that becomes free."""
    site = await new_site(mqtt(max_inflight=8))
    hub, busy, other = add_family(site, "busy", "other")
    client = await site.log_in(hub)
    await submit(site, busy, *(f"m{number}" for number in range(8)))
    sent: list[tuple[str | None, str]] = []
    flying = await receive_all(client, sent)
    assert len(flying) == 8
    await submit(site, other, "waiting")
    for number in range(8, 20):
        await client.acknowledge(flying.pop(0))
        flying += await receive_all(client, sent)
        await submit(site, busy, f"m{number}")
        flying += await receive_all(client, sent)
        if sent[-1][0] == "other" or sent[-2][0] == "other":
            break
    assert of(sent, "other") == ["waiting"]


async def test_refused_by_the_gateway(site: Site) -> None:
    hub, near = add_family(site, "near")
    client = await site.log_in(hub)
    message = await site.submit(near)
    publish = await client.receive(Publish)
    client.send(Puback(publish.packet_id, 0x97))
    await client.quiet()
    assert await site.stored_as(message) is Status.FAILED
    assert failure(site, near, message) is Failure.REFUSED


async def test_too_large_for_the_gateway(site: Site) -> None:
    hub, near = add_family(site, "near")
    client = await site.log_in(hub, properties={"maximum_packet_size": 100})
    message = await site.submit(near, content='"' + "x" * 200 + '"')
    await client.quiet()
    assert await site.stored_as(message) is Status.FAILED
    assert failure(site, near, message) is Failure.TOO_LARGE


async def test_not_to_be_cached_and_the_gateway_is_away(site: Site) -> None:
    _, near = add_family(site, "near")
    message = await site.submit(near, ttl=0)
    assert await site.stored_as(message) is Status.FAILED
    assert failure(site, near, message) is Failure.OFFLINE


async def test_not_to_be_cached_and_the_gateway_leaves(site: Site) -> None:
    hub, near = add_family(site, "near")
    client = await site.log_in(hub)
    message = await site.submit(near, ttl=0)
    await client.receive(Publish)
    await site.log_out(hub, client)
    assert await site.stored_as(message) is Status.FAILED
    assert failure(site, near, message) is Failure.OFFLINE
    client = await site.log_in(hub)
    await client.quiet()


async def test_what_was_not_acknowledged_is_sent_again(site: Site) -> None:
    hub, near = add_family(site, "near")
    client = await site.log_in(hub)
    message = await site.submit(near)
    first = await client.receive(Publish)
    await site.log_out(hub, client)
    client = await site.log_in(hub)
    again = await client.take()
    assert (again.dup, again.packet_id, again.payload) == (True, first.packet_id, first.payload)
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


async def test_a_connection_that_takes_over(site: Site) -> None:
    hub, near = add_family(site, "near")
    old = await site.log_in(hub)
    await site.submit(near, "m")
    await old.receive(Publish)
    new = await site.log_in(hub)
    assert await old.ended() == 0x8E
    assert await take(new, 1) == [("near", "m")]
    await new.quiet()


async def test_cancelled_while_it_is_on_its_way(site: Site) -> None:
    hub, near = add_family(site, "near")
    client = await site.log_in(hub)
    message = await site.submit(near, "m")
    publish = await client.receive(Publish)
    await site.delivery.cancel("default", "near", "m")
    await client.acknowledge(publish)
    await client.quiet()
    assert site.status(near, message) is None
    await site.submit(near, "m2")
    assert await take(client, 1) == [("near", "m2")]


async def test_expired_while_it_is_on_its_way(site: Site) -> None:
    hub, near = add_family(site, "near")
    client = await site.log_in(hub)
    message = await site.submit(near, ttl=5)
    publish = await client.receive(Publish)
    await site.let_pass(301)
    assert await site.stored_as(message) is Status.TIMEOUT
    await client.acknowledge(publish)
    await client.quiet()
    assert await site.stored_as(message) is Status.TIMEOUT


async def test_expired_in_the_last_run(site: Site) -> None:
    hub, near = add_family(site, "near")
    message = await site.submit(near, ttl=5)
    await site.restart()
    await site.let_pass(301)
    assert await site.stored_as(message) is Status.TIMEOUT
    client = await site.log_in(hub)
    await client.quiet()


async def test_removed_while_it_is_on_its_way(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=2))
    hub, near, other = add_family(site, "near", "other")
    client = await site.log_in(hub)
    await submit(site, near, "m1", "m2", "m3")
    flying = [await client.receive(Publish), await client.receive(Publish)]
    site.store.remove_device("default", "near")
    assert near.key not in site.delivery._outboxes
    kept = await submit(site, other, "m4")
    for publish in flying:
        await client.acknowledge(publish)
    assert await take(client, 1) == [("other", "m4")]
    await client.quiet()
    assert await statuses(site, kept) == {Status.DELIVERED}
    for device_id in ("other", "hub"):
        site.store.remove_device("default", device_id)
    assert await client.ended() == 0x98
    assert site.delivery._outboxes == {}


async def test_its_topics_are_the_gateways_to_subscribe(site: Site) -> None:
    hub, near = add_family(site, "near")
    topic = user_topic("near", "news")
    message = await site.submit(near, topic=topic)
    client = await site.log_in(hub)
    await client.quiet()
    assert await site.stored_as(message) is Status.PENDING
    assert await client.subscribe(user_topic("near", "#")) == 1
    assert (await client.take()).topic == topic
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


async def test_a_suffix_goes_below_the_user_topics_of_the_gateway(site: Site) -> None:
    hub, near = add_family(site, "near")
    far = add(site, "far", "near")
    messages = [await site.submit(device, suffix="news") for device in (near, far)]
    client = await site.log_in(hub)
    await client.quiet()
    assert await statuses(site, messages) == {Status.PENDING}
    assert await client.subscribe(user_topic("hub", "#")) == 1
    taken = [await client.take() for _ in messages]
    await client.quiet()
    assert {(publish.topic, envelope(publish)[0]) for publish in taken} == {
        (user_topic("hub", "news"), "near"),
        (user_topic("hub", "news"), "far"),
    }
    assert await statuses(site, messages) == {Status.DELIVERED}
    for device, message in zip((near, far), messages, strict=True):
        assert site.shown(device, message).draft.topic == user_topic("hub", "news")


async def test_a_suffix_of_the_last_run(site: Site) -> None:
    hub, near = add_family(site, "near")
    await site.submit(near, suffix="news")
    await site.restart()
    client = await site.log_in(hub)
    await client.subscribe(user_topic("hub", "news"))
    assert (await client.take()).topic == user_topic("hub", "news")


async def test_a_full_topic_may_be_the_gateways(site: Site) -> None:
    hub, near = add_family(site, "near")
    client = await site.log_in(hub)
    message = await site.submit(near, topic=HUB_DOWN)
    assert envelope(await client.take())[0] == "near"
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


async def test_a_full_topic_may_not_be_a_neighbours(site: Site) -> None:
    hub, near, _ = add_family(site, "near", "other")
    for device, topic in ((near, user_topic("other", "x")), (hub, user_topic("near", "x"))):
        with pytest.raises(ForeignTopic):
            await site.submit(device, topic=topic)
    assert site.store.count_pending(near.key, at_most=1) == 0


async def test_a_subscription_wakes_those_that_wait(site: Site) -> None:
    """And nobody else: what is in flight stays where it is."""
    hub, near, other = add_family(site, "near", "other")
    client = await site.log_in(hub)
    await submit(site, near, "m1", topic=user_topic("near", "x"))
    await submit(site, other, "m2")
    flying = await client.receive(Publish)
    assert await client.subscribe(user_topic("near", "x")) == 1
    assert envelope(await client.take()) == ("near", "m1")
    await client.acknowledge(flying)
    await client.quiet()


async def test_the_queue_of_each_is_bounded_by_itself(new_site: NewSite) -> None:
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, max_pending_per_device=2))
    _, a, b = add_family(site, "a", "b")
    await submit(site, a, "m1", "m2")
    await submit(site, b, "m3", "m4")
    with pytest.raises(QueueFull):
        await site.submit(a)


async def test_two_gateways(site: Site) -> None:
    hub, near = add_family(site, "near")
    other_hub = add(site, "hub-2")
    other = add(site, "other", "hub-2")
    client, other_client = await site.log_in(hub), await site.log_in(other_hub)
    await submit(site, near, "m1")
    await submit(site, other, "m2")
    assert await take(client, 1) == [("near", "m1")]
    assert await take(other_client, 1) == [("other", "m2")]
    await site.log_out(hub, client)
    await submit(site, other, "m3")
    assert await take(other_client, 1) == [("other", "m3")]


async def test_a_gateway_that_is_gone(site: Site) -> None:
    """Whoever deletes rows by hand: nothing breaks, and the message waits."""
    _, near = add_family(site, "near")
    site.store._connection.execute("DELETE FROM device WHERE device_id = 'hub'").close()
    message = await site.submit(near)
    assert await site.stored_as(message) is Status.PENDING
    site.store.remove_device("default", "near")
    assert site.delivery._outboxes == {}


async def test_the_gateway_cannot_be_read(site: Site) -> None:
    _, near = add_family(site, "near")
    assert site.store.device("default", "near")
    async with site.unreadable("device"):
        with pytest.raises(StoreUnavailable):
            await site.submit(near)
    await site.submit(near)


def note(publish: Publish, sent: list[tuple[str | None, str]]) -> None:
    if envelope(publish) not in sent:
        sent.append(envelope(publish))


async def receive_all(client: RawClient, sent: list[tuple[str | None, str]]) -> list[Publish]:
    """What is on its way to the client right now."""
    received = []
    client.send(Pingreq())
    while not isinstance(packet := await client._next(), Pingresp):
        assert isinstance(packet, Publish)
        note(packet, sent)
        received.append(packet)
    return received


@pytest.mark.parametrize("seed", range(10))
async def test_any_interleaving(new_site: NewSite, seed: int) -> None:
    """Submissions, acknowledgements and lost connections in any order: everything arrives, each device in its order."""
    site = await new_site(mqtt(max_inflight=3))
    family = add_family(site, "a", "b", "c")
    chance = random.Random(seed)  # noqa: S311
    messages: list[Message] = []
    sent: list[tuple[str | None, str]] = []
    client, flying = await site.log_in(family[0]), list[Publish]()
    for number in range(80):
        messages += await submit(site, chance.choice(family), f"m{number:02}")
        flying += await receive_all(client, sent)
        if chance.random() < 0.1:
            await site.log_out(family[0], client)
            client, flying = await site.log_in(family[0]), []
        while flying and chance.random() < 0.5:
            await client.acknowledge(flying.pop(chance.randrange(len(flying))))
    async with asyncio.timeout(PATIENCE):
        while await statuses(site, messages) != {Status.DELIVERED}:
            for publish in [*flying, *await receive_all(client, sent)]:
                await client.acknowledge(publish)
            flying = []
    for device_id in (None, "a", "b", "c"):
        assert of(sent, device_id) == sorted(of(sent, device_id))
    assert len(sent) == 80
