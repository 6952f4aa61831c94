"""Sessions: kept, resumed, taken over, ended."""

import pytest

from bridge.mqtt import Properties, Puback, Publish, Version
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt

KEPT: Properties = {"session_expiry_interval": 100}
BOTH = pytest.mark.parametrize("version", [Version.V311, Version.V5], ids=lambda version: version.name)


async def anybody_hears(site: Site, topic: str) -> bool:
    """Whether any session is subscribed to the topic."""
    device = site.store.device("default", "prober") or site.add_device("prober")
    prober = await site.log_in(device)
    packet_id = prober.publish(topic, b"?", 1)
    return (await prober.receive(Puback)) == Puback(packet_id)


def left(site: Site) -> int:
    """Sessions of clients that are away, as the broker counts them."""
    sessions = site.hub.sessions
    away = sum(session.line is None for session in sessions._sessions.values())
    assert sessions._away == away
    return away


@BOTH
async def test_kept(site: Site, version: Version) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, version, clean=False, properties=KEPT)
    await client.subscribe("a")
    await client.disconnect()
    assert left(site) == 1
    assert await anybody_hears(site, "a")

    client = await site.client(version)
    assert (await client.log_in(pump, clean=False, properties=KEPT)).session_present
    assert (await client.take()).payload == b"?"
    await client.quiet()
    assert left(site) == 0


@BOTH
async def test_not_kept(site: Site, version: Version) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, version)
    await client.subscribe("a")
    await client.disconnect()
    assert left(site) == 0
    assert not await anybody_hears(site, "a")
    client = await site.client(version)
    assert not (await client.log_in(pump, clean=False)).session_present


@BOTH
async def test_a_clean_start_ends_what_was_kept(site: Site, version: Version) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, version, clean=False, properties=KEPT)
    await client.subscribe("a")
    await client.disconnect()
    client = await site.client(version)
    assert not (await client.log_in(pump)).session_present
    assert left(site) == 0
    assert not await anybody_hears(site, "a")


async def test_clean_start_and_keeping_are_independent_in_version_5(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, clean=True, properties=KEPT)
    await client.subscribe("a")
    await client.disconnect()
    client = await site.client()
    assert (await client.log_in(pump, clean=False)).session_present
    await client.disconnect()
    assert not await anybody_hears(site, "a")  # no expiry was asked for the second time


async def test_version_3_1_is_not_told(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, Version.V31, clean=False)
    await client.subscribe("a")
    await client.disconnect()
    client = await site.client(Version.V31)
    assert not (await client.log_in(pump, clean=False)).session_present
    assert await anybody_hears(site, "a")


@BOTH
async def test_kept_when_the_connection_breaks(site: Site, version: Version) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, version, clean=False, properties=KEPT)
    await site.log_out(pump, client)
    client = await site.client(version)
    assert (await client.log_in(pump, clean=False)).session_present


async def test_the_client_closes_its_side_only(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    client.transport.write_eof()
    assert await client.ended() is None
    await site.heard.wait("disconnected", pump.key)


# Expiry [MQTT-3.1.2-23]


async def test_ended_when_its_time_is_over(site: Site) -> None:
    client = await site.log_in(site.add_device(), properties=KEPT)
    await client.subscribe("a")
    await client.disconnect()
    await site.let_pass(99)
    assert await anybody_hears(site, "a")
    await site.let_pass(2)
    assert left(site) == 0
    assert not await anybody_hears(site, "a")


async def test_older_clients_are_kept_for_the_longest_time(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_session_expiry=50))
    client = await site.log_in(site.add_device(), Version.V311, clean=False)
    await client.disconnect()
    await site.let_pass(49)
    assert left(site) == 1
    await site.let_pass(2)
    assert left(site) == 0


async def test_the_longest_time(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_session_expiry=50))
    client = await site.log_in(site.add_device(), properties={"session_expiry_interval": 0xFFFFFFFF})
    await client.disconnect()
    await site.let_pass(51)
    assert left(site) == 0


async def test_nothing_is_kept_if_the_settings_say_so(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_session_expiry=0))
    pump = site.add_device()
    client = await site.client()
    assert (await client.log_in(pump, properties=KEPT)).properties["session_expiry_interval"] == 0
    await client.disconnect()
    older = await site.log_in(pump, Version.V311, clean=False)
    await older.disconnect()
    assert left(site) == 0


async def test_time_counts_from_the_last_connection(site: Site) -> None:
    """A session that comes and goes is looked at when it is due, however often it has been away."""
    pump = site.add_device()
    for seconds in (100, 10, 100):
        client = await site.log_in(pump, clean=False, properties={"session_expiry_interval": seconds})
        await client.disconnect()
        await site.let_pass(5)
    await site.let_pass(90)
    assert left(site) == 1
    await site.let_pass(10)
    assert left(site) == 0


async def test_a_connected_session_does_not_end(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, properties=KEPT)
    await client.disconnect()
    client = await site.log_in(pump, clean=False, properties=KEPT)
    await site.let_pass(200)
    await client.quiet()
    await client.disconnect()
    assert left(site) == 1


async def test_an_ended_session_is_not_ended_again(site: Site) -> None:
    """A new session of that name has nothing to do with the old one's time."""
    pump = site.add_device()
    client = await site.log_in(pump, properties=KEPT)
    await client.disconnect()
    client = await site.log_in(pump, clean=True, properties={"session_expiry_interval": 1000})
    await client.disconnect()
    await site.let_pass(101)
    assert left(site) == 1


async def test_disconnect_changes_the_expiry(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, properties=KEPT)
    await client.disconnect(properties={"session_expiry_interval": 0})
    assert left(site) == 0
    client = await site.log_in(pump, properties=KEPT)
    await client.disconnect(properties={"session_expiry_interval": 1000})
    await site.let_pass(999)
    assert left(site) == 1
    await site.let_pass(2)
    assert left(site) == 0


async def test_disconnect_cannot_begin_an_expiry(site: Site) -> None:
    """[MQTT5 3.14.2.2.2]"""
    client = await site.log_in(site.add_device())
    with pytest.raises(AssertionError):
        await client.disconnect(properties={"session_expiry_interval": 10})
    assert left(site) == 0
    client = await site.log_in(site.add_device("pump-2"))
    await client.disconnect(properties={"session_expiry_interval": 0})


@pytest.mark.parametrize(("most", "kept"), [(0, 0), (1, 1), (3, 2)])
async def test_so_many_and_not_more(new_site: NewSite, most: int, kept: int) -> None:
    site = await new_site(mqtt(max_sessions=most))
    for device_id in ("a", "b"):
        client = await site.log_in(site.add_device(device_id), properties=KEPT)
        await client.disconnect()
    assert left(site) == kept


# Take-over [MQTT-3.1.4-3]


@BOTH
@pytest.mark.parametrize("clean", [True, False])
async def test_taken_over_by_the_same_client(site: Site, version: Version, clean: bool) -> None:
    pump = site.add_device()
    first = await site.log_in(pump, version, clean=False, properties=KEPT)
    await first.subscribe("a")
    second = await site.client(version)
    assert (await second.log_in(pump, clean=clean, properties=KEPT)).session_present is not clean
    assert await first.ended() == (0x8E if version is Version.V5 else None)
    assert await anybody_hears(site, "a") is not clean
    assert left(site) == 0
    if not clean:
        assert (await second.take()).payload == b"?"
    await second.quiet()
    assert [event[0] for event in site.heard.events if event[1] == pump.key] == [
        "connected",
        "subscribed",
        "disconnected",
        "connected",
    ]


async def test_a_session_that_is_not_kept_ends_with_a_take_over(site: Site) -> None:
    pump = site.add_device()
    first = await site.log_in(pump)
    await first.subscribe("a")
    second = await site.client()
    assert not (await second.log_in(pump, clean=False)).session_present
    assert await first.ended() == 0x8E
    assert not await anybody_hears(site, "a")


@BOTH
async def test_one_connection_a_device(site: Site, version: Version) -> None:
    """Whatever it calls itself; the sessions remain apart."""
    pump = site.add_device()
    first = await site.log_in(pump, version, "one", clean=False, properties=KEPT)
    await first.subscribe("a")
    second = await site.client(version)
    assert not (await second.log_in(pump, "two", clean=False, properties=KEPT)).session_present
    assert await first.ended() == (0x8E if version is Version.V5 else None)
    assert left(site) == 1
    await site.submit(pump)
    await second.take()
    third = await site.client(version)
    assert (await third.log_in(pump, "one", clean=False, properties=KEPT)).session_present
    assert left(site) == 1


async def test_taken_over_again_and_again(site: Site) -> None:
    pump = site.add_device()
    clients: list[RawClient] = []
    for number in range(10):
        clients.append(await site.log_in(pump, client_id=f"c-{number % 3}", clean=False, properties=KEPT))
    for client in clients[:-1]:
        assert await client.ended() == 0x8E
    await clients[-1].quiet()
    assert left(site) == 2
    assert len(site.hub._lines) == 1


async def test_taken_over_while_it_breaks(site: Site) -> None:
    """The old connection is gone, and the broker has not noticed yet."""
    pump = site.add_device()
    first = await site.log_in(pump)
    first.abort()
    second = await site.log_in(pump)
    await second.quiet()
    await site.submit(pump)
    await second.take()


async def test_other_projects_are_not_taken_over(site: Site) -> None:
    here = site.add_device()
    there = site.store.add_device("other", "pump-1", "another-secret")
    first, second = await site.log_in(here), await site.log_in(there)
    await first.quiet()
    await second.quiet()


async def test_a_client_of_another_kind_gets_a_session_of_its_own(new_site: NewSite) -> None:
    """The same identifier, but not the same rights: nothing is inherited."""
    site = await new_site(mqtt(allow_anonymous=True))
    anonymous = await site.client()
    await anonymous.connect("c", properties=KEPT)
    await anonymous.subscribe("a")
    token = site.store.add_token("ops", None, frozenset(("admin",)))
    admin = await site.client()
    assert not (await admin.connect("c", "default", token, clean=False, properties=KEPT)).session_present
    assert await anonymous.ended() == 0x8E
    assert not await anybody_hears(site, "a")
    await admin.disconnect()
    again = await site.client()
    assert not (await again.connect("c", clean=False)).session_present
    assert left(site) == 0


async def test_a_device_with_another_secret_starts_anew(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311, clean=False)
    await client.disconnect()
    site.store.remove_device("default", "pump-1")
    again = site.add_device()
    client = await site.client(Version.V311)
    assert not (await client.log_in(again, clean=False)).session_present


# What an administrator does to a connected device


@BOTH
async def test_frozen_while_connected(site: Site, version: Version) -> None:
    pump, other = site.add_device(), site.add_device("pump-2")
    client, bystander = await site.log_in(pump, version), await site.log_in(other)
    site.store.set_frozen("default", "pump-1", frozen=True)
    assert await client.ended() == (0x98 if version is Version.V5 else None)
    await bystander.quiet()
    site.store.set_frozen("default", "pump-1", frozen=True)


async def test_removed_while_connected(site: Site) -> None:
    client = await site.log_in(site.add_device())
    site.store.remove_device("default", "pump-1")
    assert await client.ended() == 0x98


async def test_a_change_that_is_none_does_not_end_the_connection(site: Site) -> None:
    pump = site.add_device()
    client = await site.log_in(pump)
    site.store.set_frozen("default", "pump-1", frozen=False)
    await client.quiet()
    assert await client.subscribe("a") == 1
    client.publish("a", b"x")
    assert (await client.receive(Publish)).payload == b"x"
