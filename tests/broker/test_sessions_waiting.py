"""What waits for the disk, in sessions that are kept: nothing that lets a client forget leaves before, the order stays,
nobody waits for ever, and what is no longer due does not leave."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from bridge.broker.fanout import Copy
from bridge.model.device import Device
from bridge.model.message import Status
from bridge.mqtt import (
    Connack,
    Connect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ReasonCode,
    Unsuback,
    Unsubscribe,
    Version,
)
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt
from tests.broker.test_sessions_kept import BOTH, KEPT, back, publish, rows


async def subscribed(
    site: Site, topic_filter: str = "a", qos: int = 2, name: str = "pump-1"
) -> tuple[Device, RawClient]:
    """A device with a session that is kept, all of it on disk."""
    pump = site.add_device(name)
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.subscribe(topic_filter, qos)
    await site.kept()
    return pump, client


async def lost(site: Site, device: Device, client: RawClient) -> RawClient:
    """The connection breaks and the next one is there."""
    await site.log_out(device, client)
    return await back(site, name=device.device_id)


# PUBREL


async def test_no_pubrel_before_the_release_is_on_disk(site: Site) -> None:
    pump, client = await subscribed(site)
    await publish(site, "a", b"x", qos=2)
    sent = await client.receive(Publish)
    with site.writer_held():
        client.send(Pubrec(sent.packet_id), Pubrec(sent.packet_id))
        await client.quiet()
        client = await lost(site, pump, client)
        await client.quiet()
        client.send(Pubrec(sent.packet_id))
        await client.quiet()
    assert await client.receive(Pubrel) == Pubrel(sent.packet_id)
    client.send(Pubcomp(sent.packet_id))
    await client.quiet()
    assert (await rows(site))["session_copy"] == 0


async def test_a_kill_before_the_release_is_on_disk(site: Site) -> None:
    """The client has not heard of it, so it knows the message by its packet identifier still."""
    pump, client = await subscribed(site)
    await publish(site, "a", b"x", qos=2)
    sent = await client.receive(Publish)
    with site.writer_held():
        client.send(Pubrec(sent.packet_id))
        client = await lost(site, pump, client)
        await client.quiet()
        crash = asyncio.ensure_future(site.crash())
    await crash
    client = await back(site)
    again = await client.receive(Publish)
    assert (again.payload, again.packet_id, again.dup) == (b"x", sent.packet_id, True)


async def test_an_application_s_message_is_released_on_disk_first(new_site: NewSite) -> None:
    site = await new_site(mqtt(downlink_qos=2))
    pump, client = await subscribed(site)
    message = await site.submit(pump)
    sent = await client.receive(Publish)
    with site.writer_held():
        client.send(Pubrec(sent.packet_id))
        client = await lost(site, pump, client)
        await client.quiet()
    assert await client.receive(Pubrel) == Pubrel(sent.packet_id)
    assert await site.stored_as(message) is Status.DELIVERED
    await site.crash()
    client = await back(site)
    assert await client.receive(Pubrel) == Pubrel(sent.packet_id)
    client.send(Pubcomp(sent.packet_id))
    await client.quiet()
    await site.kept()
    await site.restart()
    await (await back(site)).quiet()


async def test_that_a_device_has_a_message_is_known_from_its_session_as_well(new_site: NewSite) -> None:
    """Its end was not stored when the daemon was killed, that it is released was."""
    site = await new_site(mqtt(downlink_qos=2))
    pump, client = await subscribed(site)
    message = await site.submit(pump)
    sent = await client.receive(Publish)
    client.send(Pubrec(sent.packet_id))
    await client.receive(Pubrel)
    await site.kept()
    await site.stop()
    with contextlib.closing(sqlite3.connect(site.path, isolation_level=None)) as database:
        database.execute("UPDATE message SET status = 'PENDING', finished_at = NULL, acknowledged_by = NULL")
    site._clients = []
    await site.__aenter__()
    client = await back(site)
    assert await client.receive(Pubrel) == Pubrel(sent.packet_id)
    await site.heard.wait("acknowledged", pump.key, message.seq)
    client.send(Pubcomp(sent.packet_id))
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


async def test_it_stays_known_until_the_end_of_the_message_is_stored(new_site: NewSite) -> None:
    site = await new_site(mqtt(downlink_qos=2))
    pump, client = await subscribed(site)
    message = await site.submit(pump)
    sent = await client.receive(Publish)
    client.send(Pubrec(sent.packet_id))
    await client.receive(Pubrel)
    await site.store.flush()
    with contextlib.closing(sqlite3.connect(site.path, isolation_level=None)) as database:
        database.execute("UPDATE message SET status = 'PENDING', finished_at = NULL, acknowledged_by = NULL")
    client.send(Pubcomp(sent.packet_id))
    await client.quiet()
    await site.kept()
    await site.crash()
    client = await back(site)
    assert await client.receive(Pubrel) == Pubrel(sent.packet_id)
    await client.quiet()
    assert await site.stored_as(message) is Status.DELIVERED


@BOTH
async def test_pubrels_keep_their_order(site: Site, version: Version) -> None:
    """[MQTT-4.6.0-4]"""
    _, client = await subscribed(site)
    await publish(site, "a", b"1", b"2", b"3", qos=2)
    sent = [(await client.receive(Publish)).packet_id for _ in range(3)]
    client.send(*(Pubrec(packet_id) for packet_id in reversed(sent)))
    assert [(await client.receive(Pubrel)).packet_id for _ in sent] == sent[::-1]


# PUBCOMP, PUBREC, CONNACK


async def test_no_pubcomp_before_the_release_is_on_disk(site: Site) -> None:
    pump, client = await subscribed(site)
    client.send(Publish("b", b"x", 2, packet_id=7))
    await client.receive(Pubrec)
    with site.writer_held():
        client.send(Pubrel(7))
        await client.quiet()
        client = await lost(site, pump, client)
        client.send(Pubrel(7))
        await client.quiet()
    assert await client.receive(Pubcomp) == Pubcomp(7)


async def test_released_again_on_a_resumed_session(site: Site) -> None:
    """[MQTT-4.4.0-1] our PUBCOMP was lost with the last connection. In a session that is new nobody knows of it."""
    pump, client = await subscribed(site)
    client.send(Publish("b", b"x", 2, packet_id=7))
    await client.receive(Pubrec)
    client.send(Pubrel(7))
    await client.receive(Pubcomp)
    client = await lost(site, pump, client)
    client.send(Pubrel(7))
    assert await client.receive(Pubcomp) == Pubcomp(7)
    client = await site.log_in(pump, properties=KEPT)
    client.send(Pubrel(7))
    assert (await client.receive(Pubcomp)).reason_code == 0x92


async def test_a_refusal_frees_the_packet_identifier_on_disk_first(site: Site) -> None:
    """That it came is stored, and its event is not: the client may use the identifier for another message."""
    pump, client = await subscribed(site)

    class Keeper:
        def keep(self, device: object, packet: Publish, done: object) -> None:
            self.done, self.packet = done, packet

    site.hub.router.keeper = keeper = Keeper()
    client.send(Publish("$oc/devices/pump-1/sys/messages/up", b"x", 2, packet_id=7))
    await client.quiet()
    await site.kept()
    assert (await rows(site))["session_received"] == 1
    with site.writer_held():
        keeper.done(keeper.packet, 0x83)  # type: ignore[operator]
        await client.quiet()
    assert (await client.receive(Pubrec)).reason_code == 0x83
    assert (await rows(site))["session_received"] == 0
    client = await lost(site, pump, client)
    await client.quiet()


@BOTH
async def test_a_client_is_told_that_its_session_is_gone_when_it_is(site: Site, version: Version) -> None:
    """It forgets its part of it: a kill must not bring ours back."""
    _, client = await subscribed(site)
    client.abort()
    await publish(site, "a", b"old")
    bystander = site.add_device("other")
    with site.writer_held():
        client = await site.client(version)
        client.send(Connect(version, "pump-1", True, username="pump-1", password=SECRET.encode()))
        other = await site.log_in(bystander)
        await other.quiet()
        assert not client._packets
    connack = await client.receive(Connack)
    assert (connack.reason_code, connack.session_present) == (0, False)
    await client.quiet()
    await site.crash()
    assert set((await rows(site)).values()) == {0}


# Order


@contextlib.contextmanager
def endless(site: Site, *, joined: bool) -> Iterator[None]:
    """There is always a write under way for somebody else."""
    keeping, packet, going = site.hub.keeping, Publish("z"), True
    assert keeping is not None

    def again(_: Publish, __: ReasonCode) -> None:
        if going:
            keeping.commit(packet, again, joined=joined)

    for _ in range(2):
        keeping.commit(packet, again, joined=joined)
    try:
        yield
    finally:
        going = False


LOAD = pytest.mark.parametrize("joined", [False, True], ids=["alone", "joined"])


@LOAD
async def test_what_is_stored_comes_before_what_is_new(site: Site, joined: bool) -> None:
    """[MQTT-4.6.0-6]"""
    pump, client = await subscribed(site)
    await site.log_out(pump, client)
    await publish(site, "a", *(b"%d" % number for number in range(10)), qos=2)
    busy = await site.log_in(site.add_device("busy"), clean=False, properties=KEPT)
    with endless(site, joined=joined):
        client = await back(site)
        for number in range(10, 15):
            busy.publish("a", b"%d" % number, 2)
        taken = [int((await client.take()).payload) for _ in range(15)]
    assert taken == list(range(15))


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_whoever_is_written_first_does_not_leave_first(site: Site, qos: int) -> None:
    """A packet identifier of a stored message is written behind what is new in the same batch."""
    pump, client = await subscribed(site)
    await site.log_out(pump, client)
    await publish(site, "a", b"stored", qos=2)
    sender = await site.log_in(site.add_device("sender2"))
    with site.writer_held():
        client = await back(site)  # its row is under way, and what follows is gathered
        sender.publish("a", b"new", qos)
        await sender.before_pong()
        await client.quiet()
    assert [(await client.take()).payload for _ in range(2)] == [b"stored", b"new"]


async def test_qos_0_behind_what_waits_for_the_disk_is_bounded(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_queued_messages=5, max_inflight=2))
    pump, client = await subscribed(site)
    sender = await site.log_in(site.add_device("sender"))
    with site.writer_held():
        sender.publish("a", b"first", 2)
        for number in range(200):
            sender.publish("a", b"%d" % number)
        await sender.before_pong()
        session = site.hub.sessions.of_device(pump.key)
        assert session is not None
        assert len(session.unsent) <= 2 + 64
        assert session.queued == 5
    taken = [(await client.take()).payload]
    while len(taken) < 1 + 65 + 5:
        taken.append((await client.take()).payload)
    assert taken[0] == b"first"
    assert [int(payload) for payload in taken[1:]] == [*range(65), *range(195, 200)]
    await client.quiet()


# Everybody gets his turn


@LOAD
async def test_nobody_waits_until_the_others_are_done(site: Site, joined: bool) -> None:
    _, client = await subscribed(site)
    with endless(site, joined=joined):
        client.send(Publish("b", b"x", 2, packet_id=7))
        await client.receive(Pubrec)
        client.send(Pubrel(7))
        assert await client.receive(Pubcomp) == Pubcomp(7)
        client.send(Unsubscribe(8, ["a"]))
        await client.receive(Unsuback)
        await publish(site, "a", b"x")


# What is not due any more


async def test_expired_while_it_waited_for_the_disk(site: Site) -> None:
    """[MQTT-3.3.2-5]"""
    _, client = await subscribed(site)
    sender = await site.log_in(site.add_device("sender"))
    with site.writer_held():
        sender.publish("a", b"late", 2, {"message_expiry_interval": 10})
        sender.publish("a", b"in time", 2, {"message_expiry_interval": 100})
        await sender.quiet()
        await site.let_pass(20)
    taken = await client.take()
    assert taken.payload == b"in time"
    assert taken.properties["message_expiry_interval"] <= 80
    await client.quiet()
    assert (await rows(site))["session_copy"] == 0


@pytest.mark.parametrize("qos", [1, 2])
async def test_what_could_not_be_stored_is_not_sent(site: Site, qos: int) -> None:
    """Its sender was told so, and may have sent it anew."""
    pump, client = await subscribed(site)
    client.abort()
    client = await site.log_in(pump, clean=False, properties={**KEPT, "receive_maximum": 1})
    await publish(site, "a", b"1", qos=1)
    first = await client.receive(Publish)
    sender = await site.log_in(site.add_device("other"))
    await site.kept()
    async with site.writes_refused():
        packet_id = sender.publish("a", b"refused", qos)
        answer: Puback | Pubrec = await sender.receive(Puback) if qos == 1 else await sender.receive(Pubrec)
        assert (answer.packet_id, answer.reason_code) == (packet_id, 0x83)
    await publish(site, "a", b"2", qos=qos)
    client.send(Puback(first.packet_id))
    assert (await client.take()).payload == b"2"
    await client.quiet()


async def test_a_shared_message_goes_to_who_is_there(site: Site) -> None:
    """Also when it waited for the disk for the one that left."""
    pump, client = await subscribed(site, "$share/g/a", 1)
    _, other = await subscribed(site, "$share/g/a", 1, "other")
    sender = await site.log_in(site.add_device("sender"))
    with site.writer_held():
        for number in range(4):
            sender.publish("a", b"%d" % number, 1)
        await sender.quiet()
        await site.log_out(pump, client)
    taken = {(await other.take()).payload for _ in range(4)}
    assert taken == {b"0", b"1", b"2", b"3"}
    await (await back(site)).quiet()


async def test_a_session_that_ended_is_owed_nothing(site: Site) -> None:
    pump, client = await subscribed(site)
    session = site.hub.sessions.of_device(pump.key)
    assert session is not None
    await client.disconnect(properties={"session_expiry_interval": 0})
    site.hub.outbound._hand_late(session, _copy(b"x"), 0.0, "")
    assert set((await rows(site)).values()) == {0}


def _copy(payload: bytes) -> Copy:
    return Copy(Publish("a", payload, 1))
