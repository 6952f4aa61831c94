"""4.7 Topic names and topic filters."""

import pytest

from bridge.mqtt import Publish, Subscription, Version
from tests.mqtt.raw import ID, pack, s
from tests.standard.peer import BOTH, V5, Server
from tests.standard.proves import proves

LONGEST = 65_535


@BOTH
@proves("MQTT3-4.7.1-1")
async def test_mqtt_4_7_0_1_wildcards_stand_in_filters(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-3.3.2-2")
    client = await server.client(version=version)
    assert await client.granted(*(Subscription(f, 1) for f in ("+", "#", "a/+/b", "a/#", "+/+/#", "/+"))) == [1] * 6


MATCHES = {
    "sport/tennis/player1/#": ("sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/x"),
    "sport/#": ("sport", "sport/", "sport/tennis"),
    "#": ("sport", "/", "a/b/c", "/finance"),
    "sport/tennis/+": ("sport/tennis/player1", "sport/tennis/"),
    "sport/+": ("sport/", "sport/x"),
    "+/+": ("/finance", "a/b"),
    "/+": ("/finance",),
    "+": ("finance",),
    "+/tennis/#": ("sport/tennis", "/tennis/a/b"),
    "sport/+/player1": ("sport/tennis/player1", "sport//player1"),
}
OTHERS = {
    "sport/tennis/player1/#": ("sport/tennis", "sport/tennis/player10"),
    "sport/#": ("sports", "/sport"),
    "sport/tennis/+": ("sport/tennis", "sport/tennis/player1/ranking"),
    "sport/+": ("sport",),
    "+": ("/finance", "a/b"),
    "/+": ("finance", "//"),
    "sport/+/player1": ("sport/player1", "sport/a/b/player1"),
}


@BOTH
@proves("MQTT3-4.7.1-2", "MQTT-4.7.1-2", "MQTT3-4.7.1-3")
@pytest.mark.parametrize("topic_filter", MATCHES)
async def test_what_wildcards_match(server: Server, version: Version, topic_filter: str) -> None:
    client = await server.subscribed(topic_filter, 0, version)
    sender = await server.client()
    for topic in OTHERS.get(topic_filter, ()):
        await sender.published(topic, qos=0)
    for topic in MATCHES[topic_filter]:
        await sender.published(topic, qos=0)
        assert (await client.receive(Publish)).topic == topic
    await client.quiet()


@BOTH
@proves("MQTT3-4.7.1-2")
async def test_mqtt_4_7_1_1_hash_stands_last_and_alone(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-4.7.1-1")


@BOTH
@proves("MQTT3-4.7.1-3")
async def test_mqtt_4_7_1_2_plus_takes_a_whole_level(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-4.7.1-2")


@BOTH
@proves("MQTT3-4.7.2-1")
async def test_mqtt_4_7_2_1_leading_wildcards_do_not_match_dollar(server: Server, version: Version) -> None:
    blind = await server.admin(version)
    await blind.granted(*(Subscription(f, 1) for f in ("#", "+/monitor/Clients", "+/#", "+", "+/+/+")))
    seeing = await server.admin(version)
    await seeing.granted(*(Subscription(f, 1) for f in ("$SYSTEM/#", "$one", "$SYSTEM/monitor/+")))
    sender = await server.admin(version)
    for topic in ("$SYSTEM/monitor/Clients", "$one", "$SYSTEM"):
        await sender.published(topic)
        assert (await seeing.take()).topic == topic
    await blind.quiet()


@BOTH
@proves("MQTT3-4.7.3-1")
async def test_mqtt_4_7_3_1_at_least_one_character(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-4.7.3-1")
    client = await server.client(version=version)
    client.send_bytes(pack(0x30, s(""), b"\0" if version is V5 else b""))
    assert await client.ended() == (0x82 if version is V5 else None)
    client = await server.subscribed("/", version=version)
    await client.subscribe(" ")
    sender = await server.client(version=version)
    for topic in ("/", " "):
        await sender.published(topic)
        assert (await client.take()).topic == topic


@BOTH
@proves("MQTT3-4.7.3-2")
@pytest.mark.parametrize("text", [b"a\0", b"\0", b"a/\0/b"])
async def test_mqtt_4_7_3_2_no_null_characters(server: Server, version: Version, text: bytes) -> None:
    none = b"\0" if version is V5 else b""
    packets = pack(0x30, s(text), none), pack(0x82, ID, none, s(text), b"\0"), pack(0xA2, ID, none, s(text))
    for raw in packets:
        client = await server.client(version=version)
        client.send_bytes(raw)
        assert await client.ended() == (0x81 if version is V5 else None)


@BOTH
@proves("MQTT3-4.7.3-3")
async def test_mqtt_4_7_3_3_as_long_as_a_string_can_be(server: Server, version: Version) -> None:
    topic = "\u00fc" * (LONGEST // 2) + "x"
    client = await server.subscribed(topic, version=version)
    await (await server.client(version=version)).published(topic)
    assert (await client.take()).topic == topic


@BOTH
@proves("MQTT3-4.7.3-4")
async def test_mqtt_4_7_3_4_nothing_is_normalized(server: Server, version: Version) -> None:
    """Composed and decomposed, upper and lower case, full width, slashes in excess, percent signs, unassigned."""
    names = [
        "\u00c5",
        "A\u030a",
        "\u212b",
        "a",
        "A",
        "\uff21",
        "a/",
        "/a",
        "a//b",
        "a/b",
        "a/./b",
        "%61",
        " a",
        "\U000e0fff",
    ]
    clients = [await server.subscribed(name, 1, version) for name in names]
    sender = await server.client(version=version)
    for name, client in zip(names, clients, strict=True):
        await sender.published(name, name.encode())
        publish = await client.take()
        assert (publish.topic, publish.payload) == (name, name.encode())
    for client in clients:
        await client.quiet()
