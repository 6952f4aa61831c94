"""Devices over a real connection, with the real registry and store behind it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bridge.api.base import Devices
from bridge.model.errors import StoreUnavailable
from tests.api.client import Answer, Client
from tests.api.managed_devices import ManagedDevices
from tests.api.memory import PROJECT
from tests.store.clock import HandClock

DEVICES = f"/v5/iot/{PROJECT}/devices"
LAMP = f"{DEVICES}/lamp-1"
PRINT = "ab" * 32


@pytest.fixture
async def managed(clock: HandClock) -> AsyncIterator[ManagedDevices]:
    async with ManagedDevices(clock) as managed:
        yield managed


@pytest.fixture
def devices(managed: ManagedDevices) -> Devices:
    return managed.registry


async def call(client: Client, method: str, path: str, body: Any = None, *, who: str = "manager") -> Answer:
    data = None if body is None else json.dumps(body)
    return await client.request(method, path, data, who=who)


async def add(client: Client, device_id: str = "lamp-1", **fields: Any) -> Any:
    answer = await call(client, "POST", DEVICES, {"device_id": device_id, "node_id": device_id, **fields})
    assert answer.status == 201, answer.body
    return answer.json()


def refused(answer: Answer) -> tuple[int, str]:
    assert set(answer.json()) == {"error_code", "error_msg"}
    return answer.status, answer.code


async def test_a_life(client: Client, managed: ManagedDevices, clock: HandClock) -> None:
    made = await add(client, device_name="Lamp", auth_info={"secret": "12345678"}, extension_info={"floor": 2})
    assert made["auth_info"] == {
        "auth_type": "SECRET",
        "secret": "12345678",
        "secure_access": False,
        "timeout": 0,
    }
    assert (made["status"], made["create_time"]) == ("INACTIVE", "20260420T090235Z")

    shown = (await call(client, "GET", LAMP)).json()
    del made["auth_info"]["secret"]
    assert shown == made

    clock.now += 1000
    managed.connect(PROJECT, "lamp-1")
    changed = await call(client, "PUT", LAMP, {"description": "over the door", "auth_info": {"timeout": 60}})
    assert changed.status == 200
    expected = {
        **shown,
        "description": "over the door",
        "status": "ONLINE",
        "connection_status_update_time": "2026-04-20T09:02:36.123Z",
        "active_time": "2026-04-20T09:02:36.123Z",
    }
    expected["auth_info"]["timeout"] = 60
    assert changed.json() == expected == (await call(client, "GET", LAMP)).json()

    gone = await call(client, "DELETE", LAMP)
    assert (gone.status, gone.body) == (204, b"")
    assert refused(await call(client, "GET", LAMP)) == (404, "IOTDA.014000")
    assert refused(await call(client, "DELETE", LAMP)) == (404, "IOTDA.014000")


async def test_a_secret_is_made_up(client: Client) -> None:
    secrets = [(await add(client, name))["auth_info"]["secret"] for name in ("a", "b")]
    assert [len(secret) for secret in secrets] == [32, 32]
    assert secrets[0] != secrets[1]


async def test_the_vendor_names_the_device(client: Client) -> None:
    answer = await call(client, "POST", DEVICES, {"node_id": "n1", "product_id": "lamps"})
    assert (answer.status, answer.json()["device_id"]) == (201, "lamps_n1")


async def test_twice(client: Client) -> None:
    await add(client)
    answer = await call(client, "POST", DEVICES, {"device_id": "lamp-1", "node_id": "other"})
    assert refused(answer) == (400, "IOTDA.014031")


async def test_gateways(client: Client, managed: ManagedDevices) -> None:
    await add(client, "hub")
    near = await add(client, "near", gateway_id="hub")
    assert (near["gateway_id"], near["node_type"]) == ("hub", "ENDPOINT")
    await add(client, "far", gateway_id="near")
    for gateway in ("far", "nobody"):
        answer = await call(client, "POST", DEVICES, {"node_id": "n", "gateway_id": gateway})
        assert refused(answer) == (400, "IOTDA.000006")
        assert answer.text.startswith("Invalid input data. gateway_id: ")
    managed.connect(PROJECT, "hub")
    assert (await call(client, "GET", f"{DEVICES}/far")).json()["status"] == "ONLINE"
    assert refused(await call(client, "DELETE", f"{DEVICES}/hub")) == (403, "IOTDA.014024")
    for action in ("freeze", "unfreeze"):
        assert refused(await call(client, "POST", f"{DEVICES}/near/{action}")) == (403, "IOTDA.014038")


async def test_freeze_and_unfreeze(client: Client) -> None:
    await add(client)
    answers = []
    for action in ("unfreeze", "freeze", "freeze", "unfreeze"):
        answers.append(await call(client, "POST", f"{LAMP}/{action}"))
        answers.append(await call(client, "GET", LAMP))
    assert [answer.status for answer in answers[::2]] == [403, 204, 403, 204]
    assert [answers[0].code, answers[4].code] == ["IOTDA.014040", "IOTDA.014039"]
    assert [answer.json()["status"] for answer in answers[1::2]] == ["INACTIVE", "FROZEN", "FROZEN", "INACTIVE"]


async def test_the_sdk_sends_an_empty_body_of_json(client: Client) -> None:
    await add(client)
    answer = await client.request("POST", f"{LAMP}/freeze", b"", who="manager")
    assert answer.status == 204


@pytest.mark.parametrize("disconnect", [True, False])
async def test_reset_secret(client: Client, managed: ManagedDevices, *, disconnect: bool) -> None:
    await add(client)
    managed.connect(PROJECT, "lamp-1")
    body = {"secret": "new-secret", "force_disconnect": disconnect, "secret_type": "SECONDARY"}
    answer = await call(client, "POST", f"{LAMP}/action?action_id=resetSecret", body)
    assert answer.status == 200
    assert answer.json() == {"device_id": "lamp-1", "secret": "new-secret", "secret_type": "SECONDARY"}
    assert bool(managed.lines.up) is not disconnect
    device = managed.store.device(PROJECT, "lamp-1")
    assert device is not None
    assert device.secondary_secret == "new-secret"
    text = (await call(client, "GET", LAMP)).body
    assert b"new-secret" not in text


async def test_reset_secret_makes_one_up(client: Client) -> None:
    await add(client)
    answer = await client.request("POST", f"{LAMP}/action?action_id=resetSecret", b"", who="manager")
    assert (answer.status, answer.json()["secret_type"], len(answer.json()["secret"])) == (200, "PRIMARY", 32)


async def test_what_cannot_be_reset(client: Client) -> None:
    await add(client)
    await add(client, "cert", auth_info={"auth_type": "CERTIFICATES", "fingerprint": PRINT})
    for path, body in (
        (f"{LAMP}/action", {}),
        (f"{LAMP}/action?action_id=reboot", {}),
        (f"{LAMP}/action?action_id=resetSecret", {"secret": "short"}),
        (f"{LAMP}/reset-fingerprint", {"fingerprint": PRINT}),
        (f"{DEVICES}/cert/action?action_id=resetSecret", {}),
        (f"{DEVICES}/cert/reset-fingerprint", {}),
    ):
        assert refused(await call(client, "POST", path, body)) == (400, "IOTDA.000006")


async def test_reset_fingerprint(client: Client, managed: ManagedDevices) -> None:
    await add(client, auth_info={"auth_type": "CERTIFICATES", "fingerprint": PRINT})
    managed.connect(PROJECT, "lamp-1")
    body = {"fingerprint": "CD" * 32, "fingerprint_type": "SECONDARY", "force_disconnect": True}
    answer = await call(client, "POST", f"{LAMP}/reset-fingerprint", body)
    assert answer.json() == {"device_id": "lamp-1", "fingerprint": "cd" * 32, "fingerprint_type": "SECONDARY"}
    assert not managed.lines.up
    auth_info = (await call(client, "GET", LAMP)).json()["auth_info"]
    assert (auth_info["fingerprint"], auth_info["secondary_fingerprint"]) == (PRINT, "cd" * 32)


async def test_pages(client: Client) -> None:
    for number in range(5):
        await add(client, f"d{number}", product_id="odd" if number % 2 else "even")
    seen: list[str] = []
    query = "limit=2"
    while page := (answer := (await call(client, "GET", f"{DEVICES}?{query}")).json())["devices"]:
        assert answer["page"]["count"] == 5
        assert "auth_info" not in page[0]
        seen += [device["device_id"] for device in page]
        query = f"limit=2&marker={answer['page']['marker']}"
    assert seen == ["d4", "d3", "d2", "d1", "d0"]
    assert answer["page"] == {"count": 5}
    odd = (await call(client, "GET", f"{DEVICES}?product_id=odd&offset=1")).json()
    assert ([device["device_id"] for device in odd["devices"]], odd["page"]["count"]) == (["d1"], 2)


async def test_ten_unless_told_otherwise(client: Client) -> None:
    for number in range(12):
        await add(client, f"d{number}")
    assert len((await call(client, "GET", DEVICES)).json()["devices"]) == 10


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=51", "IOTDA.000017"),
        ("marker=1", "IOTDA.000018"),
        ("offset=501", "IOTDA.000006"),
        ("start_time=yesterday", "IOTDA.000009"),
        ("start_time=20240102T000000Z&end_time=20240101T000000Z", "IOTDA.000010"),
    ],
)
async def test_queries_that_cannot_be(client: Client, query: str, code: str) -> None:
    assert refused(await call(client, "GET", f"{DEVICES}?{query}")) == (400, code)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"node_id":1}', b'{"node_id":"a b"}', b"{}"])
@pytest.mark.parametrize(("method", "path"), [("POST", DEVICES), ("PUT", LAMP)])
async def test_bodies_that_cannot_be(client: Client, method: str, path: str, body: bytes) -> None:
    await add(client)
    answer = await client.request(method, path, body, who="manager")
    if method == "PUT" and body.startswith(b"{") and len(body) > 1:  # nothing in it that matters
        assert answer.status == 200
    else:
        assert refused(answer)[0] == 400


async def test_another_media_type(client: Client) -> None:
    answer = await client.request("POST", DEVICES, b'{"node_id":"n"}', who="manager", Content_Type="text/plain")
    assert refused(answer) == (400, "IOTDA.000008")


OPERATIONS = [
    ("POST", DEVICES, "devices:write"),
    ("GET", DEVICES, "devices:read"),
    ("GET", LAMP, "devices:read"),
    ("PUT", LAMP, "devices:write"),
    ("DELETE", LAMP, "devices:write"),
    ("POST", f"{LAMP}/action?action_id=resetSecret", "devices:write"),
    ("POST", f"{LAMP}/reset-fingerprint", "devices:write"),
    ("POST", f"{LAMP}/freeze", "devices:write"),
    ("POST", f"{LAMP}/unfreeze", "devices:write"),
]


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
async def test_rights(client: Client, method: str, path: str, scope: str) -> None:
    assert refused(await client.request(method, path, who=None)) == (401, "IOTDA.000002")
    answer = await call(client, method, path, who="app")
    assert refused(answer) == (403, "IOTDA.000021")
    assert scope in answer.text
    answer = await call(client, method, path.replace(PROJECT, "other"))
    assert refused(answer) == (403, "IOTDA.000021")
    answer = await call(client, method, path, who="viewer")
    assert (answer.status == 403) is (scope == "devices:write")


@pytest.mark.parametrize(("method", "path", "_"), [row for row in OPERATIONS if LAMP in row[1]])
async def test_nobody_is_unknown(client: Client, method: str, path: str, _: str) -> None:
    body = {"fingerprint": PRINT} if "fingerprint" in path else {}
    assert refused(await call(client, method, path, body)) == (404, "IOTDA.014000")
    answer = await call(client, method, path.replace("lamp-1", "a.b"), body)
    assert refused(answer) == (404, "IOTDA.014000")


async def test_a_project_that_cannot_be(client: Client) -> None:
    for method in ("GET", "POST"):
        answer = await call(client, method, DEVICES.replace(PROJECT, "a.b"), {"node_id": "n"}, who="all")
        assert refused(answer) == (400, "IOTDA.000006")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", DEVICES, "GET, HEAD, POST"),
        ("POST", LAMP, "DELETE, GET, HEAD, PUT"),
        ("GET", f"{LAMP}/freeze", "POST"),
        ("PUT", f"{LAMP}/action", "POST"),
    ],
)
async def test_methods(client: Client, method: str, path: str, allow: str) -> None:
    answer = await call(client, method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allow)


async def test_the_disk_refuses(client: Client, managed: ManagedDevices) -> None:
    await managed.store.close()
    for method, path in (("POST", DEVICES), ("GET", DEVICES), ("GET", LAMP), ("DELETE", LAMP)):
        answer = await call(client, method, path, {"node_id": "n"} if method == "POST" else None)
        assert refused(answer) == (503, "IOTDA.000503")
    with pytest.raises(StoreUnavailable):
        managed.registry.show(PROJECT, "lamp-1")
