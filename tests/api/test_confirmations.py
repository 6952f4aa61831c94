"""Confirmations through HTTP, on the real store, and by the vendor's own SDK."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkdataartsstudio import v1 as dataarts

from bridge.api.server import HttpServer
from bridge.model.clock import system_clock
from bridge.model.notification import Importance, Notice, Notification
from tests.api.client import Answer, Client
from tests.api.managed_inbox import ManagedInbox, serving
from tests.api.memory import PROJECT
from tests.api.signing import AK, READER_AK, READER_SK, SK
from tests.store.clock import HandClock

PATH = f"/v1/{PROJECT}/service/messages"
DAY = 86_400_000


@pytest.fixture
async def managed(clock: HandClock) -> AsyncIterator[ManagedInbox]:
    async with ManagedInbox(clock) as managed:
        yield managed


@pytest.fixture
async def server(managed: ManagedInbox, clock: HandClock) -> AsyncIterator[HttpServer]:
    async with serving(managed, clock) as server:
        yield server


async def enter(managed: ManagedInbox, about: str = "lamp", message_id: str | None = "m-1") -> Notification:
    notice = Notice(PROJECT, about, Importance.IMPORTANT, f"Message {message_id} failed.", message_id)
    return await managed.inbox.post(notice)


async def confirm(client: Client, body: dict[str, Any] | bytes, *, who: str | None = "clerk", **fields: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.request("POST", PATH, content, who=who, **{"workspace": "w-1", **fields})


def show(managed: ManagedInbox, notification: Notification) -> Notification:
    return managed.inbox.show(PROJECT, notification.id)


def iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment % 1000:03d}Z"


async def test_at_once(client: Client, managed: ManagedInbox, clock: HandClock) -> None:
    entered = await enter(managed)
    answer = await confirm(client, {"message_id": entered.id, "action": 0, "time": "2022-03-23T10:00:00.000Z"})
    assert (answer.status, answer.body) == (204, b"")
    assert "x-request-id" in answer.headers
    found = show(managed, entered)
    assert (found.read, found.processed_at, found.process_at, found.confirmed_by) == (True, clock.now, None, "clerk")
    [entity] = (await client.get("/api/v1/messages", who="clerk")).json()
    assert (entity["read"], entity["processed_time"]) == (True, clock.now)


@pytest.mark.parametrize("fields", [{}, {"action": None}, {"time": "2030-03-23T10:00:00.000Z"}])
async def test_without_an_action_it_is_at_once(
    client: Client, managed: ManagedInbox, clock: HandClock, fields: dict[str, Any]
) -> None:
    entered = await enter(managed)
    assert (await confirm(client, {"message_id": entered.id, **fields})).status == 204
    assert show(managed, entered).processed_at == clock.now


async def test_at_a_time(client: Client, managed: ManagedInbox, clock: HandClock) -> None:
    entered = await enter(managed)
    moment = clock.now + 3_600_000
    assert (await confirm(client, {"message_id": "m-1", "action": 1, "time": iso(moment)})).status == 204
    found = show(managed, entered)
    assert (found.read, found.process_at, found.processed_at) == (False, moment, None)
    [entity] = (await client.get("/api/v1/messages", who="clerk")).json()
    assert (entity["read"], entity["process_time"]) == (False, moment)
    assert "processed_time" not in entity


async def test_without_a_time_it_is_in_three_days(client: Client, managed: ManagedInbox, clock: HandClock) -> None:
    entered = await enter(managed)
    assert (await confirm(client, {"message_id": entered.id, "action": 1})).status == 204
    assert show(managed, entered).process_at == clock.now + 3 * DAY


async def test_the_second_replaces_the_first_until_it_is_processed(
    client: Client, managed: ManagedInbox, clock: HandClock
) -> None:
    entered = await enter(managed)
    for delay in (DAY, 2 * DAY):
        body = {"message_id": entered.id, "action": 1, "time": iso(clock.now + delay)}
        assert (await confirm(client, body)).status == 204
    assert show(managed, entered).process_at == clock.now + 2 * DAY
    assert (await confirm(client, {"message_id": entered.id, "action": 0})).status == 204
    answer = await confirm(client, {"message_id": entered.id, "action": 0})
    assert (answer.status, answer.code, answer.text) == (400, "DLS.1004", "message_id: already processed.")


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"action": 0}, "DLS.1002", "message_id"),
        ({"message_id": "", "action": 0}, "DLS.1002", "message_id"),
        ({"message_id": "nobody", "action": 0}, "DLS.1003", "message_id"),
        ({"message_id": "0" * 24, "action": 0}, "DLS.1003", "message_id"),
        ({"message_id": "m-1\n", "action": 0}, "DLS.1002", "message_id"),
        ({}, "DLS.1002", "message_id"),
        ({"message_id": None, "action": 0}, "DLS.1002", "which notification"),
        ({"message_id": "m-1", "action": 2}, "DLS.1002", "action"),
        ({"message_id": "m-1", "action": "0"}, "DLS.1002", "action"),
        ({"message_id": "m-1", "action": 1, "time": "tomorrow"}, "DLS.1002", "time"),
        ({"message_id": "m-1", "action": 1, "time": "2022-03-23T10:00:00.000Z"}, "DLS.1005", "past"),
        (b"[]", "DLS.1001", "body"),
        (b"\xff", "DLS.1001", "body"),
        (b"", "DLS.1001", "body"),
        (b'{"a":' * 100_000, "DLS.1001", "body"),
        (b" " * 1_048_577, "DLS.1001", "body"),
    ],
)
async def test_confirmations_that_cannot_be(
    client: Client, managed: ManagedInbox, body: dict[str, Any] | bytes, code: str, words: str
) -> None:
    entered = await enter(managed)
    answer = await confirm(client, body)
    assert (answer.status, answer.code) == (400, code)
    assert words in answer.text
    assert answer.json().keys() == {"error_code", "error_msg"}
    assert show(managed, entered) == entered


@pytest.mark.parametrize(
    ("who", "fields", "status", "code"),
    [
        (None, {}, 401, "DLS.1401"),
        ("nobody", {}, 401, "DLS.1401"),
        ("auditor", {}, 403, "DLS.1403"),
        ("outsider", {}, 403, "DLS.1403"),
        ("clerk", {"workspace": ""}, 400, "DLS.1002"),
        ("clerk", {"Dlm_Type": "OTHER"}, 400, "DLS.1002"),
        ("clerk", {"Content_Type": "text/plain"}, 400, "DLS.1001"),
    ],
)
async def test_who_asks_and_how(
    client: Client, managed: ManagedInbox, who: str | None, fields: dict[str, str], status: int, code: str
) -> None:
    entered = await enter(managed)
    answer = await confirm(client, {"message_id": "m-1", "action": 0}, who=who, **fields)
    assert (answer.status, answer.code) == (status, code)
    assert show(managed, entered) == entered


async def test_other_methods_paths_and_projects(client: Client) -> None:
    assert (await client.request("PUT", PATH, b"{}", who="clerk")).code == "DLS.1405"
    assert (await client.get("/v1/plant/service/apis", who="clerk")).code == "DLS.1404"
    assert (await client.get("/v1/a%0Ab/service/messages", who="all", workspace="w")).code == "DLS.1002"


async def test_list_and_detail(client: Client, managed: ManagedInbox, clock: HandClock) -> None:
    first = await enter(managed, "lamp")
    for _ in range(3):
        await enter(managed, "fan", None)
    await confirm(client, {"message_id": first.id, "action": 1, "time": iso(clock.now + DAY)})
    answer = await client.get(f"{PATH}?limit=2&offset=3", who="auditor", workspace="w")
    assert (answer.status, answer.json()["total"]) == (200, 4)
    assert [record["api_name"] for record in answer.json()["records"]] == ["fan", "lamp"]
    named = (await client.get(f"{PATH}?api_name=lamp", who="auditor", workspace="w")).json()
    detail = await client.get(f"{PATH}/{first.id}", who="auditor", workspace="w")
    assert named == {"total": 1, "records": [detail.json()]}
    assert detail.json()["api_apply_status"] == "STATUS_TYPE_PENDING_EXECUTE"
    for wrong in ("x", "0" * 24, "%0a"):
        answer = await client.get(f"{PATH}/{wrong}", who="auditor", workspace="w")
        assert (answer.status, answer.code) == (400, "DLS.1003")
    assert (await client.get(f"{PATH}?limit=-1", who="auditor", workspace="w")).code == "DLS.1002"
    assert (await client.get(PATH, who="auditor")).code == "DLS.1002"


async def test_a_refusing_disk(client: Client, managed: ManagedInbox) -> None:
    entered = await enter(managed)
    managed.store._writer._connection.execute("PRAGMA query_only = ON")
    answer = await confirm(client, {"message_id": "m-1", "action": 0})
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "DLS.1503", "1")
    managed.store._writer._connection.execute("PRAGMA query_only = OFF")
    assert show(managed, entered) == entered


async def test_a_defect_shows_nothing_of_the_inside(
    client: Client, managed: ManagedInbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(managed.store, "confirm", None)
    answer = await confirm(client, {"message_id": "m-1", "action": 0})
    assert (answer.status, answer.code) == (500, "DLS.1000")
    assert "NoneType" not in answer.text
    assert "NoneType" in caplog.text


# The vendor's own SDK, unmodified but for its endpoint


@contextlib.asynccontextmanager
async def open_sdk(ak: str = AK, sk: str = SK, token: str | None = None) -> AsyncIterator[tuple[Any, ManagedInbox]]:
    """With the real time: the SDK signs with it."""
    async with ManagedInbox(system_clock) as managed, serving(managed, system_clock) as server:
        builder = dataarts.DataArtsStudioClient.new_builder().with_credentials(BasicCredentials(ak, sk, PROJECT))
        client = builder.with_endpoint(f"http://127.0.0.1:{server.address[1]}").build()
        if token is not None:
            client.preset_headers["X-Auth-Token"] = token
        yield client, managed
        client.get_http_client().executor.shutdown()
        client.close()


def request(message_id: str, action: int, time: str | None = None) -> Any:
    body = dataarts.OpenApiParaForCheckMessage(message_id=message_id, action=action, time=time)
    return dataarts.ConfirmMessageRequest(workspace="w-1", dlm_type="SHARED", body=body)


def use(client: Any, notification_id: str) -> None:
    """Each of the three calls, and what it has to answer."""
    listed = client.list_message(dataarts.ListMessageRequest(workspace="w-1", offset=0, limit=10, api_name="lamp"))
    assert (listed.total, listed.records[0].id) == (1, notification_id)
    assert listed.records[0].api_apply_status == "STATUS_TYPE_PENDING_CHECK"
    assert client.confirm_message(request("m-1", 1, "2099-03-23T10:00:00.000Z")).status_code == 204
    detail_of = dataarts.ShowMessageDetailRequest(workspace="w-1", message_id=notification_id)
    detail = client.show_message_detail(detail_of)
    assert (detail.api_apply_status, detail.api_using_time) == ("STATUS_TYPE_PENDING_EXECUTE", 4_077_943_200_000)
    assert client.confirm_message(request(notification_id, 0)).status_code == 204
    detail = client.show_message_detail(detail_of)
    assert (detail.api_apply_status, detail.comment) == ("STATUS_TYPE_PASSED", "Message m-1 failed.")
    assert detail.approver_name == "clerk"
    with pytest.raises(ClientRequestException) as caught:
        client.confirm_message(request(notification_id, 0))
    assert (caught.value.status_code, caught.value.error_code) == (400, "DLS.1004")
    assert caught.value.request_id


@pytest.mark.parametrize(("ak", "sk", "token"), [(AK, SK, None), ("clerk", "dummy", "clerk")], ids=["signed", "token"])
async def test_the_sdk(ak: str, sk: str, token: str | None) -> None:
    async with open_sdk(ak, sk, token) as (client, managed):
        entered = await enter(managed)
        await asyncio.to_thread(use, client, entered.id)


async def test_the_sdk_is_told_what_it_may_not() -> None:
    async with open_sdk(READER_AK, READER_SK) as (client, managed):
        await enter(managed)
        with pytest.raises(ClientRequestException) as caught:
            await asyncio.to_thread(client.confirm_message, request("m-1", 0))
        assert (caught.value.status_code, caught.value.error_code) == (403, "DLS.1403")
