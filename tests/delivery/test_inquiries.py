"""Questions about the messages of a project."""

import asyncio
from typing import Any

import pytest

from bridge.delivery import DeliverySettings, reading
from bridge.model.errors import UnknownDevice
from bridge.model.inquiry import Inquiry, Page
from bridge.model.message import Status
from bridge.mqtt import Publish
from bridge.store import search
from tests.broker.site import Site, mqtt
from tests.broker.times import turn
from tests.delivery.conftest import NewSite


async def find(site: Site, limit: int = 10, **asked: Any) -> Page:
    return await site.delivery.find("default", Inquiry(limit, **asked))


def names(page: Page) -> list[tuple[str, str]]:
    return [(device_id, message.draft.message_id) for device_id, message in page.messages]


async def test_of_all_devices_and_of_one(site: Site) -> None:
    pump, other, elsewhere = site.add_device(), site.add_device("pump-2"), site.add_device(project="plant")
    for device, name in ((pump, "1"), (other, "2"), (elsewhere, "3"), (pump, "4")):
        await site.submit(device, name)
    assert names(await find(site)) == [("pump-1", "4"), ("pump-2", "2"), ("pump-1", "1")]
    assert names(await find(site, device_id="pump-1")) == [("pump-1", "4"), ("pump-1", "1")]
    page = await find(site, 1)
    assert names(await find(site, 1, before=page.rest)) == [("pump-2", "2")]
    with pytest.raises(UnknownDevice):
        await find(site, device_id="nobody")


@pytest.mark.parametrize("tell", ["recorded", "acknowledged"])
async def test_as_it_is_decided(new_site: NewSite, tell: str) -> None:
    """Delivered and cancelled, and nothing of it is committed."""
    site = await new_site(mqtt(), DeliverySettings(ack_wait=0, tell=tell))
    pump = site.add_device()
    client = await site.log_in(pump)
    await site.submit(pump, "delivered")
    publish = await client.receive(Publish)
    await site.submit(pump, "cancelled")
    await client.receive(Publish)
    with site.writer_held():
        await client.acknowledge(publish)
        await client.quiet()
        cancelled = asyncio.create_task(site.delivery.cancel("default", "pump-1", "cancelled"))
        await turn()
        [(_, message)] = (await find(site)).messages
        early = tell == "acknowledged"
        shown = Status.DELIVERED if early else Status.PENDING
        assert (message.draft.message_id, message.status) == ("delivered", shown)
        assert names(await find(site, status=Status.PENDING)) == ([] if early else [("pump-1", "delivered")])
    await cancelled


async def test_a_page_is_put_together(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store looks at little at a time."""
    monkeypatch.setattr(search, "MOST_CONTENT", 1)
    pump = site.add_device()
    for number in range(6):
        await site.submit(pump, str(number))
    page = await find(site, 4)
    assert [name for _, name in names(page)] == ["5", "4", "3", "2"]
    assert [name for _, name in names(await find(site, 4, before=page.rest))] == ["1", "0"]


@pytest.mark.parametrize("bound", ["_LOOKS", "_MOST_CONTENT"])
async def test_a_page_is_bounded(site: Site, bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_CONTENT", 1)
    monkeypatch.setattr(reading, bound, 2 if bound == "_LOOKS" else 2 * len('"hello"'))
    pump = site.add_device()
    for number in range(3):
        await site.submit(pump, str(number))
    page = await find(site, 3)
    assert [name for _, name in names(page)] == ["2", "1"]
    assert [name for _, name in names(await find(site, 3, before=page.rest))] == ["0"]
