"""What one client may send and take: Receive Maximum, Maximum Packet Size, rate."""

import asyncio

import pytest

from bridge.model.device import Device
from bridge.mqtt import (
    Connack,
    Disconnect,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Version,
    Will,
    encode,
)
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt
from tests.broker.test_flow import line_of
from tests.broker.times import comes

UPLINK = "$oc/devices/pump-1/sys/messages/up"
KEPT: Properties = {"session_expiry_interval": 1000}


class Slow:
    """A keeper of uplinks that answers when the test says so."""

    def __init__(self, site: Site) -> None:
        self.waiting: list[tuple[Publish, object]] = []
        self._came = asyncio.Event()
        site.hub.router.keeper = self

    async def hears(self, count: int) -> None:
        """Returns when so many messages wait."""
        while len(self.waiting) < count:
            self._came.clear()
            await comes(self._came)

    def keep(self, device: Device, publish: Publish, done: object) -> None:
        self.waiting.append((publish, done))
        self._came.set()

    def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        for publish, done in waiting:
            done(publish, 0)  # type: ignore[operator]


# Receive Maximum of the server


async def test_more_than_the_receive_maximum(new_site: NewSite) -> None:
    """[MQTT-3.3.4-7] what the client left open counts, from our PUBREC to its PUBREL."""
    site = await new_site(mqtt(receive_maximum=3))
    keeper = Slow(site)
    client = await site.log_in(site.add_device())
    client.send(*(Publish(UPLINK, b"x", 2, packet_id=packet_id) for packet_id in (1, 2, 3)))
    await client.quiet()
    keeper.answer()
    for _ in range(3):
        await client.receive(Pubrec)
    client.send(*map(Pubrel, (1, 2, 3)))
    for _ in range(3):
        await client.receive(Pubcomp)
    client.send(*(Publish(UPLINK, b"x", 2, packet_id=packet_id) for packet_id in (4, 5, 6)))
    await client.quiet()
    keeper.answer()
    for _ in range(3):
        await client.receive(Pubrec)
    client.send(Publish(UPLINK, b"x", 1, packet_id=7))
    assert await client.ended() == 0x93


@pytest.mark.parametrize("version", [Version.V311, Version.V5])
async def test_what_waits_for_our_disk_does_not_count(new_site: NewSite, version: Version) -> None:
    """The client is not heard for a while, and is served in full."""
    site = await new_site(mqtt(receive_maximum=3))
    keeper = Slow(site)
    pump = site.add_device()
    client = await site.log_in(pump, version, keep_alive=60)
    client.send(*(Publish(UPLINK, b"x", 1, packet_id=packet_id) for packet_id in range(1, 101)))
    await keeper.hears(4)
    await site.let_pass(100)  # whoever is not heard is not silent
    acknowledged: list[int] = []
    while len(acknowledged) < 100:
        await keeper.hears(1)
        waiting = len(keeper.waiting)
        assert waiting <= 4
        keeper.answer()
        acknowledged += [(await client.receive(Puback)).packet_id for _ in range(waiting)]
    assert acknowledged == list(range(1, 101))
    await client.quiet()


async def test_whoever_left_before_it_was_heard_has_said_good_bye(new_site: NewSite) -> None:
    """Its will is not sent [MQTT-3.14.4-3]."""
    site = await new_site(mqtt(receive_maximum=1))
    keeper = Slow(site)
    watcher = await site.log_in(site.add_device("watcher"))
    await watcher.subscribe("wills", 1)
    pump = site.add_device()
    client = await site.log_in(pump, will=Will("wills", b"gone", 1))
    client.send(*(Publish(UPLINK, b"x", 1, packet_id=packet_id) for packet_id in (1, 2, 3)), Disconnect())
    await keeper.hears(2)
    line_of(site, pump).abort()
    await site.heard.wait("disconnected", pump.key)
    await watcher.quiet()
    assert len(keeper.waiting) == 3


async def test_qos_0_does_not_count(new_site: NewSite) -> None:
    site = await new_site(mqtt(receive_maximum=1))
    Slow(site)
    client = await site.log_in(site.add_device())
    client.send(Publish(UPLINK, b"x", 1, packet_id=1))
    for _ in range(3):
        client.send(Publish(UPLINK, b"x"))
    await client.quiet()


async def test_what_is_refused_does_not_count(new_site: NewSite) -> None:
    site = await new_site(mqtt(receive_maximum=1))
    client = await site.log_in(site.add_device())
    for packet_id in (1, 2, 3):
        client.send(Publish("$oc/devices/other/up", b"x", 2, packet_id=packet_id))
        assert (await client.receive(Pubrec)).reason_code == 0x87
    await client.quiet()


async def test_the_count_begins_anew_with_each_connection(new_site: NewSite) -> None:
    """[MQTT5 4.9] also when messages of the last one are not released."""
    site = await new_site(mqtt(receive_maximum=2))
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    for packet_id in (1, 2):
        client.send(Publish("a", b"x", 2, packet_id=packet_id))
        await client.receive(Pubrec)
    await site.log_out(pump, client)
    client = await site.log_in(pump, clean=False, properties=KEPT)
    for packet_id in (3, 4):
        client.send(Publish("a", b"x", 2, packet_id=packet_id))
        await client.receive(Pubrec)
    client.send(*map(Pubrel, (1, 2, 3, 4)))
    assert [(await client.receive(Pubcomp)).reason_code for _ in range(4)] == [0] * 4


@pytest.mark.parametrize("qos", [1, 2])
async def test_older_clients_know_no_receive_maximum(new_site: NewSite, qos: int) -> None:
    site = await new_site(mqtt(receive_maximum=1))
    client = await site.log_in(site.add_device(), Version.V311)
    client.send(*(Publish("a", b"x", qos, packet_id=packet_id) for packet_id in range(1, 50)))
    for _ in range(49):
        await client.receive(Puback if qos == 1 else Pubrec)
    await client.quiet()


# Packet identifiers in use


async def test_identifiers_in_use(site: Site) -> None:
    """[MQTT-2.2.1-3] by a message that is not released."""
    client = await site.log_in(site.add_device())
    client.send(Publish("a", b"x", 2, packet_id=7))
    await client.receive(Pubrec)
    client.send(Publish("a", b"x", 1, packet_id=7))
    assert (await client.receive(Puback)).reason_code == 0x91
    client.send(Subscribe(7, [Subscription("a"), Subscription("b")]))
    assert (await client.receive(Suback)).reason_codes == [0x91, 0x91]
    client.send(Unsubscribe(7, ["a"]))
    assert (await client.receive(Unsuback)).reason_codes == [0x91]
    client.send(Pubrel(7))
    assert (await client.receive(Pubcomp)).reason_code == 0
    client.send(Subscribe(7, [Subscription("a")]))
    assert (await client.receive(Suback)).reason_codes == [0]
    client.send(Unsubscribe(7, ["a"]))
    assert (await client.receive(Unsuback)).reason_codes == [0]


@pytest.mark.parametrize("qos", [1, 2])
async def test_identifiers_of_messages_that_wait_for_their_commit(site: Site, qos: int) -> None:
    keeper = Slow(site)
    client = await site.log_in(site.add_device())
    client.send(Publish(UPLINK, b"x", 1, packet_id=7), Publish(UPLINK, b"y", qos, packet_id=7))
    client.send(Subscribe(7, [Subscription("a")]))
    assert (await client.receive(Suback)).reason_codes == [0x91]
    assert len(keeper.waiting) == 1
    keeper.answer()
    assert (await client.receive(Puback)).reason_code == 0
    refused: Puback | Pubrec = await client.receive(Puback) if qos == 1 else await client.receive(Pubrec)
    assert refused.reason_code == 0x91


async def test_what_is_refused_for_its_identifier_does_not_complete_the_other(new_site: NewSite) -> None:
    site = await new_site(mqtt(receive_maximum=1))
    client = await site.log_in(site.add_device())
    client.send(Publish("a", b"x", 2, packet_id=7))
    await client.receive(Pubrec)
    client.send(Publish("a", b"x", 1, packet_id=7))
    assert (await client.receive(Puback)).reason_code == 0x91
    client.send(Publish("a", b"x", 1, packet_id=8))
    assert await client.ended() == 0x93


async def test_older_versions_have_no_word_for_it(site: Site) -> None:
    client = await site.log_in(site.add_device(), Version.V311)
    client.send(Publish("a", b"x", 2, packet_id=7))
    await client.receive(Pubrec)
    client.send(Publish("a", b"x", 1, packet_id=7), Subscribe(7, [Subscription("a")]), Unsubscribe(7, ["a"]))
    await client.receive(Puback)
    assert (await client.receive(Suback)).reason_codes == [0]
    await client.receive(Unsuback)


# Maximum Packet Size of the client


def size(packet: Connack | Puback | Suback | Disconnect) -> int:
    return len(encode(packet, Version.V5))


async def taking(site: Site, maximum: int) -> RawClient:
    return await site.log_in(site.add_device(), properties={"maximum_packet_size": maximum})


async def test_a_reason_string_that_does_not_fit_is_left_out(site: Site) -> None:
    """[MQTT-3.4.2-2] [MQTT-3.9.2-1] [MQTT-3.14.2-3]"""
    client = await taking(site, 60)
    client.send(Publish("$oc/devices/other/up", b"x", 1, packet_id=1))
    assert (await client.receive(Puback)).properties["reason_string"] == "this client may not publish to this topic"
    client.send(Subscribe(2, [Subscription("$oc/devices/other/some/longer/filter/than/fits/in")]))
    assert await client.receive(Suback) == Suback(2, [0x87])
    client.send(Publish("", b"x", properties={"topic_alias": 5}))
    assert await client.receive(Disconnect) == Disconnect(0x82)


async def test_an_answer_that_does_not_fit_ends_the_connection(site: Site) -> None:
    """[MQTT-3.1.2-24] without it the client would wait for ever."""
    client = await taking(site, 60)
    client.send(Subscribe(1, [Subscription("a")] * 100))
    assert await client.ended() == 0x95


async def test_a_connack_that_does_not_fit(site: Site) -> None:
    pump = site.add_device()
    client = await site.client()
    await_end = client.connect("pump-1", "pump-1", SECRET, properties={"maximum_packet_size": 10})
    with pytest.raises(AssertionError, match="got None"):  # without a CONNACK there is no DISCONNECT [MQTT-3.14.0-1]
        await await_end
    assert not site.hub.connected(pump.key)
    await site.log_in(pump)


async def test_not_even_a_disconnect_fits(site: Site) -> None:
    site.add_device()
    client = await site.client()
    with pytest.raises(AssertionError, match="got None"):
        await client.connect("pump-1", "pump-1", SECRET, properties={"maximum_packet_size": 2})


async def test_a_refusal_that_does_not_fit(site: Site) -> None:
    client = await site.client()
    with pytest.raises(AssertionError, match="got None"):
        await client.connect("pump-1", "pump-1", SECRET, properties={"maximum_packet_size": 4})


async def test_a_refusal_that_fits_without_its_reason(site: Site) -> None:
    """[MQTT-3.2.2-19]"""
    client = await site.client()
    connack = await client.connect("pump-1", "pump-1", SECRET, properties={"maximum_packet_size": 5})
    assert connack == Connack(False, 0x86)


async def test_sent_again_to_a_connection_that_takes_less(site: Site) -> None:
    """It counts as delivered [MQTT-3.1.2-25]."""
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.subscribe("a", 1)
    for payload in (b"x" * 200, b"y"):
        site.hub.router.route("default", Publish("a", payload, 1))
        await client.receive(Publish)
    await site.log_out(pump, client)
    client = await site.log_in(pump, clean=False, properties={**KEPT, "maximum_packet_size": 100})
    assert (await client.take()).payload == b"y"
    await client.quiet()


# Request Problem Information


async def test_no_problem_information(site: Site) -> None:
    """[MQTT-3.1.2-29] CONNACK and DISCONNECT may explain all the same."""
    client = await site.log_in(site.add_device(), properties={"request_problem_information": 0})
    client.send(Publish("$oc/devices/other/up", b"x", 1, packet_id=1))
    assert await client.receive(Puback) == Puback(1, 0x87)
    client.send(Publish("$oc/devices/other/up", b"x", 2, packet_id=1))
    assert await client.receive(Pubrec) == Pubrec(1, 0x87)
    client.send(Pubrel(9))
    assert await client.receive(Pubcomp) == Pubcomp(9, 0x92)
    client.send(Subscribe(2, [Subscription("$oc/devices/other/up")]))
    assert await client.receive(Suback) == Suback(2, [0x87])
    client.send(Publish("a", b"x", properties={"topic_alias": 99}))
    assert "reason_string" in (await client.receive(Disconnect)).properties


async def test_user_properties_of_messages_stay(site: Site) -> None:
    """[MQTT-3.1.2-29] speaks of them as an exception."""
    client = await site.log_in(site.add_device(), properties={"request_problem_information": 0})
    await client.subscribe("a", 1)
    pairs = [("b", "2"), ("a", "1"), ("b", "2")]
    client.publish("a", b"x", 0, {"user_properties": pairs})
    assert (await client.take()).properties["user_properties"] == pairs


async def test_without_reason_strings(new_site: NewSite) -> None:
    site = await new_site(mqtt(reason_strings=False))
    client = await site.log_in(site.add_device())
    client.send(Publish("$oc/devices/other/up", b"x", 1, packet_id=1))
    assert await client.receive(Puback) == Puback(1, 0x87)
    client.send(Publish("a", b"x", properties={"topic_alias": 99}))
    assert await client.receive(Disconnect) == Disconnect(0x94)
    client = await site.client()
    assert await client.connect("nobody") == Connack(False, 0x87)


async def test_response_information(site: Site) -> None:
    """[MQTT-3.1.2-28] only who asks is told; applications have no topics of their own."""
    pump = site.add_device()
    for asked, told in ((0, None), (1, "$oc/devices/pump-1/user/")):
        client = await site.client()
        connack = await client.log_in(pump, properties={"request_response_information": asked})
        assert connack.properties.get("response_information") == told


# Rate


async def test_a_fast_client_is_read_slowly(new_site: NewSite) -> None:
    """Nothing is lost, and what the client sends besides waits with it."""
    site = await new_site(mqtt(max_publish_rate=10))
    listener = await site.log_in(site.add_device("listener"))
    await listener.subscribe("#", 0)
    client = await site.log_in(site.add_device(), keep_alive=1)
    client.send(*(Publish(f"a/{number}", b"x") for number in range(30)))
    topics = []
    burst = await listener.before_pong()
    topics += burst
    assert 10 <= len(burst) <= 12
    while len(topics) < 30:
        await site.let_pass(0.1)
        topics += await listener.before_pong()
    assert [packet.topic for packet in topics if isinstance(packet, Publish)] == [f"a/{n}" for n in range(30)]
    await site.let_pass(1.2)
    await client.quiet()


async def test_a_client_that_is_not_read_can_be_ended(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_publish_rate=1))
    pump = site.add_device()
    client = await site.log_in(pump)
    client.send(*(Publish("a", b"x") for _ in range(5)))
    await site.let_pass(0)
    while line_of(site, pump)._held is None:
        await site.let_pass(0)
    line = line_of(site, pump)
    line.resume_reading()
    assert not line._transport.is_reading()  # type: ignore[union-attr]
    site.hub.disconnect(pump.key)
    assert await client.ended() == 0x98
    await site.let_pass(2)
