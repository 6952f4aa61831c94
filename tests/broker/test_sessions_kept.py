"""Sessions that are kept outlive the daemon, whether it stops in order or is killed."""

from collections.abc import Awaitable, Callable

import pytest

from bridge.mqtt import Properties, Puback, Pubcomp, Publish, Pubrec, Pubrel, Subscribe, Subscription, Version, Will
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt

KEPT: Properties = {"session_expiry_interval": 100}
BOTH = pytest.mark.parametrize("version", [Version.V311, Version.V5], ids=lambda version: version.name)
End = Callable[[Site], Awaitable[None]]


@pytest.fixture(params=[Site.restart, Site.crash], ids=["restart", "crash"])
def end(request: pytest.FixtureRequest) -> End:
    found: End = request.param
    return found


async def rows(site: Site) -> dict[str, int]:
    """How many there are in each table, once everything is written."""
    await site.kept()
    tables = ("session", "session_subscription", "session_message", "session_copy", "session_received")
    count = "SELECT count(*) FROM {}"
    return {table: site.store._reader.execute(count.format(table)).fetchone()[0] for table in tables}


async def back(site: Site, version: Version = Version.V5, name: str = "pump-1") -> RawClient:
    """The device is there again, and its session as well."""
    device = site.store.device("default", name)
    assert device is not None
    client = await site.client(version)
    assert (await client.log_in(device, clean=False, properties=KEPT)).session_present
    return client


async def publish(site: Site, topic: str, *payloads: bytes, qos: int = 1) -> None:
    """By somebody else; returns when they are acknowledged."""
    device = site.store.device("default", "sender") or site.add_device("sender")
    sender = await site.log_in(device)
    for payload in payloads:
        packet_id = sender.publish(topic, payload, qos)
        if qos == 2:
            await sender.receive(Pubrec)
            sender.send(Pubrel(packet_id))
            await sender.receive(Pubcomp)
        else:
            await sender.receive(Puback)


@BOTH
async def test_subscriptions_and_what_waits(site: Site, end: End, version: Version) -> None:
    client = await site.log_in(site.add_device(), version, clean=False, properties=KEPT)
    await client.subscribe("a/+", 2)
    client.abort()
    await publish(site, "a/b", b"1", b"2", qos=1)
    await publish(site, "a/c", b"3", qos=2)
    await end(site)
    await publish(site, "a/d", b"4", qos=1)
    client = await back(site, version)
    taken = [await client.take() for _ in range(4)]
    assert [(each.payload, each.qos, each.dup) for each in taken] == [
        (b"1", 1, False),
        (b"2", 1, False),
        (b"3", 2, False),
        (b"4", 1, False),
    ]


async def test_options_of_subscriptions(site: Site, end: End) -> None:
    client = await site.log_in(site.add_device(), properties=KEPT)
    client.send(Subscribe(7, [Subscription("a", 1, no_local=True)], {"subscription_identifiers": [9]}))
    await client._next()
    await end(site)
    client = await back(site)
    client.publish("a", b"own", 1)
    await client.receive(Puback)
    await publish(site, "a", b"x")
    assert (await client.take()).properties == {"subscription_identifiers": [9]}


async def test_unsubscribed(site: Site, end: End) -> None:
    client = await site.log_in(site.add_device(), properties=KEPT)
    await client.subscribe("a")
    await client.subscribe("b")
    await client.unsubscribe("a")
    await end(site)
    client = await back(site)
    await publish(site, "a", b"x")
    await publish(site, "b", b"y")
    assert (await client.take()).payload == b"y"


async def test_one_that_ends_with_its_connection_costs_nothing(site: Site) -> None:
    client = await site.log_in(site.add_device())
    await client.subscribe("a", 2)
    await publish(site, "a", b"x", qos=2)
    await client.take()
    client.publish("b", b"y", 2)
    await client.receive(Pubrec)
    assert set((await rows(site)).values()) == {0}


@BOTH
async def test_sent_again_with_its_packet_identifier(site: Site, end: End, version: Version) -> None:
    """[MQTT-4.4.0-1] In order, before what was not sent yet; the identifiers are not given to others."""
    client = await site.log_in(site.add_device(), version, clean=False, properties=KEPT)
    await client.subscribe("a", 2)
    await publish(site, "a", b"1", b"2", b"3")
    sent = [await client.receive(Publish) for _ in range(3)]
    client.send(Puback(sent[1].packet_id))
    await client.quiet()
    await site.kept()
    await end(site)
    await publish(site, "a", b"4")
    client = await back(site, version)
    again = [await client.receive(Publish) for _ in range(3)]
    assert [(each.payload, each.dup) for each in again] == [(b"1", True), (b"3", True), (b"4", False)]
    assert [each.packet_id for each in again[:2]] == [sent[0].packet_id, sent[2].packet_id]
    assert again[2].packet_id not in {sent[0].packet_id, sent[2].packet_id}


async def test_what_was_sent_does_not_expire(site: Site) -> None:
    """[MQTT-4.3.2-3] What was not sent does, also while there is no daemon [MQTT-3.3.2-5]."""
    client = await site.log_in(site.add_device(), properties={**KEPT, "receive_maximum": 1})
    await client.subscribe("a")
    sender = await site.log_in(site.add_device("sender"))
    for payload in (b"sent", b"late"):
        sender.publish("a", payload, 1, {"message_expiry_interval": 10})
        await sender.receive(Puback)
    await client.receive(Publish)
    await site.restart()
    await site.let_pass(11)
    client = await back(site)
    again = await client.take()
    assert (again.payload, again.dup) == (b"sent", True)
    await client.quiet()
    assert (await rows(site))["session_message"] == 0


async def test_a_message_for_many_is_stored_once(site: Site) -> None:
    for name in ("a", "b", "c"):
        client = await site.log_in(site.add_device(name), properties=KEPT)
        await client.subscribe("news")
        await site.log_out(site.store.device("default", name), client)  # type: ignore[arg-type]
    await publish(site, "news", b"x")
    found = await rows(site)
    assert (found["session_copy"], found["session_message"]) == (3, 1)
    for left, name in ((2, "a"), (1, "b"), (0, "c")):
        client = await back(site, name=name)
        await client.take()
        await client.quiet()
        found = await rows(site)
        assert (found["session_copy"], found["session_message"]) == (left, min(left, 1))


# QoS 2, exactly once


@BOTH
async def test_received_but_not_released(site: Site, end: End, version: Version) -> None:
    """[MQTT-4.3.3-10] The sender comes back and sends it again."""
    client = await site.log_in(site.add_device(), version, clean=False, properties=KEPT)
    await client.subscribe("a", 2)
    packet = Publish("a", b"once", 2, packet_id=5)
    client.send(packet)
    sent = await client.receive(Publish)
    await client.receive(Pubrec)
    await end(site)
    client = await back(site, version)
    assert (await client.receive(Publish)).packet_id == sent.packet_id
    packet.dup = True
    client.send(packet)
    await client.receive(Pubrec)
    client.send(Pubrel(5))
    assert (await client.receive(Pubcomp)) == Pubcomp(5)
    await end(site)
    client = await back(site, version)
    await client.take()
    client.send(Pubrel(5))  # as if our PUBCOMP had been lost
    assert (await client.receive(Pubcomp)) == Pubcomp(5)


@BOTH
async def test_released_but_not_completed(site: Site, end: End, version: Version) -> None:
    client = await site.log_in(site.add_device(), version, clean=False, properties=KEPT)
    await client.subscribe("a", 2)
    await publish(site, "a", b"once", qos=2)
    sent = await client.receive(Publish)
    client.send(Pubrec(sent.packet_id))
    await client.receive(Pubrel)
    await end(site)
    client = await back(site, version)
    assert await client.receive(Pubrel) == Pubrel(sent.packet_id)
    client.send(Pubcomp(sent.packet_id))
    await client.quiet()
    assert (await rows(site))["session_copy"] == 0


# Messages of applications


async def test_an_application_s_message_keeps_its_packet_identifier(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, properties=KEPT)
    for _ in range(2):
        await site.submit(pump)
    sent = [await client.receive(Publish) for _ in range(2)]
    await site.restart()
    client = await back(site)
    again = [await client.take() for _ in range(2)]
    assert [(each.packet_id, each.dup) for each in again] == [(each.packet_id, True) for each in sent]


async def test_an_application_s_message_at_qos_2_comes_once(new_site: NewSite, end: End) -> None:
    site = await new_site(mqtt(downlink_qos=2))
    pump = site.add_device()
    client = await site.log_in(pump, properties=KEPT)
    await site.submit(pump)
    sent = await client.receive(Publish)
    await end(site)
    client = await back(site)
    again = await client.receive(Publish)
    assert (again.packet_id, again.dup) == (sent.packet_id, True)
    client.send(Pubrec(again.packet_id))
    await client.receive(Pubrel)
    await end(site)
    client = await back(site)
    assert await client.receive(Pubrel) == Pubrel(sent.packet_id)
    client.send(Pubcomp(sent.packet_id))
    await client.quiet()


# Ends


async def test_time_goes_on_without_a_daemon(site: Site, end: End) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, properties=KEPT)
    await client.subscribe("a")
    await client.disconnect()
    await site.kept()
    site.clock.advance(101)
    await end(site)
    client = await site.client()
    assert not (await client.log_in(pump, clean=False, properties=KEPT)).session_present
    assert (await rows(site))["session_subscription"] == 0


async def test_who_was_connected_is_away_since_the_start(site: Site, end: End) -> None:
    """It had no chance to be back earlier."""
    await site.log_in(site.add_device(), properties=KEPT)
    await site.kept()
    site.clock.advance(1000)
    await end(site)
    await site.let_pass(99)
    await back(site)


async def test_removed_devices_have_no_sessions(site: Site) -> None:
    for name in ("pump-1", "pump-2"):
        client = await site.log_in(site.add_device(name), properties=KEPT)
        await client.subscribe("a")
        await client.disconnect()
    await publish(site, "a", b"x")
    site.store.remove_device("default", "pump-1")
    assert (await rows(site))["session"] == 1
    site.hub.sessions._kept.clear()  # as if another process had done it while there was no daemon
    site.store.remove_device("default", "pump-2")
    assert (await rows(site))["session"] == 1
    await site.restart()
    assert set((await rows(site)).values()) == {0}


async def test_a_clean_start_forgets(site: Site, end: End) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, properties=KEPT)
    await client.subscribe("a")
    await client.disconnect()
    await publish(site, "a", b"x")
    client = await site.log_in(pump, clean=True, properties=KEPT)
    await site.kept()
    await end(site)
    client = await back(site)
    await publish(site, "a", b"y")
    await client.quiet()
    found = await rows(site)
    assert (found["session"], found["session_subscription"], found["session_message"]) == (1, 0, 0)


async def test_another_identity_does_not_resume(new_site: NewSite, end: End) -> None:
    site = await new_site(mqtt(allow_anonymous=True))
    anonymous = await site.client()
    await anonymous.connect("c", properties=KEPT)
    await site.kept()
    await end(site)
    token = site.store.add_token("ops", None, frozenset(("admin",)))
    admin = await site.client()
    assert not (await admin.connect("c", "default", token, clean=False, properties=KEPT)).session_present


# Bounds


async def test_beyond_the_bounds_the_newest_is_dropped(new_site: NewSite, end: End) -> None:
    site = await new_site(mqtt(max_queued_messages=3))
    client = await site.log_in(site.add_device(), properties=KEPT)
    await client.subscribe("a")
    client.abort()
    await publish(site, "a", b"1", b"2")
    await end(site)
    await publish(site, "a", b"3", b"4", b"5")
    assert (await rows(site))["session_copy"] == 3
    client = await back(site)
    assert [(await client.take()).payload for _ in range(3)] == [b"1", b"2", b"3"]
    await client.quiet()


async def test_many_wait_in_the_store(site: Site, end: End) -> None:
    """More than a page."""
    client = await site.log_in(site.add_device(), properties=KEPT)
    await client.subscribe("a")
    client.abort()
    payloads = [str(number).encode() for number in range(200)]
    await publish(site, "a", *payloads)
    await end(site)
    client = await back(site)
    assert [(await client.take()).payload for _ in payloads] == payloads
    await publish(site, "a", b"last")
    assert (await client.take()).payload == b"last"
    await client.quiet()
    assert (await rows(site))["session_message"] == 0


# A disk that refuses


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
async def test_what_cannot_be_stored_is_not_acknowledged(site: Site, version: Version, qos: int) -> None:
    client = await site.log_in(site.add_device(), properties=KEPT)
    await client.subscribe("a", 2)
    await client.disconnect()
    sender = await site.log_in(site.add_device("sender"), version)
    await site.kept()
    async with site.writes_refused():
        packet_id = sender.publish("a", b"x", qos)
        if version is Version.V5:
            answer: Puback | Pubrec = await sender.receive(Puback) if qos == 1 else await sender.receive(Pubrec)
            assert (answer.packet_id, answer.reason_code) == (packet_id, 0x83)
        else:
            assert await sender.ended() is None
    client = await back(site)
    await client.quiet()


async def test_what_reaches_no_kept_session_is_acknowledged_at_once(site: Site) -> None:
    client = await site.log_in(site.add_device())
    await client.subscribe("a")
    await site.kept()
    async with site.writes_refused():
        client.publish("a", b"x", 1)
        assert {type(packet) for packet in await client.before_pong()} >= {Puback}


async def test_losses_are_tried_again(site: Site) -> None:
    """What was acknowledged on a disk that refuses is written down later."""
    client = await site.log_in(site.add_device(), properties=KEPT)
    await client.subscribe("a")
    await publish(site, "a", b"x")
    sent = await client.receive(Publish)
    await site.kept()
    async with site.writes_refused():
        client.send(Puback(sent.packet_id))
        await client.quiet()
        await site.store.flush()
        assert site.hub.keeping is not None
        assert site.hub.keeping.busy
    await site.let_pass(2)
    assert (await rows(site))["session_copy"] == 0


async def test_a_subscription_that_cannot_be_stored(site: Site) -> None:
    client = await site.log_in(site.add_device(), properties=KEPT)
    await site.kept()
    async with site.writes_refused():
        client.send(Subscribe(1, [Subscription("a")]))
        assert await client.ended() == 0x83


# The settings are others than before


async def test_topics_that_are_not_open_any_more(new_site: NewSite) -> None:
    site = await new_site()
    client = await site.log_in(site.add_device(), properties=KEPT)
    await client.subscribe("a")
    await client.subscribe("b")
    await site.kept()
    site._settings = mqtt(device_subscribe=("b",))
    await site.restart()
    client = await back(site)
    await publish(site, "a", b"closed")
    await publish(site, "b", b"open")
    assert (await client.take()).payload == b"open"


# Wills


@pytest.fixture
async def watcher(site: Site) -> None:
    client = await site.log_in(site.add_device("watcher"), Version.V311, clean=False)
    await client.subscribe("wills/#")
    await site.log_out(site.store.device("default", "watcher"), client)  # type: ignore[arg-type]


async def heard(site: Site) -> list[bytes]:
    await site.kept()
    client = await back(site, Version.V311, "watcher")
    found = [packet.payload for packet in await client.before_pong() if isinstance(packet, Publish)]
    client.abort()
    return found


@pytest.mark.usefixtures("watcher")
async def test_a_delayed_will(site: Site, end: End) -> None:
    """Its time runs on without a daemon, and it is sent once."""
    will = Will("wills/x", b"gone", 1, properties={"will_delay_interval": 50, "user_properties": [("a", "b")]})
    pump = site.add_device()
    client = await site.log_in(pump, will=will, properties=KEPT)
    await site.log_out(pump, client)
    await site.kept()
    site.clock.advance(30)
    await end(site)
    await site.let_pass(19)
    assert await heard(site) == []
    await site.let_pass(2)
    assert await heard(site) == [b"gone"]
    await site.kept()
    await end(site)
    await site.let_pass(60)
    assert (await heard(site)).count(b"gone") <= 1  # it was not acknowledged


@pytest.mark.usefixtures("watcher")
async def test_the_will_of_a_client_that_was_connected(site: Site, end: End) -> None:
    """Its delay begins with the start: the client may be back in time."""
    will = Will("wills/x", b"gone", 1, properties={"will_delay_interval": 50})
    await site.log_in(site.add_device(), will=will, properties=KEPT)
    await site.log_in(site.add_device("pump-2"), will=will, properties=KEPT)
    await site.kept()
    site.clock.advance(1000)
    await end(site)
    await back(site)
    await site.let_pass(49)
    assert await heard(site) == []
    await site.let_pass(2)
    assert await heard(site) == [b"gone"]


@pytest.mark.usefixtures("watcher")
async def test_the_end_of_a_session_sends_its_will(site: Site, end: End) -> None:
    will = Will("wills/x", b"gone", 1, properties={"will_delay_interval": 5000})
    pump = site.add_device()
    client = await site.log_in(pump, will=will, properties=KEPT)
    await site.log_out(pump, client)
    await site.kept()
    site.clock.advance(101)
    await end(site)
    assert await heard(site) == [b"gone"]
