"""3.8 SUBSCRIBE and 3.9 SUBACK."""

import pytest

from bridge.mqtt import Publish, Subscription, Version
from tests.mqtt.raw import ID, pack, s
from tests.standard.conftest import NewServer
from tests.standard.peer import BOTH, V5, V311, Server
from tests.standard.proves import proves


@BOTH
@proves("MQTT3-3.8.1-1")
async def test_mqtt_3_8_1_1_flags_of_subscribe(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-2.1.3-1", "type 8 ")


@BOTH
@proves("MQTT3-3.8.3-1")
async def test_mqtt_3_8_3_1_filters_that_are_no_strings(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-1.5.4-1", f"subscribe {version.name.lower()} filter")


@BOTH
@proves("MQTT3-3.8.3-3")
async def test_mqtt_3_8_3_2_no_filter(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-3.8.3-2")


async def test_mqtt_3_8_3_3_no_local(server: Server) -> None:
    """Not to the client that published, in whatever connection; to all others."""
    client = await server.kept("c")
    other = await server.client("d")
    for each in (client, other):
        await each.granted(Subscription("a", 2, no_local=True))
    for qos in (0, 1, 2):
        await client.published("a", b"x", qos)
        assert (await other.take()).payload == b"x"
    await client.quiet()
    await client.break_off()
    client = await server.kept("c")
    await client.published("a", b"y")
    assert (await other.take()).payload == b"y"
    await client.quiet()
    await other.published("a", b"z")
    assert (await client.take()).payload == b"z"


async def test_mqtt_3_8_3_4_no_local_on_a_shared_subscription(server: Server) -> None:
    await server.refuses_clause(V5, "MQTT-3.8.3-4")


async def test_mqtt_3_8_3_5_reserved_options(server: Server) -> None:
    await server.refuses_clause(V5, "MQTT-3.8.3-5")


async def test_mqtt3_3_8_3_4_reserved_bits_and_qos_3(server: Server) -> None:
    await server.refuses_clause(V311, "MQTT3-3.8.3-4")


@BOTH
async def test_mqtt_3_8_4_3_the_last_subscription_to_a_filter_counts(server: Server, version: Version) -> None:
    client = await server.client(version=version)
    sender = await server.client()
    for topic_filter in ("a/b", "a/+"):
        for qos in (2, 0, 1):
            await client.subscribe(topic_filter, qos)
            await sender.published("a/b", qos=2)
            assert (await client.take()).qos == qos
        await client.unsubscribe(topic_filter)
        await sender.published("a/b")
        await client.quiet()


@proves("MQTT-3.8.4-3", "MQTT-3.8.3-3")
async def test_the_last_options_count(server: Server) -> None:
    client = await server.client()
    for no_local in (True, False, True):
        await client.granted(Subscription("a", 0, no_local=no_local))
        client.publish("a", b"x")
        if not no_local:
            await client.receive(Publish)
        await client.quiet()


@BOTH
@proves(
    "MQTT3-3.8.4-4",
    "MQTT-3.8.4-6",
    "MQTT3-3.8.4-5",
    "MQTT-3.8.4-7",
    "MQTT-3.9.3-1",
    "MQTT3-3.9.3-1",
    "MQTT-3.9.3-2",
    "MQTT3-3.9.3-2",
)
async def test_mqtt_3_8_4_5_several_filters(server: Server, version: Version) -> None:
    """Each counts, and each has its code, in their order."""
    client = await server.client(version=version)
    filters = [("a", 2), ("$oc/#", 1), ("b/+", 0), ("a", 1), ("c/#", 2), ("/".join("x" * 300), 0)]
    codes = await client.granted(*(Subscription(topic_filter, qos) for topic_filter, qos in filters))
    failures = (0x87, 0x8F) if version is V5 else (0x80, 0x80)
    assert codes == [2, failures[0], 0, 1, 2, failures[1]]
    sender = await server.client()
    for topic, qos in (("a", 1), ("b/x", 0), ("c", 2)):
        await sender.published(topic, qos=2)
        assert (await client.take()).qos == qos


@proves("MQTT-3.8.4-7", "MQTT-3.9.3-2", "MQTT3-3.8.4-5", "MQTT3-3.9.3-2")
@pytest.mark.parametrize("version", [V311, V5], ids=["V311", "V5"])
async def test_what_goes_beyond_the_limit_is_a_failure(new_server: NewServer, version: Version) -> None:
    server = await new_server(max_client_subscriptions=2)
    client = await server.client(version=version)
    codes = await client.granted(*(Subscription(name, 1) for name in "aba"), Subscription("c"))
    assert codes == [1, 1, 1, 0x97 if version is V5 else 0x80]


@BOTH
@proves("MQTT3-3.8.4-6")
@pytest.mark.parametrize("sent", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
async def test_mqtt_3_8_4_8_the_lower_qos(server: Server, version: Version, sent: int, granted: int) -> None:
    client = await server.subscribed("a", granted, version)
    await (await server.client()).published("a", qos=sent)
    assert (await client.take()).qos == min(sent, granted)
    await client.quiet()


async def test_mqtt_3_3_4_3_the_identifier_of_the_subscription(server: Server) -> None:
    client = await server.client()
    await client.granted(Subscription("a/#", 2), identifier=7)
    await client.granted(Subscription("b", 2), identifier=268_435_455)
    await client.granted(Subscription("c", 2))
    sender = await server.client()
    for topic, identifiers in (("a/x", [7]), ("b", [268_435_455]), ("c", None)):
        for qos in (0, 1, 2):
            await sender.published(topic, qos=qos)
            assert (await client.take()).properties.get("subscription_identifiers") == identifiers


async def test_mqtt_3_3_4_4_the_identifiers_of_all_that_match(server: Server) -> None:
    client = await server.client()
    for number, topic_filter in enumerate(("a/b", "a/+", "#", "a/b/#"), 1):
        await client.granted(Subscription(topic_filter, 1), identifier=number)
    await client.granted(Subscription("+/b", 2))
    await client.granted(Subscription("c", 2), identifier=9)
    await (await server.client()).published("a/b", qos=2)
    publish = await client.take()
    assert sorted(publish.properties["subscription_identifiers"]) == [1, 2, 3, 4]
    assert publish.qos == 2
    await client.quiet()


@proves("MQTT-3.3.4-3")
async def test_a_new_subscription_has_its_own_identifier(server: Server) -> None:
    client = await server.kept("c")
    await client.granted(Subscription("a", 1), identifier=1)
    await client.granted(Subscription("a", 1), identifier=2)
    sender = await server.client()
    await sender.published("a")
    assert (await client.take()).properties["subscription_identifiers"] == [2]
    await client.disconnect()
    await sender.published("a")
    client = await server.kept("c")
    assert (await client.take()).properties["subscription_identifiers"] == [2]
    await client.granted(Subscription("a", 1))
    await sender.published("a")
    assert "subscription_identifiers" not in (await client.take()).properties


@BOTH
@proves("MQTT-4.7.1-1", "MQTT3-4.7.1-2")
async def test_levels_behind_a_hash_end_the_connection(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-4.7.1-1")
    client = await server.client(version=version)
    client.send_bytes(pack(0x82, ID, b"\0" if version is V5 else b"", s("a/#/b"), b"\0"))
    assert await client.ended() == (0x81 if version is V5 else None)
