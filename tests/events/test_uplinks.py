"""What devices report is durable before it is acknowledged."""

import asyncio
import logging
from typing import Any

import pytest

from bridge.broker import inbound, link
from bridge.events import uplinks
from bridge.inbox import InboxSettings
from bridge.model.device import Device
from bridge.model.event import MESSAGE_REPORT
from bridge.model.record import Enrolment, Profile
from bridge.mqtt import Puback, Pubcomp, Publish, Pubrec, Pubrel, Version
from tests.broker.client import RawClient
from tests.broker.site import SECRET
from tests.broker.times import turn
from tests.events.conftest import NewSite
from tests.events.event_site import EventSite
from tests.standard.proves import proves

CHANNEL = MESSAGE_REPORT
UP = "$oc/devices/pump-1/sys/messages/up"
QUOTA, REFUSED = 0x97, 0x83


def code(answer: Puback | Pubrec, packet_id: int) -> int:
    """What the message with this packet identifier is answered with."""
    assert answer.packet_id == packet_id
    return answer.reason_code


@pytest.fixture
async def pump(site: EventSite) -> Device:
    await site.subscribe(CHANNEL)
    return site.add_device()


async def reports(site: EventSite) -> list[tuple[str, str, str]]:
    events = [event["notify_data"] for event in await site.told(CHANNEL)]
    return [(event["header"]["device_id"], event["body"]["topic"], event["body"]["content"]) for event in events]


async def contents(site: EventSite) -> list[str]:
    return [content for _, _, content in await reports(site)]


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_reported(site: EventSite, pump: Device, version: Version, qos: int) -> None:
    client = await site.log_in(pump, version)
    topics = [UP, *(f"$oc/devices/pump-1/{rest}" for rest in ("user/a/b", "sys/properties/report", "sys/events/up"))]
    for number, topic in enumerate(topics):
        packet_id = client.publish(topic, f"{number}".encode(), qos)
        if qos == 1:
            assert await client.receive(Puback) == Puback(packet_id)
        elif qos == 2:
            assert await client.receive(Pubrec) == Pubrec(packet_id)
            client.send(Pubrel(packet_id))
            assert await client.receive(Pubcomp) == Pubcomp(packet_id)
    await client.quiet()
    assert await reports(site) == [("pump-1", topic, str(number)) for number, topic in enumerate(topics)]


@pytest.mark.parametrize(
    "topic",
    [
        "$oc/devices/pump-1/sys/commands/response/request_id=1",
        "$oc/devices/pump-1/sys/messages/up/x",
        "$oc/devices/pump-1/user",
        "$oc/devices/pump-1/",
        "a/user/b",
    ],
)
async def test_other_topics(site: EventSite, pump: Device, topic: str) -> None:
    client = await site.log_in(pump)
    client.publish(topic, b"x", 1)
    assert (await client.receive(Puback)).reason_code in (0, 0x10)
    assert await reports(site) == []


async def test_nobody_wants_to_know(site: EventSite, pump: Device) -> None:
    other = site.add_device("pump-2", "elsewhere")
    client = await site.log_in(other)
    with site.writer_held():
        client.publish("$oc/devices/pump-2/user/x", b"x", 1)
        assert (await client.receive(Puback)).reason_code == 0


async def test_acknowledged_after_the_commit_and_in_order(site: EventSite, pump: Device) -> None:
    client = await site.log_in(pump)
    with site.writer_held():
        first, second = client.publish(UP, b"1", 1), client.publish(UP, b"2", 2)
        client.publish(UP, b"3", 0)
        third = client.publish("plain/topic", b"4", 1)  # nobody keeps it, and yet it has to wait
        assert await client.before_pong() == []
    assert await client.receive(Puback) == Puback(first)
    assert await client.receive(Pubrec) == Pubrec(second)
    assert await client.receive(Puback) == Puback(third, 0x10)
    assert await contents(site) == ["1", "2", "3"]


async def test_sent_again_while_it_is_not_durable(site: EventSite, pump: Device) -> None:
    """QoS 2: kept once, and acknowledged once it is."""
    client = await site.log_in(pump, Version.V311)
    with site.writer_held():
        again = Publish(UP, b"1", 2, packet_id=client.publish(UP, b"1", 2), dup=True)
        client.send(again)
        assert await client.before_pong() == []
    assert await client.receive(Pubrec) == Pubrec(again.packet_id)
    client.send(again)
    assert await client.receive(Pubrec) == Pubrec(again.packet_id)
    assert await contents(site) == ["1"]


async def test_sent_again_on_another_connection_while_it_is_not_durable(site: EventSite, pump: Device) -> None:
    kept: dict[str, Any] = {"clean": False, "properties": {"session_expiry_interval": 60}}
    client = await site.log_in(pump, **kept)
    with site.writer_held():
        again = Publish(UP, b"1", 2, packet_id=client.publish(UP, b"1", 2), dup=True)
        assert await client.before_pong() == []
        await site.log_out(pump, client)
        client = await site.log_in(pump, **kept)
        client.send(again)
        assert await client.ended() == 0x89
    await site.store.flush()
    client = await site.log_in(pump, **kept)
    client.send(again)
    assert await client.receive(Pubrec) == Pubrec(again.packet_id)
    assert await contents(site) == ["1"]


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_not_stored(site: EventSite, pump: Device, qos: int, caplog: pytest.LogCaptureFixture) -> None:
    client = await site.log_in(pump)
    with caplog.at_level(logging.CRITICAL, "bridge"):
        async with site.writes_refused():
            packet_id = client.publish(UP, b"1", qos)
            await client.quiet() if qos == 0 else None
            if qos == 1:
                assert code(await client.receive(Puback), packet_id) == REFUSED
            elif qos == 2:
                assert code(await client.receive(Pubrec), packet_id) == REFUSED
            await site.store.flush()
    if qos == 2:
        client.send(Publish(UP, b"2", 2, packet_id=packet_id))
        assert await client.receive(Pubrec) == Pubrec(packet_id)
        assert await contents(site) == ["2"]


@pytest.mark.slow
@proves("MQTT3-4.8.0-2")
@pytest.mark.parametrize("version", [Version.V31, Version.V311])
@pytest.mark.parametrize("qos", [1, 2])
async def test_an_older_device_is_not_told_that_it_was_stored(
    site: EventSite, pump: Device, version: Version, qos: int, caplog: pytest.LogCaptureFixture
) -> None:
    client = await site.log_in(pump, version, clean=False)
    again = Publish(UP, b"1", qos, packet_id=1, dup=True)
    with caplog.at_level(logging.CRITICAL, "bridge"):
        async with site.writes_refused():
            client.send(Publish(UP, b"1", qos, packet_id=1), Publish(UP, b"2", qos, packet_id=2))
            assert await client.ended() is None
    await site.store.flush()
    client = await site.log_in(pump, version, clean=False)
    client.send(again)
    if qos == 1:
        assert await client.receive(Puback) == Puback(1)
    else:
        assert await client.receive(Pubrec) == Pubrec(1)
    assert await contents(site) == ["1"]


async def test_one_device_cannot_make_us_hold_everything(
    site: EventSite, pump: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not read any more until the disk has caught up; then everything comes."""
    monkeypatch.setattr(inbound, "_MOST_HELD", 100_000)
    client = await site.log_in(pump)
    count, size = 400, 50_000
    with site.writer_held():
        for _ in range(count):
            client.publish(UP, b"x" * size, 1)
        session = site.hub.sessions.of_device(pump.key)
        assert session is not None
        assert isinstance(session.line, link.Link)
        while not session.line._holds:
            await turn()
        for _ in range(100):
            await turn()
        assert site.events.uplinks._held < count * size / 2
    for _ in range(count):
        assert (await client.receive(Puback)).reason_code == 0
    await client.quiet()


async def test_all_devices_together_cannot_either(
    site: EventSite, pump: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplinks, "MOST_HELD", 3000)
    other = site.add_device("pump-2")
    clients = [await site.log_in(pump), await site.log_in(other), await site.log_in(site.add_device("p"), Version.V311)]
    with site.writer_held():
        for device_id in ("pump-1", "pump-2"):
            client = clients[device_id == "pump-2"]
            client.publish(f"$oc/devices/{device_id}/user/x", b"x" * 400, 1)
            await client.quiet()
        packet_id = clients[1].publish("$oc/devices/pump-2/user/x", b"x" * 400, 2)
        clients[2].publish("$oc/devices/p/user/x", b"x" * 400, 1)
        assert await clients[2].ended() is None
    assert (await clients[0].receive(Puback)).reason_code == 0
    assert (await clients[1].receive(Puback)).reason_code == 0
    assert code(await clients[1].receive(Pubrec), packet_id) == QUOTA
    assert len(await reports(site)) == 2
    assert site.events.uplinks._held == 0


async def test_gone_before_the_commit(site: EventSite, pump: Device) -> None:
    client = await site.log_in(pump)
    with site.writer_held():
        client.publish(UP, b"1", 1)
        assert await client.before_pong() == []
        await site.log_out(pump, client)
    assert await contents(site) == ["1"]


# Gateways


@pytest.fixture
async def hub(site: EventSite) -> RawClient:
    await site.subscribe(CHANNEL)
    site.store.enrol("default", Enrolment("hub", Profile("hub"), secret=SECRET))
    site.store.enrol("default", Enrolment("near", Profile("n-1"), gateway_id="hub"))
    site.add_device("stranger")
    gateway = site.store.device("default", "hub")
    assert gateway is not None
    return await site.log_in(gateway)


@pytest.mark.parametrize(
    ("topic", "payload", "speaker"),
    [
        ("$oc/devices/near/sys/messages/up", b"x", "near"),
        ("$oc/devices/near/user/x", b"x", "near"),
        ("$oc/devices/hub/user/x", b'{"object_device_id":"near"}', "hub"),
        ("$oc/devices/hub/sys/messages/up", b'{"object_device_id":"near","content":"x"}', "near"),
        ("$oc/devices/hub/sys/messages/up", b'{"object_device_id":"stranger"}', "hub"),
        ("$oc/devices/hub/sys/messages/up", b'{"object_device_id":"nobody"}', "hub"),
        ("$oc/devices/hub/sys/messages/up", b'{"object_device_id":7}', "hub"),
        ("$oc/devices/hub/sys/messages/up", b'["object_device_id"]', "hub"),
        ("$oc/devices/hub/sys/messages/up", b'{"object_device_id"', "hub"),
        ("$oc/devices/hub/sys/messages/up", b'["object_device_id",' + b"[" * 200_000, "hub"),
        ("$oc/devices/hub/sys/messages/up", b'"object_device_id" \xff', "hub"),
    ],
)
async def test_whose_message_it_is(site: EventSite, hub: RawClient, topic: str, payload: bytes, speaker: str) -> None:
    hub.publish(topic, payload, 1)
    assert (await hub.receive(Puback)).reason_code == 0
    [(device_id, told_topic, _)] = await reports(site)
    assert (device_id, told_topic) == (speaker, topic)


async def test_devices_that_cannot_be_read(site: EventSite, hub: RawClient) -> None:
    site.store._devices.clear()
    async with site.unreadable("device"):
        hub.publish("$oc/devices/hub/sys/messages/up", b'{"object_device_id":"near"}', 1)
        assert (await hub.receive(Puback)).reason_code == REFUSED


async def test_event_and_notification_are_one_write(entering_site: EventSite) -> None:
    site = entering_site
    await site.subscribe(CHANNEL)
    client = await site.log_in(site.add_device())
    await site.settled()
    async with site.unreadable("notification"):
        packet_id = client.publish(UP, b"lost", 1)
        assert code(await client.receive(Puback), packet_id) == REFUSED
        assert await contents(site) == []
    packet_id = client.publish(UP, b"kept", 1)
    assert await client.receive(Puback) == Puback(packet_id)
    assert await contents(site) == ["kept"]
    assert site.notified() == ["Device pump-1 is online.", "Device pump-1 reported on sys/messages/up: kept"]


async def test_only_the_inbox_wants_it(entering_site: EventSite) -> None:
    site = entering_site
    hub = site.add_device("hub")
    site.store.enrol("default", Enrolment("near", Profile("near"), secret=SECRET, gateway_id="hub"))
    client = await site.log_in(hub)
    await site.settled()
    client.publish("$oc/devices/hub/sys/messages/up", b'{"object_device_id":"near","content":"hot"}')
    client.publish("$oc/devices/near/user/a", b"warm")
    client.publish("$oc/devices/hub/sys/commands/response/request_id=1", b"no report")
    await client.quiet()
    async with asyncio.timeout(30):
        while len(site.notified()) < 4:
            await site.store.flush()
    assert site.notified()[-2:] == [
        'Device near reported on sys/messages/up: {"object_device_id":"near","content":"hot"}',
        "Device near reported on user/a: warm",
    ]


async def test_the_inbox_does_not_want_it(new_site: NewSite) -> None:
    site = await new_site(inbox=InboxSettings(report=False))
    client = await site.log_in(site.add_device())
    client.publish(UP, b"quiet", 0)
    await client.quiet()
    await site.settled()
    assert site.notified() == ["Device pump-1 is online."]
