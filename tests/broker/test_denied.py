"""Topics that nobody may use."""

import pytest

from bridge.mqtt import Connack, Puback, Publish, Pubrec, Version, Will
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt
from tests.broker.test_messages import BOTH


@BOTH
@pytest.mark.parametrize("code", [0x87, 0x80])
async def test_subscribing(new_site: NewSite, version: Version, code: int) -> None:
    site = await new_site(mqtt(deny_subscribe=("test/nosubscribe", "secret/#"), deny_subscribe_code=f"{code:#x}"))
    client = await site.log_in(site.add_device(), version)
    expected = code if version is Version.V5 else 0x80
    for topic_filter in ("test/nosubscribe", "secret/#", "secret/+", "secret", "secret/a/b/#"):
        assert await client.subscribe(topic_filter) == expected
    for topic_filter in ("test/nosubscribe/a", "test/+", "#", "+/a"):
        assert await client.subscribe(topic_filter) == 1


async def test_a_wider_filter_is_granted_without_what_is_denied(new_site: NewSite) -> None:
    site = await new_site(mqtt(deny_subscribe=("secret/#",)))
    client = await site.log_in(site.add_device())
    await client.subscribe("#", 0)
    for topic in ("secret", "secret/a", "open"):
        client.publish(topic, b"x")
    assert (await client.take()).topic == "open"
    await client.quiet()


@BOTH
async def test_publishing(new_site: NewSite, version: Version) -> None:
    """MQTT 5 is told; before, the message is taken and goes nowhere [MQTT3-3.3.5-2]."""
    site = await new_site(mqtt(deny_publish=("readings/raw/#",)))
    listener = await site.log_in(site.add_device("listener"))
    await listener.subscribe("#", 0)
    client = await site.log_in(site.add_device(), version)
    expected = 0x87 if version is Version.V5 else 0
    client.publish("readings/raw/a", b"x", 0)
    client.publish("readings/raw/a", b"x", 1)
    assert (await client.receive(Puback)).reason_code == expected
    client.publish("readings/raw/a", b"x", 2)
    assert (await client.receive(Pubrec)).reason_code == expected
    client.publish("readings/a", b"x", 0)
    assert (await listener.take()).topic == "readings/a"
    await listener.quiet()


async def test_wills(new_site: NewSite) -> None:
    site = await new_site(mqtt(deny_publish=("readings/raw/#",)))
    site.add_device()
    client = await site.client()
    connack: Connack = await client.connect("pump-1", "pump-1", SECRET, will=Will("readings/raw/a", b"x"))
    assert connack.reason_code == 0x87


# The payload format


@pytest.mark.parametrize(("qos", "answer"), [(1, Puback), (2, Pubrec)])
async def test_a_payload_that_is_not_what_it_says(site: Site, qos: int, answer: type[Puback] | type[Pubrec]) -> None:
    """[MQTT5 3.3.2.3.2]"""
    client = await site.log_in(site.add_device())
    await client.subscribe("a", 0)
    for payload, reason in ((b"\xff", 0x99), (b"\xed\xa0\x80", 0x99), ("\0ü".encode(), 0)):
        client.send(Publish("a", payload, qos, packet_id=5, properties={"payload_format_indicator": 1}))
        if not reason:
            assert (await client.take()).properties == {"payload_format_indicator": 1}
        assert (await client.receive(answer)).reason_code == reason
    client.publish("a", b"\xff", 0, {"payload_format_indicator": 0})
    assert (await client.take()).payload == b"\xff"


async def test_at_qos_0_only_a_disconnect_tells(site: Site) -> None:
    client = await site.log_in(site.add_device())
    client.publish("a", b"\xff", 0, {"payload_format_indicator": 1})
    assert await client.ended() == 0x99


async def test_a_will_that_is_not_what_it_says(site: Site) -> None:
    """[MQTT5 3.1.3.2.3]"""
    site.add_device()
    for payload, reason in ((b"\xff", 0x99), (b"x", 0)):
        client = await site.client()
        will = Will("a", payload, properties={"payload_format_indicator": 1})
        connack = await client.connect("pump-1", "pump-1", SECRET, will=will)
        assert connack.reason_code == reason


async def test_properties_are_forwarded_unaltered_and_in_order(site: Site) -> None:
    """[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]"""
    client = await site.log_in(site.add_device())
    await client.subscribe("a", 0)
    properties = {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": "b/c",
        "correlation_data": b"\x00\xff",
        "user_properties": [("b", "1"), ("a", ""), ("b", "1"), ("", "ü")],
    }
    client.publish("a", b"x", 0, properties)  # type: ignore[arg-type]
    assert (await client.take()).properties == properties


async def test_what_is_retained_there_reaches_nobody(new_site: NewSite) -> None:
    site = await new_site(mqtt(deny_subscribe=("secret/#",)))
    client = await site.log_in(site.add_device())
    for topic in ("secret/a", "open/a"):
        client.publish(topic, b"kept", 0, retain=True)
    await client.subscribe("#")
    assert (await client.receive(Publish)).topic == "open/a"
    await client.quiet()
