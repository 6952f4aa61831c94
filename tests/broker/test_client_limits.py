"""Limits of a device, and of a client that is none."""

from typing import Any

import pytest

from bridge.broker.settings import MqttSettings
from bridge.mqtt import Publish, Suback, Subscribe, Subscription, Version
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import Site, mqtt
from tests.broker.test_messages import BOTH

WHO = pytest.mark.parametrize("device", [True, False], ids=["device", "other"])


def settings(name: str, value: int, *, device: bool) -> MqttSettings:
    """A small limit for the one kind of clients; that of the other kind is as it is unless told otherwise."""
    return mqtt(allow_anonymous=True, **{f"max_{'' if device else 'client_'}{name}": value})


async def enter(site: Site, version: Version = Version.V5, *, device: bool, **fields: Any) -> RawClient:
    if device:
        return await site.log_in(site.add_device(), version, **fields)
    client = await site.client(version)
    assert (await client.connect("other", **fields)).reason_code == 0
    return client


@BOTH
@WHO
async def test_topic_filters(new_site: NewSite, version: Version, device: bool) -> None:
    """What is over the limit is refused, filter by filter, and one line says so."""
    site = await new_site(settings("subscriptions", 2, device=device))
    client = await enter(site, version, device=device)
    client.send(Subscribe(1, [Subscription(name) for name in "abcd"]))
    over = 0x97 if version is Version.V5 else 0x80
    assert (await client.receive(Suback)).reason_codes == [0, 0, over, over]


@pytest.mark.parametrize(("device", "count"), [(True, 100), (False, 10_000)])
async def test_as_many_as_there_may_be_unless_told_otherwise(new_site: NewSite, device: bool, count: int) -> None:
    """The filters of a Home Assistant with hundreds of entities are granted."""
    site = await new_site(mqtt(allow_anonymous=True))
    client = await enter(site, device=device)
    for start in range(0, count, 1000):
        some = min(1000, count - start)
        client.send(Subscribe(1, [Subscription(f"homeassistant/{start + number}/set") for number in range(some)]))
        assert set((await client.receive(Suback)).reason_codes) == {0}
    assert await client.subscribe("one/more", 0) == 0x97


@WHO
async def test_messages_in_flight(new_site: NewSite, device: bool) -> None:
    site = await new_site(settings("inflight", 2, device=device))
    client = await enter(site, device=device)
    await client.subscribe("a", 1)
    for number in range(5):
        site.hub.router.route("default", Publish("a", b"%d" % number, 1))
    assert [packet.payload for packet in await client.before_pong() if isinstance(packet, Publish)] == [b"0", b"1"]


@WHO
@pytest.mark.parametrize(("name", "value", "kept"), [("queued_messages", 3, 3), ("queued_bytes", 180, 3)])
async def test_messages_that_wait(new_site: NewSite, device: bool, name: str, value: int, kept: int) -> None:
    site = await new_site(settings(name, value, device=device))
    properties = {"session_expiry_interval": 1000, "receive_maximum": 1}
    client = await enter(site, device=device, clean=False, properties=properties)
    await client.subscribe("a", 1)
    for _ in range(10):
        site.hub.router.route("default", Publish("a", bytes(50), 1))
    (session,) = site.hub.sessions
    assert (session.queued, session.dropped) == (kept, 9 - kept)


@pytest.mark.slow
@WHO
async def test_the_rate(new_site: NewSite, device: bool) -> None:
    site = await new_site(settings("publish_rate", 10, device=device))
    client = await enter(site, device=device)
    await client.subscribe("a", 0)
    client.send(*(Publish("a") for _ in range(30)))
    burst = [packet for packet in await client.before_pong() if isinstance(packet, Publish)]
    assert 10 <= len(burst) <= 30
    (line,) = site.hub._lines
    assert line._quota is not None  # type: ignore[attr-defined]
