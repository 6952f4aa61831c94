"""3.1 CONNECT: form, client identifiers, sessions, keep-alive, limits. Wills have a module of their own."""

import string

import pytest

from bridge.mqtt import (
    Connack,
    Connect,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Version,
    encode,
)
from tests.broker.site import SECRET
from tests.mqtt.packets_table import INVALID, invalid
from tests.mqtt.raw import HEADS, KEEP_ALIVE, connect, pack, s
from tests.standard.conftest import NewServer
from tests.standard.peer import BOTH, KEPT, V5, V311, Server
from tests.standard.proves import proves

LETTERS = string.digits + string.ascii_lowercase + string.ascii_uppercase


@proves("MQTT3-3.1.0-1")
async def test_mqtt_3_1_0_1_what_does_not_begin_with_connect_is_cut_off(server: Server) -> None:
    rows = [row for row in INVALID if row.clause == "MQTT-3.1.0-1"]
    assert len(rows) == 240
    for row in rows:
        peer = await server.peer()
        peer.send_bytes(row.raw)
        assert await peer.ended() is None, row.name
        assert not peer.raw


@BOTH
@proves("MQTT3-3.1.0-2", "MQTT-3.2.0-2")
async def test_mqtt_3_1_0_2_connect_twice(server: Server, version: Version) -> None:
    watcher = await server.subscribed("a")
    client = await server.client("c", version)
    client.send(Connect(version, "c"), Publish("a", b"behind it"))
    assert await client.ended() == (0x82 if version is V5 else None)
    assert [frame[0] >> 4 for frame in client.frames].count(2) == 1
    await watcher.quiet()


@proves("MQTT3-3.1.2-1")
@pytest.mark.parametrize("version", [V311, V5], ids=["V311", "V5"])
async def test_mqtt_3_1_2_1_another_protocol_is_not_served(server: Server, version: Version) -> None:
    for name in (b"HTTP", b"mqtt", b"MQT", b"", b"MQTTX"):
        peer = await server.peer(version)
        body = HEADS[version].replace(b"\0\4MQTT", s(name))
        peer.send_bytes(pack(0x10, body, b"\2", KEEP_ALIVE, b"\0" if version is V5 else b"", s("c")))
        packet = await peer._next()
        if packet is not None:  # it may, and need not, say what it is
            assert isinstance(packet, Connack)
            assert packet.reason_code == (0x84 if version is V5 else 1)
            assert await peer._next() is None


async def test_mqtt_3_1_2_2_another_version_is_not_served(server: Server) -> None:
    peer = await server.peer()
    peer.send_bytes(pack(0x10, b"\0\4MQTT\6", b"\2", KEEP_ALIVE, b"\0", s("c")))
    assert await peer.refused() == 0x84


@pytest.mark.parametrize("level", [0, 1, 2, 3])
async def test_mqtt3_3_1_2_2_another_level_is_told(server: Server, level: int) -> None:
    peer = await server.peer(V311)
    peer.send_bytes(pack(0x10, b"\0\4MQTT" + bytes([level]), b"\2", KEEP_ALIVE, s("c")))
    assert await peer.receive(Connack) == Connack(False, 1)
    assert bytes(peer.raw) == b"\x20\2\0\1"
    assert await peer._next() is None


@BOTH
@proves("MQTT3-3.1.2-3")
async def test_mqtt_3_1_2_3_the_reserved_flag(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-3.1.2-3")


# Sessions


@BOTH
@proves("MQTT3-3.1.2-6", "MQTT-3.1.4-4", "MQTT3-3.1.4-3", "MQTT-3.2.2-2", "MQTT3-3.2.2-1")
async def test_mqtt_3_1_2_4_a_clean_start_discards_the_session(server: Server, version: Version) -> None:
    client = await server.kept("c", version)
    await client.subscribe("a")
    await client.disconnect()
    sender = await server.client(version=version)
    await sender.published("a")
    client = await server.client("c", version)
    assert not client.connack.session_present
    await client.quiet()
    await sender.published("a")
    await client.quiet()
    await client.disconnect()
    client = await server.kept("c", version)
    assert not client.connack.session_present
    await client.quiet()


@BOTH
@proves("MQTT3-3.1.2-4", "MQTT-3.2.2-3", "MQTT3-3.2.2-2", "MQTT-3.1.2-23")
async def test_mqtt_3_1_2_5_a_session_goes_on(server: Server, version: Version) -> None:
    client = await server.kept("c", version)
    await client.subscribe("a")
    await client.break_off()
    client = await server.kept("c", version)
    assert client.connack.session_present
    await (await server.client(version=version)).published("a")
    assert (await client.take()).payload == b"x"


@BOTH
@proves("MQTT3-3.1.2-4", "MQTT3-3.2.2-3", "MQTT-3.2.2-3")
async def test_mqtt_3_1_2_6_without_a_session_a_new_one_is_made(server: Server, version: Version) -> None:
    client = await server.kept("c", version)
    assert not client.connack.session_present
    await client.disconnect()
    assert (await server.kept("c", version)).connack.session_present


async def test_mqtt_3_1_2_23_a_session_is_kept_if_it_is_to_outlive_its_connection(server: Server) -> None:
    for expiry, kept in ((0, False), (1, True), (None, False), (0xFFFFFFFF, True)):
        properties = Properties() if expiry is None else Properties(session_expiry_interval=expiry)
        client = await server.client("c", clean=False, properties=properties)
        await client.break_off()
        assert (await server.client("c", clean=False)).connack.session_present is kept
        await (await server.client("c")).disconnect()


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_mqtt3_3_1_2_5_messages_wait_for_a_client_that_is_away(server: Server, qos: int) -> None:
    client = await server.kept("c", V311)
    await client.subscribe("a", 2)
    await client.break_off()
    await (await server.client(version=V311)).published("a", qos=qos)
    client = await server.kept("c", V311)
    if qos:
        assert (await client.take()).qos == qos
    await client.quiet()


# User name and password


@BOTH
@proves("MQTT3-3.1.2-18")
async def test_mqtt_3_1_2_16_a_user_name_that_is_not_announced(server: Server, version: Version) -> None:
    await server.refuses_named(version, f"connect {version.name.lower()} user name not announced")


@BOTH
@proves("MQTT3-3.1.2-19")
async def test_mqtt_3_1_2_17_a_user_name_that_is_missing(server: Server, version: Version) -> None:
    await server.refuses(version, [invalid(f"connect {version.name} user name missing")])


@BOTH
@proves("MQTT3-3.1.2-20")
async def test_mqtt_3_1_2_18_a_password_that_is_not_announced(server: Server, version: Version) -> None:
    peer = await server.peer(version)
    peer.send_bytes(connect(version, 0x82, s("c"), s("user"), s("password")))
    if version is V5:
        assert await peer.refused() == 0x81
    else:
        assert await peer.ended() is None


@BOTH
@proves("MQTT3-3.1.2-21")
async def test_mqtt_3_1_2_19_a_password_that_is_missing(server: Server, version: Version) -> None:
    await server.refuses(version, [invalid(f"connect {version.name} password missing")])


async def test_mqtt3_3_1_2_22_a_password_without_a_user_name(server: Server) -> None:
    await server.refuses_clause(V311, "MQTT3-3.1.2-22")


# Keep-alive


@BOTH
@proves("MQTT3-3.1.2-24", "MQTT-3.2.2-22")
async def test_mqtt_3_1_2_22_a_silent_client_is_cut_off(server: Server, version: Version) -> None:
    """After one and a half keep-alives, not before, and any packet counts."""
    client = await server.client("c", version, keep_alive=10)
    assert "server_keep_alive" not in client.connack.properties
    for packet in (Pingreq(), Publish("a"), Publish("a", qos=1, packet_id=1)):
        await server.let_pass(14)
        client.send(packet)
        await client.before_pong()
    await server.let_pass(17)
    assert await client.ended() == (0x8D if version is V5 else None)


# What the client takes


async def test_mqtt_3_1_2_24_no_packet_is_larger_than_the_client_takes(server: Server) -> None:
    size = await size_of_connack(server)
    client = await server.client("c", properties={"maximum_packet_size": size})
    sender = await server.client()
    assert await client.granted(Subscription("a", 2)) == [2]
    for qos in (0, 1, 2):
        for length in (0, 1, size - 9, size, 1000):
            await sender.published("a", b"x" * length, qos)
    await client.before_pong()
    client.send(Subscribe(9, [Subscription(f"b/{number}") for number in range(size)]))
    client.send(Unsubscribe(10, [f"b/{number}" for number in range(size)]))
    client.send(Pingreq())
    while (packet := await client._next()) is not None and not isinstance(packet, Pingresp):
        pass
    assert max(len(frame) for frame in client.frames) <= size
    assert sum(frame[0] >> 4 == 3 for frame in client.frames) >= 6


@proves("MQTT-3.1.2-24", "MQTT-3.1.2-25")
async def test_what_is_sent_again_is_not_larger_than_the_client_takes_now(server: Server) -> None:
    """A client that comes back with a smaller limit."""
    client = await server.kept("c")
    await client.subscribe("a", 2)
    sender = await server.client()
    for qos in (1, 2):
        await sender.published("a", b"x" * 1000, qos)
    await sender.published("a", b"small")
    for _ in range(3):
        await client.receive(Publish)
    await client.break_off()
    client = await server.kept("c", maximum_packet_size=200, receive_maximum=1)
    assert (await client.take()).payload == b"small"
    await client.quiet()
    assert max(len(frame) for frame in client.frames) <= 200


async def test_mqtt_3_1_2_25_what_is_too_large_counts_as_sent(server: Server) -> None:
    """It takes no place in the window, and does not come later."""
    client = await server.kept("c", maximum_packet_size=200, receive_maximum=1)
    await client.subscribe("a", 2)
    sender = await server.client()
    for qos in (1, 2, 1):
        assert await sender.published("a", b"x" * 1000, qos) == 0
    await sender.published("a", b"small", 1)
    assert (await client.take()).payload == b"small"
    await client.break_off()
    client = await server.kept("c")
    assert client.connack.session_present
    await client.quiet()


@proves("MQTT-3.3.2-11", "MQTT-3.3.2-8")
async def test_mqtt_3_1_2_26_no_alias_above_what_the_client_takes(server: Server) -> None:
    client = await server.client(properties={"topic_alias_maximum": 2})
    await client.subscribe("a/#", 2)
    sender = await server.client()
    names: dict[int, str] = {}
    for number in range(20):
        await sender.published(f"a/{number % 5}", qos=number % 3)
        publish = await client.take()
        alias = publish.properties.get("topic_alias")
        assert alias is None or 0 < alias <= 2
        if alias and publish.topic:
            names[alias] = publish.topic
        assert (publish.topic or names[alias or 0]) == f"a/{number % 5}"


@pytest.mark.parametrize("properties", [Properties(), Properties(topic_alias_maximum=0)])
async def test_mqtt_3_1_2_27_no_alias_for_a_client_that_takes_none(server: Server, properties: Properties) -> None:
    client = await server.client(properties=properties)
    await client.subscribe("a", 2)
    sender = await server.client()
    for qos in (0, 1, 2, 0, 1, 2):
        await sender.published("a", qos=qos)
        publish = await client.take()
        assert publish.topic == "a"
        assert "topic_alias" not in publish.properties


@pytest.mark.parametrize("properties", [Properties(), Properties(request_response_information=0)])
async def test_mqtt_3_1_2_28_no_response_information_unless_asked_for(server: Server, properties: Properties) -> None:
    client = await server.client(properties=properties)
    assert "response_information" not in client.connack.properties


async def test_mqtt_3_1_2_29_no_reasons_for_who_does_not_want_them(server: Server) -> None:
    client = await server.client(properties={"request_problem_information": 0})
    client.send(
        Publish("$oc/x", b"x", 1, packet_id=1),
        Publish("$oc/x", b"x", 2, packet_id=2),
        Publish("nobody/there", b"x", 1, packet_id=3),
        Pubrel(4),
        Pubrec(5),
        Subscribe(6, [Subscription("$oc/#"), Subscription("/".join("a" * 300))]),
        Unsubscribe(7, ["never"]),
    )
    kinds = (Puback, Pubrec, Puback, Pubcomp, Pubrel, Suback, Unsuback)
    for kind in kinds:
        packet = await client._next()
        assert isinstance(packet, kind)
        assert packet.properties == {}


# Client identifiers


@BOTH
@proves("MQTT3-3.1.3-1")
async def test_mqtt_3_1_3_1_the_fields_in_their_order(server: Server, version: Version) -> None:
    device = server.site.add_device("pump")
    watcher = await server.subscribed("w")
    peer = await server.peer(version)
    will_properties = b"\0" if version is V5 else b""
    peer.send_bytes(connect(version, 0xC6, s("pump"), will_properties, s("w"), s("gone"), s("pump"), s(SECRET)))
    assert (await peer.receive(Connack)).reason_code == 0
    assert server.site.hub.connected(device.key)
    peer.send_bytes(b"\0\0")
    assert (await watcher.take()).payload == b"gone"


@BOTH
@proves("MQTT3-3.1.3-2")
async def test_mqtt_3_1_3_2_the_identifier_says_which_session_is_meant(server: Server, version: Version) -> None:
    for client_id in ("c", "C"):
        client = await server.kept(client_id, version)
        assert not client.connack.session_present
        await client.subscribe(f"to/{client_id}")
        await client.disconnect()
    sender = await server.client()
    await sender.published("to/C", b"for C")
    client = await server.kept("c", version)
    await client.quiet()
    client = await server.kept("C", version)
    assert (await client.take()).payload == b"for C"


@BOTH
@proves("MQTT3-3.1.3-3")
async def test_mqtt_3_1_3_3_a_connect_without_an_identifier_field(server: Server, version: Version) -> None:
    await server.refuses_named(version, f"connect {version.name.lower()} client id missing")


@BOTH
@proves("MQTT3-3.1.3-4")
async def test_mqtt_3_1_3_4_an_identifier_that_is_no_string(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-1.5.4-1", f"connect {version.name.lower()} client id")


@BOTH
@proves("MQTT3-3.1.3-5")
async def test_mqtt_3_1_3_5_letters_and_digits_up_to_23(server: Server, version: Version) -> None:
    identifiers = [*LETTERS, LETTERS[:23], LETTERS[23:46], LETTERS[39:]]
    for client_id in identifiers:
        client = await server.client(client_id, version)
        await client.disconnect()


@BOTH
@proves("MQTT3-3.1.3-6", "MQTT-3.1.3-7", "MQTT-3.2.2-16")
async def test_mqtt_3_1_3_6_who_has_no_identifier_is_given_one(server: Server, version: Version) -> None:
    """Each another one: nobody takes anybody's place."""
    clients = [await server.client("", version) for _ in range(3)]
    for client in clients:
        await client.quiet()
    if version is V5:
        given = {client.connack.properties["assigned_client_identifier"] for client in clients}
        assert len(given) == 3
        assert "" not in given


async def test_mqtt_3_1_3_7_the_given_identifier_is_the_clients(server: Server) -> None:
    client = await server.client("", properties=KEPT)
    given = client.connack.properties["assigned_client_identifier"]
    await client.subscribe("a")
    await client.disconnect()
    client = await server.kept(given)
    assert client.connack.session_present
    assert "assigned_client_identifier" not in client.connack.properties


async def test_mqtt_3_2_2_16_a_given_identifier_belongs_to_no_kept_session(server: Server) -> None:
    given = set()
    for _ in range(5):
        client = await server.client("", clean=False, properties=KEPT)
        assert not client.connack.session_present
        given.add(client.connack.properties["assigned_client_identifier"])
        await client.disconnect()
    assert len(given) == 5


@BOTH
@proves("MQTT3-3.1.3-9")
async def test_mqtt_3_1_3_8_an_identifier_that_is_refused(server: Server, version: Version) -> None:
    """The identifier of a device is for the device."""
    server.site.add_device("pump")
    peer = await server.peer(version)
    peer.send(Connect(version, "pump"))
    assert await peer.refused() == (0x85 if version is V5 else 2)


async def test_mqtt3_3_1_3_8_no_identifier_and_nothing_to_forget(server: Server) -> None:
    peer = await server.peer(V311)
    assert await peer.connect("", clean=False) == Connack(False, 2)
    assert await peer._next() is None


@BOTH
@proves("MQTT3-3.1.3-11")
async def test_mqtt_3_1_3_12_a_user_name_that_is_no_string(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-1.5.4-1", f"connect {version.name.lower()} user name")


# Answers


@proves("MQTT-4.13.1-1")
async def test_mqtt_3_1_4_1_a_connect_that_breaks_its_form(server: Server) -> None:
    await server.refuses_named(V5, "connect v5")


@proves("MQTT3-3.2.2-6")
async def test_mqtt3_3_1_4_1_a_connect_that_breaks_its_form_is_not_answered(server: Server) -> None:
    rows = [row for row in INVALID if row.name.startswith("connect v311") and row.clause != "MQTT-3.1.2-2"]
    assert rows
    for row in rows:
        peer = await server.peer(V311)
        peer.send_bytes(row.raw)
        assert await peer.ended() is None
        assert not peer.raw, row.name


@BOTH
@proves("MQTT-3.2.2-7", "MQTT3-3.2.2-5", "MQTT-3.2.2-6", "MQTT3-3.2.2-4", "MQTT-4.13.2-1")
async def test_mqtt_3_1_4_2_a_wrong_password(server: Server, version: Version) -> None:
    server.site.add_device("pump")
    peer = await server.peer(version)
    peer.send(Connect(version, "pump", False, username="pump", password=b"wrong"))
    assert await peer.refused() == (0x86 if version is V5 else 4)


@BOTH
@proves("MQTT3-3.1.4-2")
async def test_mqtt_3_1_4_3_the_connection_there_was_ends(server: Server, version: Version) -> None:
    first = await server.client("c", version)
    second = await server.client("c", version)
    assert await first.ended() == (0x8E if version is V5 else None)
    await second.quiet()


@BOTH
@proves("MQTT3-3.1.4-4", "MQTT-3.2.2-8")
async def test_mqtt_3_1_4_5_what_is_accepted_is_told(server: Server, version: Version) -> None:
    client = await server.client("c", version)
    assert client.connack.reason_code == 0
    assert client.frames[0][:1] == b"\x20"


@BOTH
@proves("MQTT3-3.1.4-5")
async def test_mqtt_3_1_4_6_nothing_behind_a_refusal_is_worked_on(server: Server, version: Version) -> None:
    server.site.add_device("pump")
    watcher = await server.subscribed("a")
    peer = await server.peer(version)
    refused = encode(Connect(version, "pump", username="pump", password=b"wrong"), version)
    peer.send_bytes(refused + encode(Publish("a", b"x", 1, packet_id=1), version) + encode(Pingreq(), version))
    assert (await peer.receive(Connack)).reason_code != 0
    assert await peer._next() is None
    await watcher.quiet()


async def size_of_connack(server: Server) -> int:
    """What a client has to take to be told that it was accepted."""
    client = await server.client("c", properties={"maximum_packet_size": 1000})
    await client.disconnect()
    return len(client.frames[0])


@proves("MQTT-3.1.2-24", "MQTT-3.2.0-1")
async def test_who_does_not_take_the_connack_is_not_connected(new_server: NewServer) -> None:
    """Announcing less than the limits of the server would tell the client a lie."""
    server = await new_server()
    size = await size_of_connack(server)
    client = await server.client("c", properties={"maximum_packet_size": size})
    await client.quiet()
    peer = await server.peer()
    peer.send(Connect(V5, "d", properties={"maximum_packet_size": size - 1}))
    packet = await peer._next()
    assert packet is None or (isinstance(packet, Connack) and packet.reason_code == 0x95 and await peer._next() is None)
