"""3.1.2.5 and 3.1.3.2 to 4: wills."""

import pytest

from bridge.mqtt import Disconnect, Properties, Subscription, Version, Will
from tests.mqtt.raw import connect, pack, s
from tests.standard.peer import BOTH, KEPT, V5, V311, Server
from tests.standard.proves import proves

WILL = Will("w", b"gone", 1)


@BOTH
@proves("MQTT3-3.1.2-8", "MQTT-3.1.2-7", "MQTT-3.1.2-9", "MQTT3-3.1.2-9")
async def test_mqtt_3_1_2_8_a_will_is_published(server: Server, version: Version) -> None:
    watcher = await server.subscribed("w")
    client = await server.client("c", version, will=WILL)
    await watcher.quiet()
    await client.break_off()
    publish = await watcher.take()
    assert (publish.topic, publish.payload, publish.qos) == ("w", b"gone", 1)


@proves("MQTT-3.1.2-8")
async def test_after_its_delay(server: Server) -> None:
    watcher = await server.subscribed("w")
    client = await server.kept("c", will=Will("w", b"gone", properties={"will_delay_interval": 10}))
    await client.break_off()
    await server.let_pass(9)
    await watcher.quiet()
    await server.let_pass(2)
    assert (await watcher.take()).payload == b"gone"
    await server.let_pass(2000)
    await watcher.quiet()


@proves("MQTT-3.1.2-8")
async def test_when_the_session_ends_before_its_delay(server: Server) -> None:
    watcher = await server.subscribed("w")
    will = Will("w", b"gone", properties={"will_delay_interval": 100})
    client = await server.client("c", will=will, properties={"session_expiry_interval": 10})
    await client.break_off()
    await server.let_pass(9)
    await watcher.quiet()
    await server.let_pass(2)
    assert (await watcher.take()).payload == b"gone"


@proves("MQTT-3.1.2-8", "MQTT-3.1.2-22", "MQTT3-3.1.2-8", "MQTT3-3.1.2-24")
@pytest.mark.parametrize("version", [V311, V5], ids=["V311", "V5"])
async def test_when_the_client_falls_silent(server: Server, version: Version) -> None:
    watcher = await server.subscribed("w")
    client = await server.client("c", version, will=WILL, keep_alive=10)
    await server.let_pass(17)
    assert await client.ended() == (0x8D if version is V5 else None)
    assert (await watcher.take()).payload == b"gone"


@proves("MQTT-3.1.2-8")
async def test_after_a_good_bye_that_asks_for_it(server: Server) -> None:
    watcher = await server.subscribed("w")
    client = await server.client("c", will=WILL)
    await client.disconnect(0x04)
    assert (await watcher.take()).payload == b"gone"


@BOTH
@proves("MQTT3-3.1.2-10", "MQTT-3.1.2-8", "MQTT3-3.1.2-8")
async def test_mqtt_3_1_2_10_a_will_that_was_published_is_gone(server: Server, version: Version) -> None:
    watcher = await server.subscribed("w", version=V311)
    client = await server.kept("c", version, will=WILL)
    await client.break_off()
    assert (await watcher.take()).payload == b"gone"
    client = await server.kept("c", version)
    assert client.connack.session_present
    await client.break_off()
    await server.let_pass(90_000)
    await watcher.quiet()


@BOTH
@proves("MQTT3-3.14.4-3", "MQTT-3.1.2-10", "MQTT3-3.1.2-10")
async def test_mqtt_3_14_4_3_a_good_bye_takes_the_will_back(server: Server, version: Version) -> None:
    watcher = await server.subscribed("w", version=V311)
    client = await server.kept("c", version, will=WILL)
    await client.disconnect()
    await server.let_pass(90_000)
    await watcher.quiet()


@BOTH
@proves("MQTT-3.1.2-9", "MQTT3-3.1.2-9")
async def test_a_will_that_is_announced_and_missing(server: Server, version: Version) -> None:
    await server.refuses_named(version, f"connect {version.name.lower()} will missing")


@BOTH
@proves("MQTT3-3.1.2-11", "MQTT3-3.1.2-13")
async def test_mqtt_3_1_2_11_the_qos_of_no_will(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-3.1.2-11")


async def test_mqtt3_3_1_2_11_a_will_that_is_not_announced(server: Server) -> None:
    peer = await server.peer(V311)
    peer.send_bytes(connect(V311, 0x02, s("c"), s("w"), s("gone")))
    assert await peer.ended() is None
    assert not peer.raw


@BOTH
async def test_mqtt3_3_1_2_12_no_will_no_message(server: Server, version: Version) -> None:
    watcher = await server.subscribed("#")
    client = await server.client("c", version)
    await client.break_off()
    await server.let_pass(10)
    await watcher.quiet()


@BOTH
@proves("MQTT3-3.1.2-14")
async def test_mqtt_3_1_2_12_the_qos_of_a_will(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-3.1.2-12")
    watcher = await server.subscribed("w")
    for qos in (0, 1, 2):
        client = await server.client("c", version, will=Will("w", b"gone", qos))
        await client.break_off()
        assert (await watcher.take()).qos == qos


@BOTH
@proves("MQTT3-3.1.2-15")
async def test_mqtt_3_1_2_13_will_retain_of_no_will(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-3.1.2-13")


@BOTH
@proves("MQTT3-3.1.2-16")
async def test_mqtt_3_1_2_14_a_will_that_is_not_retained(server: Server, version: Version) -> None:
    watcher = await server.client(version=version)
    await watcher.granted(Subscription("w", 1))
    client = await server.client("c", version, will=WILL)
    await client.break_off()
    assert not (await watcher.take()).retain
    late = await server.subscribed("w", version=version)
    await late.quiet()


@BOTH
@proves("MQTT3-3.1.2-17")
async def test_mqtt_3_1_2_15_a_will_that_is_retained(server: Server, version: Version) -> None:
    watcher = await server.subscribed("w", version=version)
    client = await server.client("c", version, will=Will("w", b"gone", 1, retain=True))
    await client.break_off()
    assert not (await watcher.take()).retain
    late = await server.subscribed("w", version=version)
    publish = await late.take()
    assert (publish.payload, publish.retain, publish.qos) == (b"gone", True, 1)


async def test_mqtt_3_1_3_9_no_will_of_a_client_that_is_back_in_time(server: Server) -> None:
    watcher = await server.subscribed("w")
    client = await server.kept("c", will=Will("w", b"gone", properties={"will_delay_interval": 10}))
    await client.break_off()
    await server.let_pass(5)
    client = await server.kept("c")
    await server.let_pass(20)
    await watcher.quiet()
    await client.disconnect()
    await server.let_pass(2000)
    await watcher.quiet()


async def test_mqtt_3_1_3_10_user_properties_of_a_will_keep_their_order(server: Server) -> None:
    watcher = await server.subscribed("w")
    pairs = [("b", "2"), ("a", "1"), ("b", "1"), ("b", "2")]
    properties = Properties(user_properties=pairs, content_type="text/plain", correlation_data=b"\0")
    client = await server.client("c", will=Will("w", b"gone", properties=properties))
    client.send(Disconnect(0x04))
    assert await client.ended() is None
    assert (await watcher.take()).properties == properties


@BOTH
@proves("MQTT3-3.1.3-10")
async def test_mqtt_3_1_3_11_a_topic_of_a_will_that_is_no_string(server: Server, version: Version) -> None:
    await server.refuses_clause(version, "MQTT-1.5.4-1", f"connect {version.name.lower()} will topic")


async def test_mqtt_3_1_2_7_a_will_lives_with_its_session(server: Server) -> None:
    """It is the will of the last CONNECT that counts."""
    watcher = await server.subscribed("w")
    await (await server.kept("c", will=WILL)).disconnect()
    client = await server.client("c", clean=False, will=Will("w", b"second"), properties=KEPT)
    client.send_bytes(pack(0x30))
    assert await client.ended() == 0x81
    assert (await watcher.take()).payload == b"second"
    await watcher.quiet()
