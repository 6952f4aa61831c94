"""The will of a client: what the others hear when it is gone [MQTT-3.1.2-8]."""

import pytest

from bridge.mqtt import Disconnect, Pingreq, Properties, Publish, Version, Will
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt

WILL = Will("wills/pump-1", b"gone", 1)
KEPT: Properties = {"session_expiry_interval": 100}
BOTH = pytest.mark.parametrize("version", [Version.V311, Version.V5], ids=lambda version: version.name)


def delayed(seconds: int) -> Will:
    return Will("wills/pump-1", b"gone", 1, properties={"will_delay_interval": seconds})


@pytest.fixture
async def watcher(site: Site) -> RawClient:
    return await watching(site)


async def watching(site: Site) -> RawClient:
    client = await site.log_in(site.add_device("watcher"), Version.V311)
    await client.subscribe("wills/#")
    return client


async def heard(watcher: RawClient) -> bytes:
    return (await watcher.take()).payload


@BOTH
async def test_sent_when_the_connection_breaks(site: Site, watcher: RawClient, version: Version) -> None:
    client = await site.log_in(site.add_device(), version, will=WILL)
    await watcher.quiet()
    client.abort()
    publish = await watcher.take()
    assert (publish.topic, publish.payload, publish.qos) == ("wills/pump-1", b"gone", 1)
    await watcher.quiet()


@BOTH
async def test_not_sent_after_a_good_bye(site: Site, watcher: RawClient, version: Version) -> None:
    client = await site.log_in(site.add_device(), version, will=WILL, clean=False, properties=KEPT)
    await client.disconnect()
    await site.let_pass(200)
    await watcher.quiet()


@pytest.mark.parametrize("reason", [0x04, 0x80, 0x81, 0x82, 0x93])
@pytest.mark.parametrize("kept", [True, False])
async def test_sent_after_any_other_disconnect(site: Site, watcher: RawClient, reason: int, kept: bool) -> None:
    """Only a normal disconnection takes the will back [MQTT-3.14.4-3] [MQTT5 3.1.2.5]."""
    client = await site.log_in(site.add_device(), will=WILL, properties=KEPT if kept else None)
    await client.disconnect(reason)
    assert await heard(watcher) == b"gone"
    await site.let_pass(200)
    await watcher.quiet()


@BOTH
async def test_sent_when_the_client_breaks_the_protocol(site: Site, watcher: RawClient, version: Version) -> None:
    client = await site.log_in(site.add_device(), version, will=WILL)
    client.send_bytes(b"\xff\xff")
    assert await client.ended() == (0x81 if version is Version.V5 else None)
    assert await heard(watcher) == b"gone"


@BOTH
async def test_sent_when_the_client_is_silent(site: Site, watcher: RawClient, version: Version) -> None:
    await site.log_in(site.add_device(), version, will=WILL, keep_alive=10)
    watcher.send(Pingreq())
    await site.let_pass(16)
    assert await heard_behind_pong(watcher) == b"gone"


async def heard_behind_pong(watcher: RawClient) -> bytes:
    while not isinstance(packet := await watcher._next(), Publish):
        assert packet is not None
    return packet.payload


@BOTH
async def test_sent_when_the_session_is_taken_over(site: Site, watcher: RawClient, version: Version) -> None:
    pump = site.add_device()
    await site.log_in(pump, version, will=WILL)
    await site.log_in(pump, version, will=Will("wills/pump-1", b"second", 1))
    assert await heard(watcher) == b"gone"
    await watcher.quiet()


async def test_the_will_of_the_last_connection_counts(site: Site, watcher: RawClient) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, clean=False, will=WILL, properties=KEPT)
    await client.disconnect()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    client.abort()
    await site.heard.wait("disconnected", pump.key)
    await site.let_pass(200)
    await watcher.quiet()


# Delayed [MQTT-3.1.3-9]


async def test_sent_after_its_delay(site: Site, watcher: RawClient) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, will=delayed(10), properties=KEPT)
    await site.log_out(pump, client)
    await site.let_pass(9)
    await watcher.quiet()
    await site.let_pass(2)
    assert await heard(watcher) == b"gone"
    await site.let_pass(200)
    await watcher.quiet()


async def test_not_sent_when_the_client_is_back_in_time(site: Site, watcher: RawClient) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, will=delayed(10), properties=KEPT)
    await site.log_out(pump, client)
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await site.let_pass(20)
    await client.quiet()
    await watcher.quiet()


async def test_a_take_over_is_a_return(site: Site, watcher: RawClient) -> None:
    pump = site.add_device()
    await site.log_in(pump, will=delayed(10), properties=KEPT)
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await site.let_pass(20)
    await client.quiet()
    await watcher.quiet()


async def test_sent_when_the_session_ends_before_its_delay(site: Site, watcher: RawClient) -> None:
    """Whichever happens first [MQTT5 3.1.3.2.2]."""
    pump = site.add_device()
    client = await site.log_in(pump, will=delayed(1000), properties=KEPT)
    await client.subscribe("a")
    await site.log_out(pump, client)
    await site.let_pass(99)
    await watcher.quiet()
    await site.let_pass(2)
    assert await heard(watcher) == b"gone"
    assert not site.hub.sessions._away


async def test_sent_at_once_when_there_is_no_session_to_keep(site: Site, watcher: RawClient) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, will=delayed(1000))
    client.abort()
    assert await heard(watcher) == b"gone"


@pytest.mark.parametrize("away", [True, False])
async def test_sent_when_a_clean_start_ends_the_session(site: Site, watcher: RawClient, away: bool) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, will=delayed(50), properties=KEPT)
    if away:
        await site.log_out(pump, client)
    await site.log_in(pump, clean=True)
    assert await heard(watcher) == b"gone"
    await site.let_pass(200)
    await watcher.quiet()


async def test_sent_when_there_are_too_many_sessions(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_sessions=0))
    watcher = await watching(site)
    pump = site.add_device()
    client = await site.log_in(pump, will=delayed(50), properties=KEPT)
    client.abort()
    assert await heard(watcher) == b"gone"


async def test_sent_with_a_delay_after_disconnect_with_will(site: Site, watcher: RawClient) -> None:
    client = await site.log_in(site.add_device(), will=delayed(10), properties=KEPT)
    await client.disconnect(0x04)
    await watcher.quiet()
    await site.let_pass(11)
    assert await heard(watcher) == b"gone"


async def test_one_will_after_another(site: Site, watcher: RawClient) -> None:
    """The looks of earlier absences do nothing, and the last one is not missed."""
    pump = site.add_device()
    for seconds in (50, 10, 30):
        client = await site.log_in(pump, clean=False, will=delayed(seconds), properties=KEPT)
        await site.log_out(pump, client)
        await site.let_pass(5)
    await watcher.quiet()
    await site.let_pass(20)
    await watcher.quiet()
    await site.let_pass(6)
    assert await heard(watcher) == b"gone"
    await site.let_pass(200)
    await watcher.quiet()
    assert not site.hub.sessions._away


# What it carries


async def test_properties_of_a_will(site: Site) -> None:
    watcher = await site.log_in(site.add_device("watcher"))
    await watcher.subscribe("wills/#")
    properties: Properties = {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": "answers",
        "correlation_data": b"c",
        "user_properties": [("a", "1"), ("a", "2")],
    }
    will = Will("wills/pump-1", b"gone", 1, properties={**properties, "will_delay_interval": 0})
    client = await site.log_in(site.add_device(), will=will)
    client.abort()
    assert (await watcher.take()).properties == properties


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_quality_of_service(site: Site, qos: int) -> None:
    watcher = await site.log_in(site.add_device("watcher"))
    await watcher.subscribe("wills/#", 2)
    client = await site.log_in(site.add_device(), will=Will("wills/pump-1", b"gone", qos))
    client.abort()
    assert (await watcher.take()).qos == qos


async def test_a_will_for_oneself(site: Site) -> None:
    """It waits in the session that is kept."""
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311, clean=False, will=WILL)
    await client.subscribe("wills/#")
    await site.log_out(pump, client)
    client = await site.log_in(pump, Version.V311, clean=False)
    assert (await client.take()).payload == b"gone"


async def test_two_wills_at_once(site: Site, watcher: RawClient) -> None:
    """A will may end on a connection that is being closed as well."""
    for name in ("a", "b"):
        client = await site.log_in(site.add_device(name), will=Will("wills/x", name.encode(), 1))
        await client.subscribe("wills/x")
        client.send(Disconnect(0x04))
    assert {await heard(watcher) for _ in range(2)} == {b"a", b"b"}


# The end of the daemon


async def test_a_stop_is_an_end_for_those_who_come_back(site: Site) -> None:
    """The server has closed the connection without a DISCONNECT from the client [MQTT5 3.1.2.5]. Who was connected as
    well does not hear of it, and whose session goes on may come back first."""
    device = site.add_device("watcher")
    watcher = await site.log_in(device, Version.V311, clean=False)
    await watcher.subscribe("wills/#")
    client = await site.log_in(site.add_device(), will=WILL)
    kept = await site.log_in(site.add_device("pump-2"), will=Will("wills/pump-2", b"late", 1), properties=KEPT)
    await site.restart()
    assert await client.ended() == 0x8B
    assert await kept.ended() == 0x8B
    assert await watcher.ended() is None
    watcher = await site.log_in(device, Version.V311, clean=False)
    assert await heard(watcher) == b"gone"
    assert await heard(watcher) == b"late"
    await watcher.quiet()
