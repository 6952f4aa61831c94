"""From the first byte to CONNACK [MQTT-3.1.4]."""

import asyncio
import socket
from typing import Any, cast

import pytest

from bridge.broker.link import Link
from bridge.mqtt import (
    Connack,
    Connect,
    Pingreq,
    Properties,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Version,
    Will,
    encode,
)
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt
from tests.broker.times import turn

VERSIONS = pytest.mark.parametrize("version", list(Version), ids=lambda version: version.name)


@VERSIONS
async def test_accepted(site: Site, version: Version) -> None:
    client = await site.client(version)
    connack = await client.log_in(site.add_device())
    assert not connack.session_present
    if version is Version.V5:
        assert connack.properties == {
            "receive_maximum": 64,
            "maximum_packet_size": 1_114_112,
            "server_keep_alive": 3600,
            "topic_alias_maximum": 16,
        }
    await client.quiet()


async def test_what_is_announced_follows_the_settings(new_site: NewSite) -> None:
    site = await new_site(mqtt(receive_maximum=7, max_packet_size=2000, max_keep_alive=100, max_session_expiry=50))
    client = await site.client()
    connack = await client.log_in(site.add_device(), keep_alive=90, properties={"session_expiry_interval": 60})
    assert connack.properties["receive_maximum"] == 7
    assert connack.properties["maximum_packet_size"] == 2000
    assert connack.properties["session_expiry_interval"] == 50
    assert "server_keep_alive" not in connack.properties
    assert "assigned_client_identifier" not in connack.properties


REFUSALS: dict[str, tuple[dict[str, Any], int, int]] = {
    "nobody": ({"username": None, "password": None}, 0x87, 5),
    "no such user": ({"username": "pump-7"}, 0x86, 4),
    "wrong password": ({"password": b"wrong"}, 0x86, 4),
    "no password": ({"password": None}, 0x86, 4),
    "binary password": ({"username": "default", "password": b"\xff\xfe"}, 0x86, 4),
    "frozen": ({"username": "frozen", "client_id": "frozen"}, 0x8A, 5),
    "id of another device": ({"client_id": "pump-2"}, 0x85, 2),
    "will elsewhere": ({"will": Will("$oc/devices/pump-2/user/a", b"")}, 0x87, 5),
}


@VERSIONS
@pytest.mark.parametrize("case", REFUSALS)
async def test_refused(site: Site, case: str, version: Version) -> None:
    for device_id in ("pump-1", "pump-2", "frozen"):
        site.add_device(device_id)
    site.store.set_frozen("default", "frozen", frozen=True)
    fields, reason, return_code = REFUSALS[case]
    client = await site.client(version)
    given: dict[str, Any] = {"client_id": "pump-1", "username": "pump-1", "password": SECRET.encode(), **fields}
    connack = await client.connect(**given)
    assert connack.reason_code == (reason if version is Version.V5 else return_code)
    assert not connack.session_present
    assert list(connack.properties) == (["reason_string"] if version is Version.V5 else [])
    assert await client.ended() is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"properties": {"authentication_method": "SCRAM"}}, 0x8C),
    ],
)
async def test_refused_in_version_5(site: Site, fields: dict[str, Any], reason: int) -> None:
    site.add_device()
    client = await site.client()
    connack = await client.connect("pump-1", "pump-1", SECRET, **fields)
    assert connack.reason_code == reason
    assert await client.ended() is None


@VERSIONS
async def test_guessing_is_slowed(new_site: NewSite, version: Version, caplog: pytest.LogCaptureFixture) -> None:
    site = await new_site(mqtt(max_failed_logins=1))
    pump = site.add_device()
    refused = 0x86 if version is Version.V5 else 4
    client = await site.client(version)
    assert (await client.connect("pump-1", "pump-1", b"first guess")).reason_code == refused
    client = await site.client(version)
    guess = asyncio.create_task(client.connect("pump-1", "pump-1", b"second guess"))
    await (await site.log_in(pump, version)).quiet()
    assert not guess.done()
    assert [record.message for record in caplog.records].count("many failed logins") == 1
    await site.let_pass(2)
    assert (await guess).reason_code == refused
    assert await client.ended() is None


async def test_who_leaves_while_the_refusal_is_held_back(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_failed_logins=1))
    site.add_device()
    for _ in range(2):
        client = await site.client()
        client.send(Connect(Version.V5, "pump-1", username="pump-1", password=b"guess"))
    client.abort()
    await site.let_pass(2)
    await (await site.log_in(site.add_device("pump-2"))).quiet()


async def test_without_a_client_identifier(site: Site) -> None:
    pump, other = site.add_device(), site.add_device("pump-2")
    client = await site.client()
    assigned = (await client.log_in(pump, "")).properties["assigned_client_identifier"]
    second = await site.client()
    assert (await second.log_in(other, "")).properties["assigned_client_identifier"] != assigned
    await client.quiet()

    older = await site.client(Version.V311)
    assert (await older.log_in(site.add_device("pump-3"), "")).reason_code == 0


async def test_without_a_client_identifier_nothing_can_be_kept(site: Site) -> None:
    site.add_device()
    client = await site.client(Version.V311)
    assert (await client.connect("", "pump-1", SECRET, clean=False)).reason_code == 2
    assert await client.ended() is None


async def test_version_3_1_needs_a_client_identifier(site: Site) -> None:
    site.add_device()
    client = await site.client(Version.V31)
    assert (await client.connect("", "pump-1", SECRET)).reason_code == 2


@pytest.mark.parametrize("level", [0, 2, 6, 255])
async def test_unknown_versions(site: Site, level: int) -> None:
    """The answer has the form that the client is most likely to understand."""
    client = await site.client(Version.V5 if level > 5 else Version.V311)
    data = bytearray(encode(Connect(Version.V311, "pump-1"), Version.V311))
    data[8] = level
    client.send_bytes(bytes(data))
    assert (await client.receive(Connack)).reason_code == (0x84 if level > 5 else 1)
    assert await client.ended() is None


async def test_another_protocol(site: Site) -> None:
    """[MQTT-3.1.2-1] is not told that this is MQTT."""
    client = await site.client(Version.V311)
    client.send_bytes(b"\x10\x10\x00\x04HTTP\x04\x02\x00\x3c\x00\x04pump")
    assert await client.ended() is None


NOT_A_CONNECT = {
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "another packet": b"\xc0\x00",
    "nonsense": b"\xff\xff\xff\xff\xff\xff",
    "malformed before version 5": b"\x10\x10\x00\x04MQTT\x04\x03\x00\x3c\x00\x04pump",
    "too large": b"\x10\xff\xff\x7f" + b"\x00" * 100,
}


@pytest.mark.parametrize("case", NOT_A_CONNECT)
async def test_what_is_no_connect_is_not_answered(new_site: NewSite, case: str) -> None:
    site = await new_site(mqtt(max_packet_size=1024))
    client = await site.client(Version.V311)
    client.send_bytes(NOT_A_CONNECT[case])
    assert await client.ended() is None


async def test_a_malformed_connect_of_version_5_is_answered(site: Site) -> None:
    client = await site.client()
    client.send_bytes(b"\x10\x11\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x04pump")
    assert (await client.receive(Connack)).reason_code == 0x81
    assert await client.ended() is None


async def test_no_connect_in_time(new_site: NewSite) -> None:
    site = await new_site(mqtt(connect_timeout=2))
    client = await site.client()
    await site.let_pass(1)
    assert not client.transport.is_closing()
    await site.let_pass(2)
    assert await client.ended() is None


async def test_a_connect_that_trickles_is_not_in_time(new_site: NewSite) -> None:
    """Whoever has not said who he is gets so many seconds, not so many for each byte."""
    site = await new_site(mqtt(connect_timeout=2))
    site.add_device()
    client = await site.client()
    data = encode(Connect(Version.V5, "pump-1", username="pump-1", password=SECRET.encode()), Version.V5)
    for byte in data[:-1]:
        client.send_bytes(bytes((byte,)))
        await site.let_pass(0.5)
    client.send_bytes(data[-1:])
    assert await client.ended() is None


async def test_a_connect_in_time_leaves_time_for_the_rest(new_site: NewSite) -> None:
    """Of what came before CONNACK nothing remains: without a keep-alive the client may be silent."""
    site = await new_site(mqtt(connect_timeout=2))
    client = await site.client(Version.V311)
    await client.log_in(site.add_device())
    await site.let_pass(100_000)
    await client.quiet()


async def test_too_many_connections(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_connections=2))
    pump = site.add_device()
    first = await site.log_in(pump)
    await site.client()
    third = await site.client()
    assert await third.ended() is None
    await site.log_out(pump, first)
    again = await site.log_in(pump)
    await again.quiet()


@VERSIONS
async def test_the_client_need_not_wait_for_connack(site: Site, version: Version) -> None:
    site.add_device()
    client = await site.client(version)
    client.send(
        Connect(version, "pump-1", username="pump-1", password=SECRET.encode()),
        Subscribe(1, [Subscription("a", 0)]),
        Publish("a", b"x"),
        Pingreq(),
    )
    await client.receive(Connack)
    await client.receive(Suback)
    assert (await client.receive(Publish)).payload == b"x"


async def test_what_follows_a_refusal_is_not_read(site: Site) -> None:
    site.add_device()
    client = await site.client()
    client.send(Connect(Version.V5, "pump-1"), Pingreq(), Connect(Version.V5, "pump-1"))
    assert (await client.receive(Connack)).reason_code == 0x87
    assert await client.ended() is None


@VERSIONS
async def test_byte_by_byte(site: Site, version: Version) -> None:
    site.add_device()
    client = await site.client(version)
    data = encode(Connect(version, "pump-1", username="pump-1", password=SECRET.encode()), version)
    for byte in data:
        client.send_bytes(bytes((byte,)))
        await turn()
    assert (await client.receive(Connack)).reason_code == 0


@pytest.mark.parametrize("table", ["device", "token"])
@pytest.mark.parametrize("version", [Version.V311, Version.V5])
async def test_a_store_that_cannot_be_read_is_a_server_that_is_not_available(
    site: Site, table: str, version: Version
) -> None:
    async with site.unreadable(table):
        client = await site.client(version)
        connack = await client.connect("x", "default", "not-a-token")
        assert connack.reason_code == (0x88 if version is Version.V5 else 3)
        assert await client.ended() is None


# Keep-alive [MQTT-3.1.2-22]


@pytest.mark.parametrize(("asked", "told"), [(0, 100), (101, 100), (65_535, 100), (100, None), (1, None)], ids=str)
async def test_the_longest_keep_alive(new_site: NewSite, asked: int, told: int | None) -> None:
    site = await new_site(mqtt(max_keep_alive=100))
    client = await site.client()
    connack = await client.log_in(site.add_device(), keep_alive=asked)
    assert connack.properties.get("server_keep_alive") == told
    effective = told or asked
    await site.let_pass(effective * 1.5 - 0.5)
    await client.quiet()
    await site.let_pass(effective * 1.5 + 1)
    assert await client.ended() == 0x8D


@VERSIONS
async def test_a_silent_client_is_disconnected(site: Site, version: Version) -> None:
    pump = site.add_device()
    client = await site.client(version)
    await client.log_in(pump, keep_alive=10)
    for _ in range(5):
        await site.let_pass(14)
        await client.quiet()
    await site.let_pass(16)
    assert await client.ended() == (0x8D if version is Version.V5 else None)
    await site.heard.wait("disconnected", pump.key)


@pytest.mark.slow
async def test_in_real_time(site: Site) -> None:
    """1.5 times a keep-alive of one second, by the clock on the wall."""
    client = await site.client()
    await client.log_in(site.add_device(), keep_alive=1)
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert await client.ended() == 0x8D
    assert 1.5 <= loop.time() - start < 3


@pytest.mark.parametrize("version", [Version.V31, Version.V311])
async def test_older_clients_may_turn_it_off(site: Site, version: Version) -> None:
    client = await site.client(version)
    await client.log_in(site.add_device(), keep_alive=0)
    await site.let_pass(1_000_000)
    await client.quiet()


@pytest.mark.parametrize("version", [Version.V31, Version.V311])
async def test_tcp_finds_out_about_clients_without_one(new_site: NewSite, version: Version) -> None:
    """Otherwise a device that lost its power would be connected for ever."""
    site = await new_site(mqtt(max_keep_alive=100))
    pump = site.add_device()
    for keep_alive, probed in ((0, True), (10, False)):
        client = await site.client(version)
        await client.log_in(pump, keep_alive=keep_alive)
        (line,) = (line for line in site.hub._lines if line.session is not None)
        plain = cast("Link", line)._transport.get_extra_info("socket")  # type: ignore[union-attr]
        assert bool(plain.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is probed
        if probed:
            assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 100


@pytest.mark.parametrize("version", [Version.V31, Version.V311])
@pytest.mark.parametrize("asked", [101, 65_535])
async def test_older_clients_with_a_longer_one_than_ours(new_site: NewSite, version: Version, asked: int) -> None:
    """They are served, and watched with the longest there is."""
    site = await new_site(mqtt(max_keep_alive=100))
    client = await site.client(version)
    await client.log_in(site.add_device(), keep_alive=asked)
    await site.let_pass(149)
    await client.quiet()
    await site.let_pass(152)
    assert await client.ended() is None


async def test_a_keep_alive_shorter_than_what_is_left_of_the_connect_timeout(new_site: NewSite) -> None:
    site = await new_site(mqtt(connect_timeout=300))
    client = await site.client(Version.V311)
    await client.log_in(site.add_device(), keep_alive=5)
    await site.let_pass(4)
    await client.quiet()
    await site.let_pass(6)
    await client.quiet()
    await site.let_pass(9)
    assert await client.ended() is None
    await site.let_pass(300)


async def test_properties_that_change_nothing(site: Site) -> None:
    """Known, allowed, and of no consequence here."""
    client = await site.client()
    properties: Properties = {
        "request_problem_information": 1,
        "request_response_information": 0,
        "topic_alias_maximum": 10,
        "user_properties": [("a", "b")],
    }
    connack = await client.log_in(site.add_device(), properties=properties)
    assert "response_information" not in connack.properties
