"""P8: what a message costs does not depend on how many others there are. Counted in calls, not measured in time."""

import asyncio
import sqlite3
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import pytest

from bridge.broker.link import Link
from bridge.model.device import Device
from bridge.model.message import Status
from bridge.mqtt import Connect, Publish, Subscribe, Subscription, Version, encode
from tests.broker.client import RawClient
from tests.broker.conftest import NewSite
from tests.broker.site import SECRET, Site, mqtt
from tests.broker.times import turn

FEW, MANY = 10, 2000
TOLERANCE = 1.3
"""Timers come between; a cost that grew with the crowd would be two hundred times as high."""


class Sink(asyncio.Transport):
    """A connection whose client takes everything and says nothing."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def write_eof(self) -> None:
        pass

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def register(site: Site, count: int) -> None:
    """That many devices, in one transaction."""
    rows = [(f"crowd-{number}", SECRET, site.clock()) for number in range(count)]
    connection = sqlite3.connect(site.path)
    with connection:
        connection.executemany(
            "INSERT INTO device (project, device_id, secret, created_at) VALUES ('default', ?, ?, ?)", rows
        )
    connection.close()


def connect(site: Site, number: int) -> Link:
    device_id = f"crowd-{number}"
    link = Link(site.hub, site.broker._listeners[0])
    link.connection_made(Sink())
    link.feed(encode(Connect(Version.V5, device_id, username=device_id, password=SECRET.encode()), Version.V5))
    assert link.session is not None
    return link


def subscribe(link: Link, number: int) -> None:
    """Subscriptions of its own and one of all, exact ones and such with wildcards."""
    filters = (f"$oc/devices/crowd-{number}/user/#", f"plant/{number}/+", f"plant/{number}/exact", "plant/+/alarm")
    link.feed(encode(Subscribe(1, [Subscription(topic_filter) for topic_filter in filters]), Version.V5))
    assert link.session is not None
    assert len(link.session.subscriptions) == 4


async def crowd(site: Site, first: int, last: int) -> list[Link]:
    """Connected devices, when everything that a connection sets going has come to rest."""
    links = [connect(site, number) for number in range(first, last)]
    for number, link in enumerate(links, first):
        subscribe(link, number)
    while site.delivery._drains._scheduled:
        await turn()
    return links


async def calls(action: Callable[[], Awaitable[None]]) -> int:
    """Function calls by and within our code: the least of several times, because timers come between."""
    counts = []
    for _ in range(10):
        count = 0

        def profile(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal count
            if event in ("call", "c_call"):
                count += str(frame.f_globals.get("__name__")).startswith("bridge.")

        sys.setprofile(profile)
        try:
            await action()
        finally:
            sys.setprofile(None)
        counts.append(count)
    return min(counts)


async def cost_of_a_delivery(site: Site, pump: Device, client: RawClient) -> int:
    async def deliver() -> None:
        submission = asyncio.ensure_future(site.submit(pump))
        await client.take()
        message = await submission
        await client.quiet()
        assert await site.stored_as(message) is Status.DELIVERED

    return await calls(deliver)


async def cost_of_a_message_between_clients(sender: RawClient, receiver: RawClient) -> int:
    async def send() -> None:
        sender.send(Publish("plant/hall/exact", b"x"), Publish("plant/hall/other", b"x"))
        for _ in range(2):
            await receiver.receive(Publish)

    return await calls(send)


@pytest.mark.slow
async def test_a_message_costs_the_same_among_many(new_site: NewSite) -> None:
    """2,000 connected devices with subscriptions cost a message no more than 10 do."""
    site = await new_site(mqtt())
    pump = site.add_device()
    register(site, MANY)
    client = await site.log_in(pump)
    await client.subscribe("plant/hall/exact", 0)
    await client.subscribe("plant/hall/+", 0)
    sender = await site.log_in(site.add_device("sender"))

    links = await crowd(site, 0, FEW)
    delivery_among_few = await cost_of_a_delivery(site, pump, client)
    publish_among_few = await cost_of_a_message_between_clients(sender, client)
    links += await crowd(site, FEW, MANY)
    assert len(site.hub._lines) == MANY + 2

    assert await cost_of_a_delivery(site, pump, client) <= delivery_among_few * TOLERANCE
    assert await cost_of_a_message_between_clients(sender, client) <= publish_among_few * TOLERANCE
    for link in links:
        link.connection_lost(None)


async def test_a_connection_costs_little(new_site: NewSite) -> None:
    """What we hold for an idle device, beside its socket: well below the 8 KB of the whole."""
    site = await new_site(mqtt())
    register(site, 600)
    links = [connect(site, number) for number in range(100)]
    tracemalloc.start()
    links += [connect(site, number) for number in range(100, 600)]
    each = tracemalloc.get_traced_memory()[0] / 500
    tracemalloc.stop()
    assert each < 6000
    for link in links:
        link.connection_lost(None)


@pytest.mark.slow
async def test_a_silent_crowd_costs_a_tick_nothing(new_site: NewSite) -> None:
    """The wheel looks at a connection when its time may be up, and not before."""
    site = await new_site(mqtt())
    register(site, MANY)
    links = await crowd(site, 0, FEW)

    async def tick() -> None:
        await site.let_pass(0.3)

    await site.let_pass(60)  # past the time they had for their CONNECT
    few = await calls(tick)
    links += await crowd(site, FEW, MANY)
    await site.let_pass(60)
    assert await calls(tick) <= few * TOLERANCE
    for link in links:
        link.connection_lost(None)
