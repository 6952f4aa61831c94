"""What ends a connection after CONNACK, and how."""

import pytest

from bridge.mqtt import Auth, Connect, Disconnect, Packet, Properties, Puback, Publish, Version
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt

BOTH = pytest.mark.parametrize("version", [Version.V311, Version.V5], ids=lambda version: version.name)

FORBIDDEN: dict[str, tuple[Packet, int]] = {
    "connect again": (Connect(Version.V5, "pump-1"), 0x82),
    "auth": (Auth(0x18, {"authentication_method": "SCRAM"}), 0x82),
    "topic alias above ours": (Publish("a", properties={"topic_alias": 17}), 0x94),
    "topic alias without a topic": (Publish("", properties={"topic_alias": 1}), 0x82),
}


@pytest.mark.parametrize("case", FORBIDDEN)
async def test_not_allowed_in_version_5(site: Site, case: str) -> None:
    client = await site.log_in(site.add_device())
    packet, reason = FORBIDDEN[case]
    client.send(packet, Publish("a", b"behind it"))
    assert await client.ended() == reason


@pytest.mark.parametrize("version", [Version.V31, Version.V311])
async def test_connect_twice_in_older_versions(site: Site, version: Version) -> None:
    client = await site.log_in(site.add_device(), version)
    client.send(Connect(version, "pump-1"))
    assert await client.ended() is None


@BOTH
async def test_malformed(site: Site, version: Version) -> None:
    client = await site.log_in(site.add_device(), version)
    client.send_bytes(b"\x30\x01\x00")
    assert await client.ended() == (0x81 if version is Version.V5 else None)


@BOTH
async def test_too_large(new_site: NewSite, version: Version) -> None:
    site = await new_site(mqtt(max_packet_size=1024))
    client = await site.log_in(site.add_device(), version)
    client.publish("a", b"x" * 1000)
    await client.quiet()
    client.publish("a", b"x" * 1024)
    assert await client.ended() == (0x95 if version is Version.V5 else None)


async def test_from_server_only(site: Site) -> None:
    client = await site.log_in(site.add_device())
    client.send_bytes(b"\xd0\x00")
    assert await client.ended() in (0x81, 0x82)


async def test_what_comes_behind_a_disconnect_is_not_read(site: Site) -> None:
    watcher = await site.log_in(site.add_device("watcher"))
    await watcher.subscribe("a")
    client = await site.log_in(site.add_device())
    client.send(Publish("a", b"before"), Disconnect(), Publish("a", b"behind"))
    assert await client.ended() is None
    assert (await watcher.receive(Publish)).payload == b"before"
    await watcher.quiet()


async def test_malformed_behind_a_disconnect(site: Site) -> None:
    client = await site.log_in(site.add_device())
    client.send_bytes(b"\xe0\x00\xff\xff")
    assert await client.ended() is None


async def test_packets_in_pieces(site: Site) -> None:
    client = await site.log_in(site.add_device())
    await client.subscribe("a", 0)
    for byte in b"\x30\x05\x00\x01a\x00x":
        client.send_bytes(bytes((byte,)))
        await site.let_pass(0)
    assert (await client.receive(Publish)).payload == b"x"


async def test_larger_than_the_receiver_takes(site: Site) -> None:
    """It is not sent, which counts as delivered [MQTT-3.1.2-25]; what fits follows."""
    sender = await site.log_in(site.add_device("sender"))
    properties: Properties = {"maximum_packet_size": 100, "session_expiry_interval": 100}
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, properties=properties)
    await client.subscribe("a", 1)
    for size in (200, 10):
        for qos in (0, 1):
            sender.publish("a", b"x" * size, qos)
            if qos:
                assert (await sender.receive(Puback)).reason_code == 0
    assert [len((await client.take()).payload) for _ in range(2)] == [10, 10]
    await client.quiet()
    await client.disconnect()
    for size in (200, 10):
        sender.publish("a", b"x" * size, 1)
        await sender.receive(Puback)
    client = await site.log_in(pump, clean=False, properties=properties)
    assert len((await client.take()).payload) == 10
    await client.quiet()


async def test_exactly_as_large_as_the_receiver_takes(site: Site) -> None:
    sender = await site.log_in(site.add_device("sender"))
    client = await site.log_in(site.add_device(), properties={"maximum_packet_size": 100})
    await client.subscribe("a", 0)
    overhead = len(b"\x30\x60\x00\x01a\x00")
    for size in (101, 100, 99):
        sender.publish("a", b"x" * (size - overhead))
    assert [len((await client.receive(Publish)).payload) + overhead for _ in range(2)] == [100, 99]
