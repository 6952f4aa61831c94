"""Starting and stopping."""

import socket

import pytest

from bridge.mqtt import Connack, Connect, Properties, Publish, Version
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt

KEPT: Properties = {"session_expiry_interval": 100}


async def test_the_address_that_was_found(site: Site) -> None:
    host, port = site.broker.address
    assert host == "127.0.0.1"
    assert port > 0


async def test_on_ipv6(new_site: NewSite) -> None:
    site = await new_site(mqtt(bind="[::1]:0"))
    assert site.broker.address[0] == "::1"
    client = await site.log_in(site.add_device())
    await client.quiet()
    session = site.hub.sessions.of_device(1)
    assert session is not None
    assert session.line is not None
    assert session.line.peer.startswith("::1:") or session.line.peer.startswith("[::1]:")


async def test_an_address_that_is_taken(new_site: NewSite, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(OSError, match=f"cannot listen on {address}: .*in use .* mqtt.bind"):
            await new_site(mqtt(bind=address))
    assert "Traceback" not in caplog.text


async def test_stopped(site: Site) -> None:
    """Everybody is told where the version can, and nobody is let in."""
    newer = await site.log_in(site.add_device(), properties=KEPT)
    older = await site.log_in(site.add_device("pump-2"), Version.V311)
    silent = await site.client()
    address = site.broker.address
    await site.broker.stop()
    assert await newer.ended() == 0x8B
    assert await older.ended() is None
    assert await silent.ended() is None
    with pytest.raises(ConnectionRefusedError):
        await RawClient.open(address)
    await site.broker.start()


async def test_messages_that_are_on_their_way_leave(site: Site) -> None:
    """What was accepted before the stop is written before the good-bye."""
    pump = site.add_device()
    client = await site.log_in(pump)
    await client.subscribe("a", 0)
    for number in range(100):
        site.hub.router.route("default", Publish("a", str(number).encode()))
    await site.broker.stop()
    assert [int((await client.receive(Publish)).payload) for _ in range(100)] == list(range(100))
    assert await client.ended() == 0x8B
    await site.broker.start()


async def test_a_client_that_does_not_read_does_not_hold_up_the_stop(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    await client.subscribe("a", 0)
    client.transport.pause_reading()
    for _ in range(100):
        site.hub.router.route("default", Publish("a", b"x" * 100_000))
        await site.let_pass(0)
    await site.broker.stop()
    await site.broker.start()


async def test_delivery_hears_of_it(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    message = await site.submit(pump, ttl=0)
    await client.receive(Publish)
    await site.broker.stop()
    await site.heard.wait("disconnected", pump.key)
    assert await site.stored_as(message) == "FAILED"
    await site.broker.start()


async def test_a_connection_in_the_middle_of_the_handshake(site: Site) -> None:
    client = await site.client()
    client.send_bytes(b"\x10\x20\x00\x04MQ")
    await site.let_pass(0)
    await site.broker.stop()
    assert await client.ended() is None
    await site.broker.start()


async def test_a_device_that_is_not_connected_is_changed(site: Site) -> None:
    site.add_device()
    site.store.set_frozen("default", "pump-1", frozen=True)
    client = await site.client()
    client.send(Connect(Version.V5, "pump-1", username="pump-1", password=b"a-good-secret"))
    assert (await client.receive(Connack)).reason_code == 0x8A
