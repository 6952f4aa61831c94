"""Neither side drowns the other: windows, clients that do not read, and what that costs the others."""

import asyncio
from typing import Any, cast

import pytest

from bridge.broker.link import Link
from bridge.model.device import Device
from bridge.mqtt import Disconnect, Properties, Puback, Publish, Version
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt

KEPT: Properties = {"session_expiry_interval": 1000}
BIG = b"x" * 100_000
WINDOWS = pytest.mark.parametrize("window", [1, 2, 3, 4, 5])


def line_of(site: Site, device: Device) -> Link:
    session = site.hub.sessions.of_device(device.key)
    assert session is not None
    assert isinstance(session.line, Link)
    return session.line


def unwritten(line: Link) -> int:
    """Bytes that the broker holds because the client does not take them."""
    assert line._transport is not None
    return line._transport.get_write_buffer_size()


async def publish_all(sender: RawClient, payloads: list[bytes], qos: int = 1) -> None:
    for payload in payloads:
        sender.publish("a", payload, qos)
        if qos:
            await sender.receive(Puback)
    await sender.quiet()


# Windows


@WINDOWS
@pytest.mark.parametrize("qos", [1, 2])
async def test_the_window_of_the_client(site: Site, window: int, qos: int) -> None:
    sender = await site.log_in(site.add_device("sender"))
    client = await site.log_in(site.add_device(), properties={"receive_maximum": window})
    await client.subscribe("a", qos)
    await publish_all(sender, [str(number).encode() for number in range(12)])
    first = [await client.receive(Publish) for _ in range(window)]
    await client.quiet()
    payloads = [publish.payload for publish in first]
    for publish in first:
        await client.acknowledge(publish)
    payloads += [(await client.take()).payload for _ in range(12 - window)]
    assert [int(payload) for payload in payloads] == list(range(12))
    await client.quiet()


async def test_our_own_window(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=3))
    sender = await site.log_in(site.add_device("sender"))
    client = await site.log_in(site.add_device(), Version.V311)
    await client.subscribe("a")
    await publish_all(sender, [b"x"] * 5)
    for _ in range(3):
        await client.receive(Publish)
    await client.quiet()


@WINDOWS
async def test_a_backlog_and_messages_between_clients_share_the_window(new_site: NewSite, window: int) -> None:
    """Both arrive in full, each in its order, whatever the window."""
    site = await new_site(mqtt(max_inflight=window))
    sender = await site.log_in(site.add_device("sender"))
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.subscribe("a")
    await client.disconnect()
    for _ in range(15):
        await site.submit(pump)
    await publish_all(sender, [str(number).encode() for number in range(15)])

    client = await site.log_in(pump, clean=False, properties=KEPT)
    received = [await client.take() for _ in range(30)]
    await client.quiet()
    assert [int(p.payload) for p in received if p.topic == "a"] == list(range(15))
    assert sum(p.topic != "a" for p in received) == 15


async def test_gone_with_the_acknowledgement_that_made_room(new_site: NewSite) -> None:
    """What was to follow follows on the next connection."""
    site = await new_site(mqtt(max_inflight=1))
    sender = await site.log_in(site.add_device("sender"))
    pump = site.add_device()
    for _ in range(2):
        await site.submit(pump)
    client = await site.log_in(pump, clean=False, properties=KEPT)
    publish = await client.receive(Publish)
    await client.subscribe("a")
    await publish_all(sender, [b"x"])
    client.send(Puback(publish.packet_id), Disconnect())
    assert await client.ended() is None
    client = await site.log_in(pump, clean=False, properties=KEPT)
    assert {(await client.take()).topic for _ in range(2)} == {"a", publish.topic}
    await client.quiet()


@WINDOWS
async def test_a_stream_between_clients_does_not_keep_a_backlog_waiting(new_site: NewSite, window: int) -> None:
    """As long as the stream lasts, both move."""
    site = await new_site(mqtt(max_inflight=window))
    sender = await site.log_in(site.add_device("sender"))
    pump = site.add_device()
    client = await site.log_in(pump, properties=KEPT)
    await client.subscribe("a")
    await publish_all(sender, [b"x"] * (window + 5))
    for _ in range(5):
        await site.submit(pump)
    downlinks = 0
    for _ in range(60):
        publish = await client.receive(Publish)
        downlinks += publish.topic != "a"
        if publish.topic == "a":
            await publish_all(sender, [b"x"])
        await client.acknowledge(publish)
        if downlinks == 5:
            return
    pytest.fail(f"{downlinks} of 5 downlinks came among 60 messages")


# Clients that do not read


async def test_others_are_not_affected(site: Site) -> None:
    """The broker holds one batch of what the client does not take, drops QoS 0, queues a bounded rest."""
    sender = await site.log_in(site.add_device("sender"))
    stuck, reader = site.add_device("stuck"), site.add_device("reader")
    clients = [await site.log_in(device) for device in (stuck, reader)]
    for client in clients:
        await client.subscribe("a", 1)
    clients[0].transport.pause_reading()
    numbers = []
    for _ in range(100):
        await publish_all(sender, [BIG], 0)
        numbers.append(len((await clients[1].receive(Publish)).payload))
    assert numbers == [len(BIG)] * 100
    for _ in range(100):
        await publish_all(sender, [BIG], 1)
        await clients[1].take()

    line = line_of(site, stuck)
    session = site.hub.sessions.of_device(stuck.key)
    assert session is not None
    assert line.congested
    assert not line._chunks
    assert unwritten(line) < 1_000_000
    assert session.queued_bytes <= site.hub.settings.max_queued_bytes
    assert 10 == len(session.queue) < session.dropped

    clients[0].transport.resume_reading()
    received = 0
    while session.queue or session.flights:
        publish = await clients[0].receive(Publish)
        received += publish.qos
        await clients[0].acknowledge(publish)
        await sender.quiet()  # the broker has handled the acknowledgement
    assert received == 10
    assert not line.congested


async def test_a_client_that_does_not_read_is_not_read(site: Site) -> None:
    """Else its own acknowledgements would pile up."""
    pump = site.add_device()
    client = await site.log_in(pump)
    await client.subscribe("a", 0)
    client.transport.pause_reading()
    line = line_of(site, pump)
    while not line.congested:
        client.publish("a", BIG)
        await site.let_pass(0)
    before = unwritten(line)
    for _ in range(500):
        client.publish("a", BIG)
    for _ in range(1000):
        await site.let_pass(0)
    assert unwritten(line) == before
    assert client.transport.get_write_buffer_size() > 10_000_000
    client.transport.resume_reading()
    for _ in range(500):
        assert (await client.receive(Publish)).payload == BIG


async def test_a_backlog_goes_on_when_the_client_reads_again(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_inflight=4, downlink_qos=0))
    pump = site.add_device()
    client = await site.log_in(pump)
    client.transport.pause_reading()
    messages = [await site.submit(pump, content=f'"{"x" * 200_000}"') for _ in range(40)]
    assert line_of(site, pump).congested
    assert site.hub.room(pump.key) == 0
    client.transport.resume_reading()
    for _ in messages:
        await client.receive(Publish)
    await client.quiet()


async def stuck(site: Site, device: Device) -> tuple[RawClient, Link]:
    """A client that does not read, and has been sent more than fits."""
    client = await site.log_in(device)
    await client.subscribe("a", 0)
    client.transport.pause_reading()
    line = line_of(site, device)
    while not line.congested:
        site.hub.router.route("default", Publish("a", BIG))
        await site.let_pass(0)
    return client, line


async def test_a_client_that_does_not_take_its_last_bytes_is_cut_off(site: Site) -> None:
    pump = site.add_device()
    _, line = await stuck(site, pump)
    await site.let_pass(8)  # at 10 s the wheel looks whether a CONNECT came
    site.store.set_frozen("default", "pump-1", frozen=True)
    assert line.closing
    assert line in site.hub._lines
    await site.let_pass(4)
    assert line in site.hub._lines
    await site.let_pass(2)
    await site.let_pass(0)
    assert line not in site.hub._lines


async def test_a_client_that_takes_its_last_bytes_late_gets_all_of_them(site: Site) -> None:
    pump = site.add_device()
    client, line = await stuck(site, pump)
    site.store.set_frozen("default", "pump-1", frozen=True)
    assert line.congested
    client.transport.resume_reading()
    while isinstance(packet := await client._next(), Publish):
        assert packet.payload == BIG
    assert isinstance(packet, Disconnect)
    assert packet.reason_code == 0x98
    assert await client.ended() is None


async def test_whoever_takes_its_last_bytes_is_not_looked_at_again(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    site.store.set_frozen("default", "pump-1", frozen=True)
    assert await client.ended() == 0x98
    await site.let_pass(10)
    assert not site.hub._lines


async def test_nothing_is_sent_to_whoever_is_being_closed(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    line = line_of(site, pump)
    line.refuse(0x98, "enough")  # type: ignore[arg-type]
    line.write(b"\xd0\x00")
    line.hang_up()
    line.pause_reading()
    line.resume_reading()
    assert await client.ended() == 0x98
    line.flush()


def large(number: int) -> bytes:
    return b"%03d" % number + BIG


@pytest.mark.parametrize("qos", [1, 2])
async def test_more_in_a_turn_than_is_collected(site: Site, qos: int) -> None:
    """What goes beyond waits until the first part is written; it is neither lost nor held for ever."""
    pump = site.add_device()
    client = await site.log_in(pump)
    await client.subscribe("a", qos)
    line = line_of(site, pump)
    for number in range(8):
        site.hub.router.route("default", Publish("a", large(number), qos))
    assert line.congested
    assert sum(map(len, line._chunks)) < 400_000
    assert [int((await client.take()).payload[:3]) for _ in range(8)] == list(range(8))
    await client.quiet()
    assert not line.congested


async def test_a_backlog_of_large_messages(site: Site) -> None:
    pump = site.add_device()
    content = f'"{"x" * 100_000}"'
    messages = [await site.submit(pump, content=content) for _ in range(12)]
    client = await site.log_in(pump)
    for message in messages:
        assert message.draft.message_id.encode() in (await client.take()).payload
    await client.quiet()


async def test_nothing_comes_behind_a_disconnect(site: Site) -> None:
    """Also when more was waiting than was collected in the turn in which it is sent [MQTT-3.14.4-1]."""
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await client.subscribe("a")
    for number in range(20):
        site.hub.router.route("default", Publish("a", large(number), 1))
    site.store.set_frozen("default", "pump-1", frozen=True)
    received = []
    while isinstance(packet := await client._next(), Publish):
        received.append(int(packet.payload[:3]))
    assert isinstance(packet, Disconnect)
    assert packet.reason_code == 0x98
    assert await client.ended() is None
    assert received == list(range(len(received)))

    site.store.set_frozen("default", "pump-1", frozen=False)
    client = await site.log_in(pump, clean=False, properties=KEPT)
    again = [await client.take() for _ in range(20 - site.hub.sessions._sessions["default", "pump-1"].dropped)]
    assert [publish.dup for publish in again] == [True] * len(received) + [False] * (len(again) - len(received))
    await client.quiet()


async def test_one_write_a_turn(site: Site) -> None:
    """However many packets there are for a client: what the loop collects is written at once."""
    sender = await site.log_in(site.add_device("sender"))
    pump = site.add_device()
    client = await site.log_in(pump)
    await client.subscribe("a", 0)
    line = line_of(site, pump)
    assert line._transport is not None
    counted = Counted(line._transport)
    line._transport = cast("asyncio.Transport", counted)
    sender.send(*(Publish("a", b"x") for _ in range(100)))
    for _ in range(100):
        await client.receive(Publish)
    assert counted.writes == 1


class Counted:
    """A transport that counts how often it is written to."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self.writes += 1
        self._transport.write(data)
