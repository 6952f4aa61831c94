"""Broadcasts: who hears them, and what is refused."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge.mqtt import Properties, Version
from tests.api.batch_server import ApiSite
from tests.api.client import Answer, Client
from tests.api.memory import PROJECT

PATH = f"/v5/iot/{PROJECT}/broadcast-messages"
NEWS = "$oc/broadcast/news"
LARGEST = base64.b64encode(b"x" * 98_304).decode()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ApiSite]:
    async with ApiSite.served(tmp_path / "bridge.db") as site:
        yield site


@pytest.fixture
async def client(site: ApiSite) -> AsyncIterator[Client]:
    async with Client(site.server.address) as client:
        yield client


async def post(client: Client, who: str = "app", **fields: Any) -> Answer:
    body = {"topic_full_name": NEWS, "message": "aGVsbG8=", **fields}
    return await client.request("POST", PATH, json.dumps(body), who=who)


async def test_who_subscribed_hears_it(site: ApiSite, client: Client) -> None:
    exact, wide, other, stranger = [
        await site.log_in(site.add_device(f"d{number}"), version)
        for number, version in enumerate((Version.V5, Version.V311, Version.V5, Version.V31))
    ]
    foreign = await site.log_in(site.add_device("d9", "elsewhere"))
    assert await exact.subscribe(NEWS, 1) == 1
    assert await wide.subscribe("$oc/broadcast/#", 0) == 0
    assert await other.subscribe("$oc/broadcast/sports", 1) == 1
    assert await foreign.subscribe(NEWS, 1) == 1
    answer = await post(client)
    assert answer.status == 201
    assert set(answer.json()) == {"topic_full_name", "message_id", "created_time"}
    heard = [await exact.take(), await wide.take()]
    assert [(publish.topic, publish.payload, publish.qos) for publish in heard] == [
        (NEWS, b"hello", 1),
        (NEWS, b"hello", 0),
    ]
    for silent in (other, stranger, foreign):
        await silent.quiet()


async def test_without_ttl_nobody_hears_it_later(site: ApiSite, client: Client) -> None:
    pump = site.add_device()
    kept = Properties(session_expiry_interval=3600)
    device = await site.log_in(pump, clean=False, properties=kept)
    await device.subscribe(NEWS, 1)
    await site.log_out(pump, device)
    assert (await post(client)).status == 201
    assert (await post(client, message=base64.b64encode(b"later").decode(), ttl=5)).status == 201
    device = await site.log_in(pump, clean=False, properties=kept)
    publish = await device.take()
    assert publish.payload == b"later"
    assert 0 < publish.properties["message_expiry_interval"] <= 300
    await device.quiet()


async def test_a_device_may_hear_but_not_speak(site: ApiSite) -> None:
    listener = await site.log_in(site.add_device("listener"))
    speaker = await site.log_in(site.add_device("speaker"))
    assert await listener.subscribe("$oc/broadcast/+/x", 1) == 1
    await listener.subscribe(NEWS, 1)
    speaker.publish(NEWS, b"lies", 0)
    await speaker.quiet()
    await listener.quiet()
    assert await listener.subscribe("$oc/#", 1) >= 0x80
    assert await listener.subscribe("$oc/+/news", 1) >= 0x80


@pytest.mark.parametrize("fields", [{"message": ""}, {"message": LARGEST}, {"ttl": None}, {"ttl": 1440}])
async def test_accepted(client: Client, fields: dict[str, Any]) -> None:
    assert (await post(client, **fields)).status == 201


@pytest.mark.parametrize(
    ("fields", "named", "code"),
    [
        ({"topic_full_name": None}, "topic_full_name", "IOTDA.000006"),
        ({"topic_full_name": 1}, "topic_full_name", "IOTDA.000006"),
        ({"topic_full_name": ""}, "topic_full_name", "IOTDA.000006"),
        ({"topic_full_name": "news"}, "topic_full_name", "IOTDA.014150"),
        ({"topic_full_name": "$oc/broadcast/"}, "topic_full_name", "IOTDA.014150"),
        ({"topic_full_name": "$oc/broadcasts/x"}, "topic_full_name", "IOTDA.014150"),
        ({"topic_full_name": "$oc/devices/a/user/x"}, "topic_full_name", "IOTDA.014150"),
        ({"topic_full_name": "$oc/broadcast/#"}, "topic_full_name", "IOTDA.000006"),
        ({"topic_full_name": "$oc/broadcast/\x00"}, "topic_full_name", "IOTDA.000006"),
        ({"topic_full_name": "$oc/broadcast/" + "x" * 115}, "topic_full_name", "IOTDA.000006"),
        ({"message": None}, "message", "IOTDA.000006"),
        ({"message": {"a": 1}}, "message", "IOTDA.000006"),
        ({"message": "not base64"}, "message", "IOTDA.000006"),
        ({"message": "aGVsbG8"}, "message", "IOTDA.000006"),
        ({"message": "aGVs\nbG8="}, "message", "IOTDA.000006"),
        ({"message": "灯"}, "message", "IOTDA.000006"),
        ({"message": LARGEST + "AAAA"}, "message", "IOTDA.000006"),
        ({"ttl": -5}, "ttl", "IOTDA.000006"),
        ({"ttl": 7}, "ttl", "IOTDA.000006"),
        ({"ttl": 1445}, "ttl", "IOTDA.000006"),
        ({"ttl": "5"}, "ttl", "IOTDA.000006"),
        ({"message_id": "m" * 101}, "message_id", "IOTDA.000006"),
        ({"message_id": ""}, "message_id", "IOTDA.000006"),
        ({"message_id": "a b"}, "message_id", "IOTDA.000006"),
        ({"app_id": "a" * 37}, "app_id", "IOTDA.000006"),
        ({"app_id": []}, "app_id", "IOTDA.000006"),
    ],
)
async def test_refused(client: Client, fields: dict[str, Any], named: str, code: str) -> None:
    answer = await post(client, **fields)
    assert (answer.status, answer.code) == (400, code)
    assert named in answer.text


async def test_what_is_no_body(client: Client) -> None:
    for body in ("", "[]", "{", "null", b'{"message":"\xff"}', " " * (1024 * 1024 + 1)):
        answer = await client.request("POST", PATH, body)
        assert answer.status == 400


async def test_who_may(client: Client) -> None:
    for who, status in (("reader", 403), ("stranger", 403), ("viewer", 403), ("nobody", 401), ("sender", 201)):
        assert (await post(client, who)).status == status
    answer = await client.request("POST", "/v5/iot/a%20b/broadcast-messages", "{}", who="all")
    assert answer.code == "IOTDA.000006"
    assert (await client.get(PATH)).status == 405
