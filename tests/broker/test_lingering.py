"""A connection that has ended here, until its client closes it, too: bounded, counted, and not listened to."""

import asyncio

import pytest

from bridge.mqtt import Publish, Version
from tests.broker.certificates import Certificate, client_context
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt
from tests.broker.test_flow import line_of
from tests.broker.times import turn


class Stubborn(RawClient):
    """Does not close its side when the server has closed its own."""

    def eof_received(self) -> bool:
        self._more.set()
        return True


async def thrown_out(site: Site, version: Version = Version.V5) -> Stubborn:
    """A client of the device that knows that it was thrown out."""
    client = await Stubborn.open(site.broker.address, version)
    pump = site.store.device_by_key(1) or site.add_device()
    await client.log_in(pump)
    site.hub.disconnect(pump.key)
    if version is Version.V5:
        assert await client._next() is not None
    return client


async def until(site: Site, lines: int) -> None:
    async with asyncio.timeout(10):
        while len(site.hub._lines) != lines:
            await turn()


@pytest.mark.parametrize("version", [Version.V311, Version.V5])
async def test_it_ends_when_the_client_closes(site: Site, version: Version) -> None:
    client = await thrown_out(site, version)
    assert len(site.hub._lines) == 1
    client.transport.close()
    await until(site, 0)


async def test_it_is_cut_off_when_the_client_does_not(site: Site) -> None:
    client = await thrown_out(site)
    await site.let_pass(4)
    await until(site, 1)
    await site.let_pass(2)
    await until(site, 0)
    client.abort()


async def test_it_is_cut_off_when_too_much_comes(site: Site) -> None:
    client = await thrown_out(site)
    for _ in range(20):
        client.send_bytes(bytes(1_000_000))
    await until(site, 0)
    client.abort()


async def test_it_counts(new_site: NewSite) -> None:
    """Nobody has more connections open than there may be by being thrown out."""
    site = await new_site(mqtt(max_connections=1))
    client = await thrown_out(site)
    late = await site.client()
    assert await late.ended() is None
    client.abort()
    await until(site, 0)
    await site.log_in(site.add_device("pump-2"))


async def test_who_is_one_too_many_does_not_linger(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_connections=1))
    await site.log_in(site.add_device())
    late = await Stubborn.open(site.broker.address)
    await until(site, 1)
    late.abort()


async def test_nothing_that_comes_is_heard(site: Site) -> None:
    """Whether it comes in the same piece or later."""
    watcher = await site.log_in(site.add_device("watcher"))
    await watcher.subscribe("#", 0)
    client = await Stubborn.open(site.broker.address)
    await client.log_in(site.add_device())
    client.send(Publish("before"), Publish("", properties={"topic_alias": 9}), Publish("behind"))
    assert await client._next() is not None
    client.send(Publish("later"))
    client.transport.close()
    await until(site, 1)
    assert (await watcher.take()).topic == "before"
    await watcher.quiet()


async def test_a_connection_that_was_not_read_is(new_site: NewSite) -> None:
    """What the client had sent while it was held back is thrown away, so that the end is no reset."""
    site = await new_site(mqtt(max_publish_rate=1))
    pump = site.add_device()
    client = await site.log_in(pump)
    client.send(*(Publish("a", bytes(50_000)) for _ in range(40)))
    line = line_of(site, pump)
    while line._held is None:
        await turn()
    site.hub.disconnect(pump.key)
    assert await client.ended() == 0x98
    await until(site, 0)


async def test_the_stop_waits_for_nobody(site: Site) -> None:
    client = await thrown_out(site)
    await site.broker.stop()
    await until(site, 0)
    client.abort()
    await site.broker.start()


# TLS


@pytest.fixture
async def secured(new_site: NewSite, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Certificate]:
    folder = tmp_path_factory.mktemp("papers")
    authority = Certificate.make(folder, "authority", authority=True)
    server = Certificate.make(folder, "server", authority)
    files = {"tls_certfile": str(server.path), "tls_keyfile": str(server.key_path)}
    return await new_site(mqtt(tls_bind="127.0.0.1:0", max_connections=1, **files)), authority


async def test_a_connection_counts_before_its_handshake(secured: tuple[Site, Certificate]) -> None:
    site, _ = secured
    first = await RawClient.open(site.broker.tls_address)
    await until(site, 1)
    second = await RawClient.open(site.broker.tls_address)
    assert await second.ended() is None
    first.abort()
    await until(site, 0)


async def test_the_connect_has_its_time_behind_the_handshake(secured: tuple[Site, Certificate]) -> None:
    site, authority = secured
    plain = await RawClient.open(site.broker.tls_address)
    await until(site, 1)
    await site.let_pass(8)
    loop = asyncio.get_running_loop()
    context = client_context(authority)
    transport = await loop.start_tls(plain.transport, plain, context, server_hostname="bridge.test")
    assert transport is not None
    plain.transport = transport
    await site.let_pass(8)
    connack = await plain.connect("x", "nobody", SECRET)
    assert connack.reason_code == 0x86
    assert await plain.ended() is None
