"""The seam to delivery: what becomes of a Downlink that is handed down."""

import pytest

from bridge.broker.base import Downlink, Handed
from bridge.model.message import AcknowledgedBy
from bridge.model.topics import user_topic
from bridge.mqtt import Properties, Puback, Publish, Pubrec, Pubrel, Version
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt

DOWN = "$oc/devices/pump-1/sys/messages/down"


def downlink(site: Site, seq: int = 1, topic: str = DOWN, payload: bytes = b"x", packet_id: int = 0) -> Downlink:
    return Downlink(seq, topic, payload, Properties(), site.clock() + 60_000, packet_id)


async def test_offline(site: Site) -> None:
    pump = site.add_device()
    assert site.hub.send(pump.key, downlink(site)) is Handed.OFFLINE
    assert site.hub.room(pump.key) == 0
    client = await site.log_in(pump, Version.V311, clean=False)
    await site.log_out(pump, client)
    assert site.hub.send(pump.key, downlink(site)) is Handed.OFFLINE
    assert site.hub.room(pump.key) == 0


@pytest.mark.parametrize("qos", [1, 2])
async def test_sent_and_acknowledged(new_site: NewSite, qos: int) -> None:
    site = await new_site(mqtt(downlink_qos=qos))
    pump = site.add_device()
    client = await site.log_in(pump)
    link = downlink(site, 7)
    assert site.hub.send(pump.key, link) is Handed.SENT
    publish = await client.take()
    assert publish == Publish(DOWN, b"x", qos, packet_id=link.packet_id, properties={"message_expiry_interval": 60})
    await client.quiet()
    assert await site.heard.wait("acknowledged") == (
        "acknowledged", pump.key, 7, AcknowledgedBy.DEVICE, 0, None
    )  # fmt: skip
    assert not [event for event in site.heard.events if event[0] == "acknowledged"]


async def test_received_twice_is_reported_once(new_site: NewSite) -> None:
    site = await new_site(mqtt(downlink_qos=2))
    pump = site.add_device()
    client = await site.log_in(pump)
    site.hub.send(pump.key, downlink(site, 7))
    packet_id = (await client.receive(Publish)).packet_id
    for code in (0, 0, 0x80):
        client.send(Pubrec(packet_id, code))
        if not code:
            await client.receive(Pubrel)
    await client.quiet()
    assert [event[4] for event in site.heard.events if event[0] == "acknowledged"] == [0]


async def test_written_at_qos_0(new_site: NewSite) -> None:
    """Reported when the bytes are handed to the operating system, not before."""
    site = await new_site(mqtt(downlink_qos=0))
    pump = site.add_device()
    client = await site.log_in(pump)
    for seq in (7, 8):
        assert site.hub.send(pump.key, downlink(site, seq)) is Handed.SENT
    assert not [event for event in site.heard.events if event[0] == "acknowledged"]
    for _ in range(2):
        await client.receive(Publish)
    sent = [await site.heard.wait("acknowledged", pump.key) for _ in range(2)]
    assert [(event[2], event[3]) for event in sent] == [(7, AcknowledgedBy.SENT), (8, AcknowledgedBy.SENT)]


async def test_not_written_at_qos_0(new_site: NewSite) -> None:
    """The connection is lost in the same turn: nobody claims that it was written."""
    site = await new_site(mqtt(downlink_qos=0))
    pump = site.add_device()
    client = await site.log_in(pump)
    session = site.hub.sessions.of_device(pump.key)
    assert session is not None
    line = session.line
    assert line is not None
    client.abort()
    site.hub.send(pump.key, downlink(site, 7))
    line.connection_lost(None)  # type: ignore[attr-defined]
    await site.heard.wait("disconnected")
    assert not [event for event in site.heard.events if event[0] == "acknowledged"]


async def test_not_subscribed(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    topic = user_topic("pump-1", "news")
    assert site.hub.send(pump.key, downlink(site, 1, topic)) is Handed.NOT_SUBSCRIBED
    await client.subscribe("$oc/devices/pump-1/user/+", 2)
    await site.heard.wait("subscribed", pump.key)
    assert site.hub.send(pump.key, downlink(site, 1, topic)) is Handed.SENT
    assert (await client.take()).qos == 2


@pytest.mark.parametrize(
    ("subscriptions", "qos"),
    [
        ([], 1),
        ([(DOWN, 0)], 0),
        ([(DOWN, 0), ("$oc/devices/pump-1/#", 2)], 2),
        ([("a", 2)], 1),
        ([(DOWN, 2), ("a", 0)], 2),
    ],
)
async def test_at_the_quality_the_client_asked_for(site: Site, subscriptions: list[tuple[str, int]], qos: int) -> None:
    """Or, where it did not ask, at ours."""
    pump = site.add_device()
    client = await site.log_in(pump)
    for topic_filter, asked in subscriptions:
        await client.subscribe(topic_filter, asked)
    site.hub.send(pump.key, downlink(site))
    assert (await client.take()).qos == qos


async def test_a_refused_subscription_is_not_reported(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    assert await client.subscribe("$oc/devices/pump-2/user/a") == 0x87
    assert "subscribed" not in [event[0] for event in site.heard.events]


async def test_busy_and_writable(new_site: NewSite) -> None:
    """After BUSY, or no room, there comes a report when half of the window is free; else there is none."""
    site = await new_site(mqtt(max_inflight=4))
    pump = site.add_device()
    client = await site.log_in(pump)
    assert site.hub.room(pump.key) == 4
    for seq in range(1, 5):
        assert site.hub.send(pump.key, downlink(site, seq)) is Handed.SENT
    assert site.hub.room(pump.key) == 0
    assert site.hub.send(pump.key, downlink(site, 5)) is Handed.BUSY
    for _ in range(4):
        await client.take()
    await client.quiet()
    assert [event[0] for event in site.heard.events if event[0] != "acknowledged"] == ["connected", "writable"]
    assert site.hub.room(pump.key) == 4


async def test_too_large(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, properties={"maximum_packet_size": 100})
    assert site.hub.send(pump.key, downlink(site, payload=b"x" * 100)) is Handed.TOO_LARGE
    assert site.hub.room(pump.key) == 64
    assert site.hub.send(pump.key, downlink(site)) is Handed.SENT
    await client.take()


async def test_unsendable(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    await client.subscribe("a/#")
    assert site.hub.send(pump.key, downlink(site, topic="a/+")) is Handed.UNSENDABLE
    await client.quiet()


async def test_the_same_identifier_if_it_is_free(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    again, meanwhile = downlink(site, 1, packet_id=500), downlink(site, 2, packet_id=500)
    for link in (again, meanwhile):
        assert site.hub.send(pump.key, link) is Handed.SENT
    first, second = await client.receive(Publish), await client.receive(Publish)
    assert (first.dup, first.packet_id) == (True, 500)
    assert (second.dup, second.packet_id) == (True, meanwhile.packet_id)
    assert second.packet_id != 500


async def test_identifiers_in_use_are_passed_over(site: Site) -> None:
    """[MQTT-2.2.1-4], also when they begin again."""
    pump = site.add_device()
    client = await site.log_in(pump)
    session = site.hub.sessions.of_device(pump.key)
    assert session is not None
    session.packet_id = 0xFFFD
    site.hub.send(pump.key, downlink(site, 1, packet_id=1))
    for seq in (2, 3, 4):
        site.hub.send(pump.key, downlink(site, seq))
    assert [(await client.receive(Publish)).packet_id for _ in range(4)] == [1, 0xFFFE, 0xFFFF, 2]


@pytest.mark.parametrize("qos", [1, 2])
async def test_refused_by_the_device(new_site: NewSite, qos: int) -> None:
    site = await new_site(mqtt(downlink_qos=qos))
    pump = site.add_device()
    client = await site.log_in(pump)
    site.hub.send(pump.key, downlink(site, 7))
    packet_id = (await client.receive(Publish)).packet_id
    client.send((Puback if qos == 1 else Pubrec)(packet_id, 0x97, {"reason_string": "full"}))
    assert await site.heard.wait("acknowledged", pump.key, 7) == (
        "acknowledged", pump.key, 7, AcknowledgedBy.DEVICE, 0x97, "full"
    )  # fmt: skip
    assert site.hub.room(pump.key) == 64


@pytest.mark.parametrize("left", [0, 1, 999, -5000])
async def test_at_least_a_second_is_left(site: Site, left: int) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    link = downlink(site)
    link.expires_at = site.clock() + left
    site.hub.send(pump.key, link)
    assert (await client.take()).properties == {"message_expiry_interval": 1}


async def test_older_clients_get_no_properties(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311)
    link = downlink(site)
    link.properties = {"user_properties": [("a", "b")]}
    site.hub.send(pump.key, link)
    assert await client.take() == Publish(DOWN, b"x", 1, packet_id=1)


async def test_a_downlink_is_not_kept_in_the_session(new_site: NewSite) -> None:
    """The store is the queue; only what the device has received (PUBREC) is to be completed."""
    site = await new_site(mqtt(downlink_qos=2))
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311, clean=False)
    for message_id in ("first", "second"):
        await site.submit(pump, message_id)
    first = await client.receive(Publish)
    await client.receive(Publish)
    client.send(Pubrec(first.packet_id))
    await client.receive(Pubrel)
    await site.log_out(pump, client)
    await site.delivery.cancel("default", "pump-1", "second")
    client = await site.log_in(pump, Version.V311, clean=False)
    assert await client.receive(Pubrel) == Pubrel(first.packet_id)
    await client.quiet()
    assert site.hub.room(pump.key) == 63


async def test_a_message_of_an_admin_is_acknowledged_to_nobody(site: Site) -> None:
    """Clients that are no devices have no part in delivery."""
    token = site.store.add_token("ops", None, frozenset(("admin",)))
    console = await site.client()
    await console.connect("console", "default", token)
    await console.subscribe("#")
    console.publish("a", b"x", 1)
    publish = await console.receive(Publish)
    await console.receive(Puback)
    await console.acknowledge(publish)
    await console.quiet()
    assert site.heard.events == []
