"""Messages between clients."""

import itertools

import pytest

from bridge.mqtt import (
    Packet,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Version,
)
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt

KEPT: Properties = {"session_expiry_interval": 1000}
BOTH = pytest.mark.parametrize("version", [Version.V311, Version.V5], ids=lambda version: version.name)
QOS = (0, 1, 2)


@pytest.fixture
async def sender(site: Site) -> RawClient:
    return await site.log_in(site.add_device("sender"))


async def publish_all(sender: RawClient, topic: str, count: int, qos: int = 1) -> None:
    """Publish payloads 0, 1, 2 … and see them all acknowledged."""
    for number in range(count):
        await publish(sender, topic, str(number).encode(), qos)


async def publish(
    sender: RawClient, topic: str, payload: bytes, qos: int = 1, properties: Properties | None = None
) -> int:
    """Publish one message as its QoS asks for. Returns the reason code of the first acknowledgement."""
    packet_id = sender.publish(topic, payload, qos, properties)
    if qos == 1:
        return (await sender.receive(Puback)).reason_code
    if qos == 2:
        reason = (await sender.receive(Pubrec)).reason_code
        sender.send(Pubrel(packet_id))
        assert (await sender.receive(Pubcomp)).packet_id == packet_id
        return reason
    await sender.quiet()
    return 0


async def numbers(client: RawClient, count: int) -> list[int]:
    return [int((await client.take()).payload) for _ in range(count)]


@pytest.mark.parametrize(("sent", "granted"), list(itertools.product(QOS, QOS)))
@BOTH
async def test_at_the_lower_quality(site: Site, sender: RawClient, sent: int, granted: int, version: Version) -> None:
    """[MQTT-3.8.4-8]"""
    pump = await site.log_in(site.add_device(), version)
    assert await pump.subscribe("a/b", granted) == granted
    await publish(sender, "a/b", b"x", sent)
    assert (await pump.take()) == Publish("a/b", b"x", min(sent, granted), packet_id=int(min(sent, granted) > 0))
    await pump.quiet()


@pytest.mark.parametrize("qos", QOS)
async def test_all_versions_meet(site: Site, sender: RawClient, qos: int) -> None:
    for version in Version:
        client = await site.log_in(site.add_device(f"pump-{version}"), version)
        await client.subscribe("a", qos)
        await publish(sender, "a", b"x", qos)
        assert (await client.take()).payload == b"x"
        await client.disconnect()


async def test_in_order(site: Site, sender: RawClient) -> None:
    pump = await site.log_in(site.add_device())
    await pump.subscribe("a/+", 2)
    for number in range(20):
        sender.publish(f"a/{number % 3}", str(number).encode(), 1)
    assert await numbers(pump, 20) == list(range(20))


async def test_a_message_that_nobody_wants(site: Site, sender: RawClient) -> None:
    """An MQTT 5 client is told [MQTT5 3.4.2.1]; the vendor's tree always has a reader."""
    assert await publish(sender, "a/b", b"x", 1) == 0x10
    assert await publish(sender, "a/b", b"x", 2) == 0x10
    assert await publish(sender, "$oc/devices/sender/sys/properties/report", b"x", 1) == 0
    older = await site.log_in(site.add_device(), Version.V311)
    assert await publish(older, "a/b", b"x", 1) == 0


async def test_the_sender_is_a_subscriber_too(sender: RawClient) -> None:
    await sender.subscribe("a", 0)
    sender.publish("a", b"x", 1)
    assert (await sender.receive(Publish)).payload == b"x"
    await sender.receive(Puback)


async def test_no_local(site: Site, sender: RawClient) -> None:
    """[MQTT-3.8.3-3]"""
    other = await site.log_in(site.add_device())
    await sender.subscribe("a", no_local=True)
    await other.subscribe("a", no_local=True)
    assert await publish(sender, "a", b"x") == 0
    assert (await other.take()).payload == b"x"
    await sender.quiet()
    await publish(other, "a", b"y")
    assert (await sender.take()).payload == b"y"
    await other.unsubscribe("a")
    assert await publish(sender, "a", b"z") == 0x10


async def test_overlapping_subscriptions_bring_one_copy(site: Site, sender: RawClient) -> None:
    """At the highest QoS of those that match [MQTT-3.3.4-2]."""
    pump = await site.log_in(site.add_device())
    for topic_filter, qos in (("a/b", 0), ("a/+", 2), ("#", 1), ("a/#", 0)):
        await pump.subscribe(topic_filter, qos)
    await publish(sender, "a/b", b"x", 2)
    assert (await pump.take()).qos == 2
    await pump.quiet()


async def test_subscribed_again_with_another_quality(site: Site, sender: RawClient) -> None:
    """The last one counts [MQTT-3.8.4-3]."""
    pump = await site.log_in(site.add_device())
    for qos in (2, 0, 1):
        await pump.subscribe("a", qos)
        await publish(sender, "a", b"x", 2)
        assert (await pump.take()).qos == qos
    await pump.unsubscribe("a")
    await publish(sender, "a", b"x", 2)
    await pump.quiet()


@BOTH
async def test_unsubscribe(site: Site, version: Version) -> None:
    pump = await site.log_in(site.add_device(), version)
    await pump.subscribe("a")
    await pump.subscribe("b/#")
    codes = await pump.unsubscribe("a", "b/#", "a", "never/+/there", "nor/there")
    assert codes == ([0, 0, 0x11, 0x11, 0x11] if version is Version.V5 else [])


async def test_what_the_vendor_of_the_sender_says_is_passed_on(site: Site, sender: RawClient) -> None:
    """Properties unaltered and in order; what is between sender and server stays there."""
    pump = await site.log_in(site.add_device())
    older = await site.log_in(site.add_device("older"), Version.V311)
    for client in (pump, older):
        await client.subscribe("a")
    properties: Properties = {
        "payload_format_indicator": 1,
        "message_expiry_interval": 100,
        "content_type": "text/plain",
        "response_topic": "answers",
        "correlation_data": b"\0\1",
        "user_properties": [("b", "1"), ("a", "2"), ("b", "1")],
    }
    await publish(sender, "a", b"x", 1, properties)
    assert (await pump.take()).properties == properties
    assert (await older.take()).properties == {}


# QoS 2 from the client [MQTT-4.3.3]


@BOTH
async def test_exactly_once(site: Site, version: Version) -> None:
    sender = await site.log_in(site.add_device("sender"), version)
    pump = await site.log_in(site.add_device())
    await pump.subscribe("a", 2)
    for dup in (False, True, True):
        sender.send(Publish("a", b"x", 2, dup=dup, packet_id=7))
        assert await sender.receive(Pubrec) == Pubrec(7)
    for known in (True, False):
        sender.send(Pubrel(7))
        pubcomp = await sender.receive(Pubcomp)
        assert pubcomp.packet_id == 7
        assert pubcomp.reason_code == (0 if known or version is Version.V311 else 0x92)
    await pump.take()
    await pump.quiet()
    sender.send(Publish("a", b"y", 2, packet_id=7))
    await sender.receive(Pubrec)
    assert (await pump.take()).payload == b"y"


async def test_exactly_once_over_two_connections(site: Site) -> None:
    device = site.add_device("sender")
    pump = await site.log_in(site.add_device())
    await pump.subscribe("a", 2)
    sender = await site.log_in(device, Version.V311, clean=False)
    sender.send(Publish("a", b"x", 2, packet_id=7))
    await sender.receive(Pubrec)
    await site.log_out(device, sender)
    sender = await site.log_in(device, Version.V311, clean=False)
    sender.send(Publish("a", b"x", 2, dup=True, packet_id=7), Pubrel(7))
    await sender.receive(Pubrec)
    await sender.receive(Pubcomp)
    await pump.take()
    await pump.quiet()


async def test_what_is_refused_is_not_remembered(site: Site, sender: RawClient) -> None:
    sender.send(Publish("$oc/devices/pump-1/user/a", b"x", 2, packet_id=7))
    assert (await sender.receive(Pubrec)).reason_code == 0x87
    sender.send(Publish("a", b"x", 2, packet_id=7))
    assert await sender.receive(Pubrec) == Pubrec(7, 0x10)


async def test_too_many_that_are_not_released(new_site: NewSite) -> None:
    """[MQTT-3.3.4-9]"""
    site = await new_site(mqtt(receive_maximum=2))
    sender = await site.log_in(site.add_device())
    for packet_id in (1, 2, 2):
        sender.send(Publish("a", b"x", 2, packet_id=packet_id))
        await sender.receive(Pubrec)
    sender.send(Pubrel(1), Publish("a", b"x", 2, packet_id=3))
    await sender.receive(Pubcomp)
    await sender.receive(Pubrec)
    sender.send(Publish("a", b"x", 2, packet_id=4))
    assert await sender.ended() == 0x93


# QoS 1 and 2 to the client


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
async def test_sent_again_on_the_next_connection(site: Site, sender: RawClient, version: Version, qos: int) -> None:
    """In order, with DUP and the same identifiers [MQTT-4.4.0-1]; not on a live connection."""
    pump = site.add_device()
    client = await site.log_in(pump, version, clean=False, properties=KEPT)
    await client.subscribe("a", qos)
    await publish_all(sender, "a", 4, qos)
    first = [await client.receive(Publish) for _ in range(4)]
    await client.acknowledge(first[1])
    await site.let_pass(100)
    await client.quiet()
    await site.log_out(pump, client)
    for _ in range(2):
        client = await site.log_in(pump, version, clean=False, properties=KEPT)
        again = [await client.receive(Publish) for _ in range(3)]
        assert [(p.packet_id, p.payload) for p in again] == [(p.packet_id, p.payload) for p in first if p != first[1]]
        assert all(p.dup for p in again)
        await client.quiet()
        await site.log_out(pump, client)
    client = await site.log_in(pump, version, clean=False)
    for _ in range(3):
        await client.take()
    await site.log_out(pump, client)


async def test_what_the_client_has_received_is_only_released(site: Site, sender: RawClient) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311, clean=False)
    await client.subscribe("a", 2)
    await publish_all(sender, "a", 2, 2)
    first = await client.receive(Publish)
    await client.receive(Publish)
    client.send(Pubrec(first.packet_id))
    await client.receive(Pubrel)
    await site.log_out(pump, client)
    client = await site.log_in(pump, Version.V311, clean=False)
    assert await client.receive(Pubrel) == Pubrel(first.packet_id)
    assert (await client.receive(Publish)).payload == b"1"
    client.send(Pubcomp(first.packet_id))
    await client.quiet()


async def test_sent_again_within_a_smaller_window(site: Site, sender: RawClient) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.subscribe("a", 1)
    await publish_all(sender, "a", 5)
    for _ in range(5):
        await client.receive(Publish)
    await site.log_out(pump, client)
    await publish(sender, "a", b"5")
    client = await site.log_in(pump, clean=False, properties={**KEPT, "receive_maximum": 2})
    first = [await client.receive(Publish) for _ in range(2)]
    await client.quiet()
    for held in first:
        await client.acknowledge(held)
    assert [int(p.payload) for p in first] + await numbers(client, 4) == list(range(6))
    await client.quiet()


async def test_acknowledged_early_on_the_next_connection(site: Site, sender: RawClient) -> None:
    """The client remembers what it got, and says so before it is sent again."""
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.subscribe("a", 1)
    await publish_all(sender, "a", 3)
    ids = [(await client.receive(Publish)).packet_id for _ in range(3)]
    await site.log_out(pump, client)
    client = await site.log_in(pump, clean=False, properties={**KEPT, "receive_maximum": 1})
    first = await client.receive(Publish)
    client.send(Puback(ids[1]))
    await client.acknowledge(first)
    assert (await client.take()).packet_id == ids[2]
    await client.quiet()


async def test_refused_by_the_client(site: Site, sender: RawClient) -> None:
    """An acknowledgement with an error ends it as well [MQTT-4.3.3-4]."""
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties={**KEPT, "receive_maximum": 1})
    for qos in (1, 2):
        await client.subscribe("a", qos)
        await publish_all(sender, "a", 2, qos)
        publish_id = (await client.receive(Publish)).packet_id
        client.send((Puback if qos == 1 else Pubrec)(publish_id, 0x80))
        await client.take()
    await site.log_out(pump, client)
    client = await site.log_in(pump, clean=False)
    await client.quiet()


ODD: dict[str, tuple[Packet, Packet | None]] = {
    "puback": (Puback(99), None),
    "pubrec": (Pubrec(99), Pubrel(99, 0x92)),
    "pubcomp": (Pubcomp(99), None),
    "pubrec with a refusal": (Pubrec(99, 0x80), None),
}


@pytest.mark.parametrize("case", ODD)
async def test_acknowledgements_that_do_not_fit(site: Site, sender: RawClient, case: str) -> None:
    client = await site.log_in(site.add_device())
    await client.subscribe("a", 2)
    await publish(sender, "a", b"x", 2)
    held = await client.receive(Publish)
    packet, answer = ODD[case]
    client.send(packet)
    if answer is not None:
        assert await client.receive(Pubrel) == answer
    await client.quiet()
    await client.acknowledge(held)
    await client.quiet()


CONTRADICTIONS: dict[str, tuple[int, list[type[Pubrec | Puback | Pubcomp]]]] = {
    "pubrec for qos 1": (1, [Pubrec]),
    "pubcomp for qos 1": (1, [Pubcomp]),
    "puback for qos 2": (2, [Puback]),
    "pubcomp before pubrec": (2, [Pubcomp]),
    "puback after pubrec": (2, [Pubrec, Puback]),
}


@BOTH
@pytest.mark.parametrize("case", CONTRADICTIONS)
async def test_acknowledgements_that_contradict(site: Site, sender: RawClient, case: str, version: Version) -> None:
    """Inconsistent with the state of the session is a protocol error [MQTT5 1.2]; the message comes again."""
    qos, answers = CONTRADICTIONS[case]
    pump = site.add_device()
    client = await site.log_in(pump, version, clean=False, properties=KEPT if version is Version.V5 else None)
    await client.subscribe("a", qos)
    await publish(sender, "a", b"x", qos)
    held = await client.receive(Publish)
    for answer in answers:
        client.send(answer(held.packet_id))
        if answer is Pubrec and qos == 2:
            await client.receive(Pubrel)
    assert await client.ended() == (0x82 if version is Version.V5 else None)
    client = await site.log_in(pump, version, clean=False, properties=KEPT if version is Version.V5 else None)
    if len(answers) > 1:
        assert (await client.receive(Pubrel)).packet_id == held.packet_id
    else:
        assert (await client.receive(Publish)).dup


async def test_pubrec_twice(site: Site, sender: RawClient) -> None:
    client = await site.log_in(site.add_device())
    await client.subscribe("a", 2)
    await publish(sender, "a", b"x", 2)
    held = await client.receive(Publish)
    for _ in range(2):
        client.send(Pubrec(held.packet_id))
        assert await client.receive(Pubrel) == Pubrel(held.packet_id)
    client.send(Pubcomp(held.packet_id))
    await client.quiet()


# Waiting for a client


@pytest.mark.parametrize("qos", QOS)
async def test_waiting_for_a_client_that_is_away(site: Site, sender: RawClient, qos: int) -> None:
    """QoS 0 does not wait."""
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.subscribe("a", 2)
    await client.disconnect()
    await publish_all(sender, "a", 5, qos)
    client = await site.log_in(pump, clean=False, properties=KEPT)
    if qos:
        assert await numbers(client, 5) == list(range(5))
    await client.quiet()


@pytest.mark.parametrize(
    ("bounds", "kept"),
    [
        ({"max_queued_messages": 3}, 3),
        ({"max_queued_messages": 0}, 0),
        ({"max_queued_bytes": 10}, 5),
        ({"max_queued_bytes": 0}, 0),
    ],
)
async def test_so_much_waits_and_not_more(new_site: NewSite, bounds: dict[str, int], kept: int) -> None:
    """The newest are dropped, and counted."""
    site = await new_site(mqtt(**bounds))
    pump = site.add_device()
    sender = await site.log_in(site.add_device("sender"))
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.subscribe("a", 1)
    await client.disconnect()
    for _ in range(2):
        await publish_all(sender, "a", 8)
        (session,) = [session for session in site.hub.sessions._sessions.values() if session.line is None]
        assert session.dropped == 8 - kept
        session.dropped = 0
        client = await site.log_in(pump, clean=False, properties=KEPT)
        assert await numbers(client, kept) == list(range(kept))
        await client.quiet()
        await client.disconnect()


async def test_expired_ones_do_not_wait(site: Site, sender: RawClient) -> None:
    """[MQTT-3.3.2-5]; what is left of the time is told [MQTT-3.3.2-6]."""
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.subscribe("a", 1)
    await client.disconnect()
    for seconds in (10, 100, 0, 10):
        await publish(sender, "a", str(seconds).encode(), 1, {"message_expiry_interval": seconds})
    await publish(sender, "a", b"never")
    await site.let_pass(50)
    client = await site.log_in(pump, clean=False, properties=KEPT)
    left = await client.take()
    assert left.payload == b"100"
    assert 48 <= left.properties["message_expiry_interval"] <= 50
    assert (await client.take()).properties == {}
    await client.quiet()


async def test_only_expired_ones_waited(site: Site, sender: RawClient) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.subscribe("a", 1)
    await client.disconnect()
    await publish(sender, "a", b"x", 1, {"message_expiry_interval": 10})
    await site.let_pass(11)
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.quiet()
    await publish(sender, "a", b"y")
    assert (await client.take()).payload == b"y"


# Subscribing


@BOTH
async def test_so_many_subscriptions_and_not_more(new_site: NewSite, version: Version) -> None:
    site = await new_site(mqtt(max_subscriptions=2))
    client = await site.log_in(site.add_device(), version)
    assert await client.subscribe("a", 1) == 1
    assert await client.subscribe("b/#", 2) == 2
    assert await client.subscribe("c", 0) == (0x97 if version is Version.V5 else 0x80)
    assert await client.subscribe("a", 0) == 0
    await client.unsubscribe("b/#")
    assert await client.subscribe("c", 2) == 2


@BOTH
@pytest.mark.parametrize("end", ["", "/#"])
async def test_filters_with_very_many_levels(site: Site, version: Version, end: str) -> None:
    """Each level costs memory, so there is a bound."""
    client = await site.log_in(site.add_device(), version)
    assert await client.subscribe("/".join("+" * 150) + end) == 1
    assert await client.subscribe("/".join("+" * 1000) + end) == (0x8F if version is Version.V5 else 0x80)
    assert await client.subscribe("/" * 60_000 + "a") == (0x8F if version is Version.V5 else 0x80)
    await client.quiet()


@BOTH
async def test_each_filter_has_its_answer(site: Site, version: Version) -> None:
    client = await site.log_in(site.add_device(), version)
    filters = ["a", "$oc/devices/pump-1/user/#", "$oc/devices/pump-2/user/#", "$share/group/a", "b"]
    client.send(Subscribe(9, [Subscription(topic_filter, 1) for topic_filter in filters]))
    codes = [1, 1, 0x87, 1, 1] if version is Version.V5 else [1, 1, 0x80, 1, 1]
    assert (await client.receive(Suback)).reason_codes == codes
