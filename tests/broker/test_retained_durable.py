"""Retained messages are durable before they are acknowledged, and bounded."""

import logging

import pytest

from bridge.broker import retained
from bridge.mqtt import Puback, Publish, Pubrec, Subscription, Version
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt
from tests.broker.test_retained import BOTH, ask, follow, settled, told

EVERYTHING = Subscription("#", 1)


def stored(site: Site) -> dict[str, bytes]:
    return {each.topic: each.payload for _, each in site.store.retained_messages()}


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
async def test_it_is_acknowledged_after_its_commit(site: Site, version: Version, qos: int) -> None:
    pump = await site.log_in(site.add_device(), version)
    with site.writer_held():
        pump.publish("a", b"1", qos, retain=True)
        await pump.quiet()
        assert stored(site) == {}
        assert told(await ask(pump, EVERYTHING)) == [("a", b"1")]  # whoever subscribes now must not miss it
    if qos == 1:
        assert (await pump.receive(Puback)).reason_code < 0x80
    else:
        assert (await pump.receive(Pubrec)).reason_code < 0x80
    assert stored(site) == {"a": b"1"}


@BOTH
async def test_it_survives_a_restart(site: Site, version: Version) -> None:
    pump = site.add_device()
    client = await site.log_in(pump, version)
    client.publish("a", b"1", 1, retain=True)
    client.publish("b", b"1", 1, retain=True)
    client.publish("b", b"", 1, retain=True)
    client.publish("c", b"\x00" * 50_000, 0, retain=True)
    for _ in range(3):
        await client.receive(Puback)
    await client.quiet()
    await site.restart()
    found = await ask(await site.log_in(pump, version), EVERYTHING)
    assert told(found) == [("a", b"1"), ("c", b"\x00" * 50_000)]
    assert [each.qos for each in found] == [1, 0]


async def test_what_is_not_written_yet_is_written_at_the_end(site: Site) -> None:
    pump = await site.log_in(site.add_device())
    with site.writer_held():
        for number in range(3):
            pump.publish(f"a/{number}", b"x", retain=True)
            await pump.quiet()
        assert len(site.hub.retained._next) == 2
        site.hub.retained.close()
    await site.store.flush()
    assert len(stored(site)) == 3


async def test_many_messages_of_a_topic_become_one_write(site: Site) -> None:
    pump = await site.log_in(site.add_device())
    with site.writer_held():
        for number in range(100):
            pump.publish("fast", b"%d" % number, retain=True)
            await pump.quiet()
        assert [len(waiting) for waiting in (site.hub.retained._writing, site.hub.retained._next)] == [1, 1]
    await settled(site)
    assert stored(site) == {"fast": b"99"}


async def test_everyone_who_waits_for_a_topic_is_told(site: Site) -> None:
    pump = await site.log_in(site.add_device())
    with site.writer_held():
        identifiers = [pump.publish("a", b"%d" % number, 1, retain=True) for number in range(5)]
        identifiers += [pump.publish("a", b"", 1, retain=True), pump.publish("a", b"", 1, retain=True)]
        await pump.quiet()
    assert [(await pump.receive(Puback)).packet_id for _ in identifiers] == identifiers
    assert stored(site) == {}


async def test_more_than_a_batch(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retained, "BATCH", 10)
    pump = await site.log_in(site.add_device())
    identifiers = [pump.publish(f"a/{number}", b"x", 1, retain=True) for number in range(35)]
    assert [(await pump.receive(Puback)).packet_id for _ in identifiers] == identifiers
    assert len(stored(site)) == 35


# A disk that refuses


async def test_a_refused_write_in_version_5(site: Site) -> None:
    pump = await site.log_in(site.add_device())
    for payload in (b"1", b"2"):
        pump.publish("a", payload, 1, retain=True)
        await pump.receive(Puback)
    with site.writer_held(then_refusing=True):
        pump.publish("a", b"3", 1, retain=True)
        pump.publish("b", b"3", 1, retain=True)
        pump.publish("c", b"3", 0, retain=True)
        await pump.quiet()
        assert len(site.hub.retained) == 3
    assert [(await pump.receive(Puback)).reason_code for _ in range(2)] == [0x83, 0x83]
    site.accept_writes()
    await settled(site)
    assert told(await ask(pump, EVERYTHING)) == [("a", b"2")]
    assert stored(site) == {"a": b"2"}


async def test_a_refused_write_in_older_versions(site: Site) -> None:
    """There is no way to say no: the client sends it again [MQTT-4.4.0-1 of 3.1.1]."""
    pump = site.add_device()
    client = await site.log_in(pump, Version.V311)
    with site.writer_held(then_refusing=True):
        client.publish("a", b"1", 1, retain=True)
        await client.quiet()
    assert await client.ended() is None
    site.accept_writes()
    assert await ask(await site.log_in(pump), EVERYTHING) == []


async def test_a_refused_deletion(site: Site) -> None:
    pump = await site.log_in(site.add_device())
    pump.publish("a", b"1", 1, retain=True)
    await pump.receive(Puback)
    with site.writer_held(then_refusing=True):
        pump.publish("a", b"", 1, retain=True)
        await pump.quiet()
        assert len(site.hub.retained) == 0
    assert (await pump.receive(Puback)).reason_code == 0x83
    site.accept_writes()
    assert told(await ask(pump, EVERYTHING)) == [("a", b"1")]


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_later_message_decides_for_a_topic(site: Site, accepted: bool) -> None:
    """The write before it was refused; it is tried by itself."""
    pump = await site.log_in(site.add_device())
    pump.publish("a", b"1", 1, retain=True)
    await pump.receive(Puback)
    with site.writer_held(then_refusing=True):
        pump.publish("a", b"2", 1, retain=True)
        await pump.quiet()
        pump.publish("a", b"3", 1, retain=True)
        await pump.quiet()
        if accepted:
            written = site.hub.retained._written
            site.hub.retained._written = lambda *result: (site.accept_writes(), written(*result))  # type: ignore[assignment,method-assign,func-returns-value]
    assert (await pump.receive(Puback)).reason_code == 0x83
    assert (await pump.receive(Puback)).reason_code == (0x10 if accepted else 0x83)
    site.accept_writes()
    assert told(await ask(pump, EVERYTHING)) == [("a", b"3" if accepted else b"1")]
    assert list(stored(site).values()) == [b"3" if accepted else b"1"]


async def test_too_much_waits_for_its_commit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retained, "MOST_HELD", 3000)
    pump = await site.log_in(site.add_device())
    with site.writer_held():
        pump.publish("a", bytes(2000), 1, retain=True)
        pump.publish("b", bytes(2000), 1, retain=True)
        await pump.quiet()
    assert [(await pump.receive(Puback)).reason_code for _ in range(2)] == [0x10, 0x97]
    pump.publish("b", bytes(2000), 1, retain=True)
    assert (await pump.receive(Puback)).reason_code == 0x10


async def test_expired_messages_cannot_be_looked_for(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with site.unreadable("retained"):
        await site.let_pass(10)
    assert "the database cannot be used" in caplog.text
    site.hub.retained.keep("default", Publish("a", b"x", 0, True, properties={"message_expiry_interval": 1}), "")
    await settled(site)
    await site.let_pass(10)
    await settled(site)
    assert stored(site) == {}


async def test_more_expired_messages_than_go_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retained, "PRUNED_AT_ONCE", 10)
    for number in range(25):
        expiring = Publish(f"a/{number}", b"x", 0, True, properties={"message_expiry_interval": 1})
        site.hub.retained.keep("default", expiring, "")
    await settled(site)
    left = []
    for seconds in (10, 1, 1):
        await site.let_pass(seconds)
        await settled(site)
        left.append(len(stored(site)))
    assert left == [15, 5, 0]
    assert len(site.hub.retained) == 0


# Bounds


async def test_too_many_in_version_5(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_retained_messages=2))
    pump = await site.log_in(site.add_device())
    answers = []
    for topic, payload in (("a", b"1"), ("b", b"1"), ("c", b"1"), ("a", b"2"), ("b", b""), ("c", b"2")):
        pump.publish(topic, payload, 1, retain=True)
        answers.append((await pump.receive(Puback)).reason_code)
    assert answers == [0x10, 0x10, 0x97, 0x10, 0x10, 0x10]
    assert told(await ask(pump, EVERYTHING)) == [("a", b"2"), ("c", b"2")]
    assert site.hub.retained.not_retained == 1


async def test_what_is_refused_reaches_nobody(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_retained_messages=1))
    pump = await site.log_in(site.add_device())
    await pump.subscribe("b")
    pump.publish("a", b"1", 1, retain=True)
    pump.publish("b", b"1", 1, retain=True)
    assert [(await pump.receive(Puback)).reason_code for _ in range(2)] == [0x10, 0x97]
    await pump.quiet()


@pytest.mark.parametrize(("version", "qos"), [(Version.V311, 1), (Version.V311, 0), (Version.V5, 0)])
async def test_too_many_where_it_cannot_be_said(
    new_site: NewSite, version: Version, qos: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Sent to those who subscribed, and not retained; one log line tells of many."""
    site = await new_site(mqtt(max_retained_messages=1))
    pump = await site.log_in(site.add_device(), version)
    watcher = await site.log_in(site.add_device("watcher"))
    await watcher.subscribe("#", 0)
    with caplog.at_level(logging.WARNING):
        for topic in ("a", "b", "c"):
            pump.publish(topic, b"x", qos, retain=True)
            await (pump.receive(Puback) if qos else pump.quiet())
    assert told(await follow(watcher)) == [("a", b"x"), ("b", b"x"), ("c", b"x")]
    assert [record.getMessage() for record in caplog.records if "retained" in record.getMessage()] == [
        "messages are not retained: mqtt.max_retained_messages or mqtt.max_retained_bytes is reached"
    ]
    assert site.hub.retained.not_retained == 2
    assert told(await ask(watcher, EVERYTHING)) == [("a", b"x")]


async def test_bytes(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_retained_bytes=65_536))
    pump = await site.log_in(site.add_device())

    async def publish(topic: str, size: int) -> int:
        pump.publish(topic, bytes(size), 1, retain=True)
        return (await pump.receive(Puback)).reason_code

    assert await publish("a", 60_000) == 0x10
    assert await publish("b", 10_000) == 0x97
    assert await publish("a", 70_000) == 0x97
    assert await publish("a", 64_000) == 0x10
    assert await publish("/" * 100, 1) == 0x97
    assert await publish("a", 10_000) == 0x10
    assert await publish("b", 10_000) == 0x10
    assert await publish("/" * 100, 1) == 0x10
    for topic in ("a", "b", "/" * 100):
        assert await publish(topic, 0) == 0x10
    assert site.hub.retained.size == 0


async def test_properties_count(new_site: NewSite) -> None:
    site = await new_site(mqtt(max_retained_bytes=65_536))
    pump = await site.log_in(site.add_device())
    for properties in (
        {"user_properties": [("a", "b")] * 1000},
        {"content_type": "x" * 60_000, "correlation_data": bytes(60_000)},
    ):
        pump.publish("a", b"x", 1, properties, retain=True)  # type: ignore[arg-type]
        assert (await pump.receive(Puback)).reason_code == 0x97


@BOTH
async def test_one_that_is_too_large_is_not_left_behind_its_time(new_site: NewSite, version: Version) -> None:
    """[MQTT3-3.3.1-7] the message before it was replaced, though not by it."""
    site = await new_site(mqtt(max_retained_bytes=65_536))
    pump = await site.log_in(site.add_device(), version)
    pump.publish("a", b"1", 1, retain=True)
    await pump.receive(Puback)
    pump.publish("a", bytes(70_000), 0, retain=True)
    assert await ask(pump, EVERYTHING) == []
    await settled(site)
    assert stored(site) == {}


async def test_more_is_stored_than_the_settings_allow(new_site: NewSite, caplog: pytest.LogCaptureFixture) -> None:
    site = await new_site()
    pump = site.add_device()
    client = await site.log_in(pump)
    for topic in ("a", "b"):
        client.publish(topic, b"x", 1, retain=True)
        await client.receive(Puback)
    site._settings = mqtt(max_retained_messages=1)
    await site.restart()
    assert "more is retained than the settings allow" in caplog.text
    assert len(await ask(await site.log_in(pump), EVERYTHING)) == 2
