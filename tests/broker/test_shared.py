"""Shared subscriptions [MQTT5 4.8.2]."""

import itertools
from collections import Counter

import pytest

from bridge.broker.grant import Grant
from bridge.broker.shared import Share
from bridge.model.device import Device
from bridge.model.message import Status
from bridge.mqtt import Puback, Publish, Pubrec, Pubrel, ReasonCode, Subscription, Version
from tests.broker.calls import calls_of
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt
from tests.broker.test_flat_cost import connect, register
from tests.broker.test_messages import BOTH, KEPT, publish
from tests.broker.test_overlapping import ask, identifiers

SHARE = "$share/workers/jobs/#"


@pytest.fixture
async def sender(site: Site) -> RawClient:
    return await site.log_in(site.add_device("sender"))


class Worker:
    """A member of the share."""

    def __init__(self, site: Site, device: Device, client: RawClient) -> None:
        self.site = site
        self.device = device
        self.client = client

    async def leave(self) -> None:
        await self.site.log_out(self.device, self.client)

    async def come_back(self, *, clean: bool = False) -> None:
        self.client = await self.site.log_in(self.device, clean=clean, properties=KEPT)

    async def received(self) -> list[Publish]:
        """What came so far, not acknowledged."""
        packets = await self.client.before_pong()
        return [packet for packet in packets if isinstance(packet, Publish)]

    async def payloads(self) -> list[bytes]:
        return [message.payload for message in await self.received()]


async def workers(site: Site, count: int, qos: int = 1, version: Version = Version.V5) -> list[Worker]:
    hired = []
    for number in range(count):
        device = site.add_device(f"worker-{number}")
        properties = KEPT if version is Version.V5 else None
        client = await site.log_in(device, version, clean=version is Version.V5, properties=properties)
        assert await client.subscribe(SHARE, qos) == qos
        hired.append(Worker(site, device, client))
    return hired


@BOTH
async def test_each_message_once_in_turns(site: Site, sender: RawClient, version: Version) -> None:
    members = await workers(site, 3, version=version)
    for number in range(9):
        assert await publish(sender, "jobs/a", b"%d" % number) == ReasonCode.SUCCESS
    taken = [await member.payloads() for member in members]
    assert [len(payloads) for payloads in taken] == [3, 3, 3]
    assert Counter(itertools.chain(*taken)) == Counter(b"%d" % number for number in range(9))
    assert all(payloads == sorted(payloads) for payloads in taken)


async def test_shared_and_not_shared_are_two(site: Site, sender: RawClient) -> None:
    """With the same filter, in two shares, and for the same client: one copy for each, with its own identifier."""
    first, second = await workers(site, 2)
    await ask(first.client, Subscription(SHARE, 1), identifier=1)
    await ask(first.client, Subscription("jobs/#", 1), identifier=2)
    await ask(second.client, Subscription("$share/others/jobs/#", 1), identifier=3)
    await publish(sender, "jobs/a", b"x")
    await publish(sender, "jobs/a", b"y")
    at_first = [(message.payload, identifiers(message)) for message in await first.received()]
    at_second = [(message.payload, identifiers(message)) for message in await second.received()]
    assert {(payload, 2) for payload in (b"x", b"y")} <= {(p, i) for p, each in at_first for i in each}
    assert sorted(itertools.chain(*(each for _, each in at_first))) == [1, 2, 2]
    assert sorted(itertools.chain(*(each for _, each in at_second))) == [3, 3]
    assert len(at_second) == 3


async def test_each_at_its_own_qos(site: Site, sender: RawClient) -> None:
    """[MQTT-4.8.2-3]"""
    members = await workers(site, 3)
    for qos, member in enumerate(members):
        assert await member.client.subscribe(SHARE, qos) == qos
    for _ in range(3):
        await publish(sender, "jobs/a", b"x", 2)
    assert [[message.qos for message in await member.received()] for member in members] == [[0], [1], [2]]


async def test_subscribing_again_is_no_second_membership(site: Site, sender: RawClient) -> None:
    members = await workers(site, 2)
    for _ in range(3):
        await members[0].client.subscribe(SHARE)
    for _ in range(4):
        await publish(sender, "jobs/a", b"x")
    assert [len(await member.payloads()) for member in members] == [2, 2]


async def test_leaving(site: Site, sender: RawClient) -> None:
    """Once is enough; the last one takes the share with it."""
    members = await workers(site, 2)
    assert await members[0].client.unsubscribe("jobs/#", SHARE, SHARE) == [0x11, 0, 0x11]
    for _ in range(2):
        await publish(sender, "jobs/a", b"x")
    assert len(await members[1].payloads()) == 2
    assert await members[1].client.unsubscribe(SHARE) == [0]
    assert await publish(sender, "jobs/a", b"x") == ReasonCode.NO_MATCHING_SUBSCRIBERS
    for member in members:
        await member.client.quiet()


async def test_connected_members_with_room_come_first(site: Site, sender: RawClient) -> None:
    """Then connected ones without room, whose queue takes it; then those that are away."""
    idle, busy, away = await workers(site, 3)
    await away.leave()
    for session in (site.hub.sessions.of_device(member.device.key) for member in (idle, busy)):
        assert session is not None
        session.window = 2
    for number in range(6):
        await publish(sender, "jobs/a", b"%d" % number)
    first, second = await idle.received(), await busy.received()
    assert len(first) == len(second) == 2  # and one waits for each
    idle.client.send(*(Puback(message.packet_id) for message in first))
    assert len(await idle.received()) == 1
    for number in range(6, 9):
        await publish(sender, "jobs/a", b"%d" % number)
    assert len(await idle.received()) == 1  # the room it had; the others wait
    assert await busy.payloads() == []
    await away.come_back()
    await away.client.quiet()


async def test_members_that_are_away(site: Site, sender: RawClient) -> None:
    """They take turns as long as nobody is connected; QoS 0 is kept for nobody."""
    members = await workers(site, 3)
    await members[2].client.subscribe(SHARE, 0)
    for member in members:
        await member.leave()
    for number in range(4):
        assert await publish(sender, "jobs/a", b"%d" % number) == ReasonCode.SUCCESS
    await publish(sender, "jobs/a", b"lost", 0)
    for member in members:
        await member.come_back()
    assert sorted([await member.payloads() for member in members]) == [[], [b"0", b"2"], [b"1", b"3"]]


async def test_what_a_lost_connection_left_open_goes_on(site: Site, sender: RawClient) -> None:
    """QoS 1, sent and waiting, in order, at once; the member has none of it when it comes back."""
    first, second = await workers(site, 2)
    await second.leave()
    session = site.hub.sessions.of_device(first.device.key)
    assert session is not None
    session.window = 2
    for number in range(5):
        await publish(sender, "jobs/a", b"%d" % number)
    await publish(sender, "jobs/a", b"late", 1, {"message_expiry_interval": 10})
    assert await first.payloads() == [b"0", b"1"]
    await second.come_back()
    await site.let_pass(20)
    await first.leave()
    passed_on = await second.received()
    assert [(message.payload, message.dup) for message in passed_on] == [(b"%d" % n, False) for n in range(5)]
    await first.come_back()
    await first.client.quiet()
    assert session.queued_bytes == 0


async def test_without_another_connected_member_it_waits(site: Site, sender: RawClient) -> None:
    first, second = await workers(site, 2)
    await second.leave()
    await publish(sender, "jobs/a", b"x")
    assert await first.payloads() == [b"x"]
    await first.leave()
    await first.come_back()
    assert [(message.payload, message.dup) for message in await first.received()] == [(b"x", True)]


async def test_what_an_ended_session_left_open_goes_on(site: Site, sender: RawClient) -> None:
    """To members that are away, too, also what came from a share that the session has left since."""
    first, second = await workers(site, 2)
    await second.leave()
    for number in range(2):
        await publish(sender, "jobs/a", b"%d" % number, number + 1)
    assert await first.payloads() == [b"0", b"1"]
    await first.client.unsubscribe(SHARE)
    await first.client.disconnect(properties={"session_expiry_interval": 0})
    await second.come_back()
    assert [(message.payload, message.dup) for message in await second.received()] == [(b"0", False), (b"1", False)]


async def test_the_last_member_takes_it_along(site: Site, sender: RawClient) -> None:
    (only,) = await workers(site, 1)
    await publish(sender, "jobs/a", b"x")
    assert await only.payloads() == [b"x"]
    await only.leave()
    await only.come_back(clean=True)
    await only.client.subscribe(SHARE)
    await only.client.quiet()


async def test_qos_2_is_finished_with_the_same_client(site: Site, sender: RawClient) -> None:
    """[MQTT-4.8.2-4], and nobody else gets it, also when the session ends [MQTT-4.8.2-5]."""
    first, second = await workers(site, 2, qos=2)
    await second.leave()
    await publish(sender, "jobs/a", b"1", 2)
    await publish(sender, "jobs/a", b"2", 2)
    messages = await first.received()
    first.client.send(Pubrec(messages[0].packet_id))
    assert await first.client.receive(Pubrel) == Pubrel(messages[0].packet_id)
    await second.come_back()
    await first.leave()
    await second.client.quiet()
    await first.come_back()
    assert await first.client.receive(Pubrel) == Pubrel(messages[0].packet_id)
    again = await first.client.receive(Publish)
    assert (again.payload, again.dup, again.packet_id) == (b"2", True, messages[1].packet_id)
    await first.leave()
    await first.come_back(clean=True)
    await first.client.quiet()
    await second.client.quiet()


async def test_qos_2_that_was_never_sent_goes_on(site: Site, sender: RawClient) -> None:
    """Nobody can have it twice."""
    first, second = await workers(site, 2, qos=2)
    await second.leave()
    session = site.hub.sessions.of_device(first.device.key)
    assert session is not None
    session.window = 1
    for number in range(2):
        await publish(sender, "jobs/a", b"%d" % number, 2)
    assert await first.payloads() == [b"0"]
    await second.come_back()
    await first.leave()
    await site.kept()
    assert [(message.payload, message.qos) for message in await second.received()] == [(b"1", 2)]


@pytest.mark.parametrize("qos", [1, 2])
async def test_a_refused_message_goes_to_nobody_else(site: Site, sender: RawClient, qos: int) -> None:
    """[MQTT-4.8.2-6]"""
    first, second = await workers(site, 2, qos=qos)
    await publish(sender, "jobs/a", b"x", qos)
    (message,) = await first.received()
    first.client.send((Puback if qos == 1 else Pubrec)(message.packet_id, ReasonCode.UNSPECIFIED_ERROR))
    await first.client.quiet()
    await first.leave()
    await second.client.quiet()


async def test_a_share_counts_as_a_subscription(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_subscriptions=2))
    client = await site.log_in(site.add_device())
    filters = ("$share/a/x", "x", "$share/b/x", "$share/a/x")
    assert [await client.subscribe(topic_filter) for topic_filter in filters] == [1, 1, 0x97, 1]


async def test_access_is_to_the_topics_behind_the_name(site: Site) -> None:
    """A share opens nothing that a subscription would not."""
    client = await site.log_in(site.add_device())
    filters = ("$share/a/$oc/devices/pump-1/user/#", "$share/a/$oc/devices/pump-2/user/#", "$share/a/#", "$share/a/$x")
    assert [await client.subscribe(topic_filter) for topic_filter in filters] == [1, 0x87, 1, 0x87]


async def test_reserved_topics_do_not_match_leading_wildcards(site: Site) -> None:
    """[MQTT-4.7.2-1]"""
    client = await site.log_in(site.add_device("listener"))
    for topic_filter in ("$share/a/#", "$share/a/+/devices/#"):
        await client.subscribe(topic_filter)
    assert site.hub.router.route("default", Publish("$oc/devices/pump-1/sys/x", b"x", 1)) == 0
    await client.quiet()


async def test_downlinks_reach_a_device_that_shares(site: Site) -> None:
    """A message of an application is for one device, whoever else shares the topic."""
    (worker, _) = await workers(site, 2)
    message = await site.submit(worker.device, topic="jobs/own")
    assert (await worker.client.take()).topic == "jobs/own"
    await worker.client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


async def test_broadcasts_reach_one_connected_member(site: Site) -> None:
    members = await workers(site, 3)
    await members[0].leave()
    assert site.hub.broadcast("default", "jobs/a", b"x", ttl=0) == 1
    assert sorted([await member.payloads() for member in members[1:]]) == [[], [b"x"]]
    for member in members[1:]:
        await member.leave()
    assert site.hub.broadcast("default", "jobs/a", b"x", ttl=0) == 0
    assert site.hub.broadcast("default", "jobs/a", b"y", ttl=60) == 1


async def test_a_shutdown_passes_nothing_on(site: Site, sender: RawClient) -> None:
    """All connections end one after the other; each would get what the one before had."""
    members = await workers(site, 3)
    for _ in range(3):
        await publish(sender, "jobs/a", b"x")
    for member in members:
        assert await member.payloads() == [b"x"]
    site.hub.shut_down()
    for member in members:
        assert await member.client.ended() == ReasonCode.SERVER_SHUTTING_DOWN


async def test_projects_share_nothing(site: Site, sender: RawClient) -> None:
    other = await site.log_in(site.add_device("other", "elsewhere"), client_id="other")
    await other.subscribe(SHARE)
    (worker,) = await workers(site, 1)
    for _ in range(2):
        await publish(sender, "jobs/a", b"x")
    assert len(await worker.payloads()) == 2
    await other.quiet()


@pytest.mark.parametrize("kind", ["ready", "busy", "away"])
async def test_choosing_costs_the_same_for_many_members(new_site: NewSite, kind: str) -> None:
    """Counted in calls and lines, once those that are busy have been found so."""
    site = await new_site(mqtt())
    register(site, 510)

    def share(first: int, last: int) -> Share:
        share = Share("$share/g/a")
        for number in range(first, last):
            link = connect(site, number)
            assert link.session is not None
            share.join(link.session, Grant.of(Subscription(share.filter, 1)))
            if kind == "busy":
                link.session.window = 0
            elif kind == "away":
                link.connection_lost(None)
        return share

    def choose(share: Share) -> None:
        assert len({share.choose() for _ in range(10)}) == 10
        assert (share.choose(kept=False) is None) == (kind == "away")

    few, many = share(0, 10), share(10, 510)
    for each in (few, many):
        each.choose()
    assert calls_of(lambda: choose(many)) == calls_of(lambda: choose(few))
