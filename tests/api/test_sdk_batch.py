"""Batch tasks and broadcasts with the vendor's own SDK, unmodified but for its endpoint."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkiotda import v5 as iotda

from bridge.model.clock import system_clock
from tests.api.batch_server import ApiSite
from tests.api.test_sdk import closing, derived, plain, with_token

pytestmark = pytest.mark.slow

Connect = pytest.mark.parametrize("connect", [plain, derived, with_token])


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ApiSite]:
    """The HTTP side has the real time: the SDK signs with it."""
    async with ApiSite.served(tmp_path / "bridge.db", system_clock) as site:
        yield site


def endpoint(site: ApiSite) -> str:
    return f"http://127.0.0.1:{site.server.address[1]}"


def create(client: Any, targets: list[str], **fields: Any) -> Any:
    body = iotda.CreateBatchTask(
        task_name="news", task_type="createMessages", targets=targets, document={"message": "hello"}, **fields
    )
    return client.create_batch_task(iotda.CreateBatchTaskRequest(body=body))


def show(client: Any, task_id: str, **query: Any) -> Any:
    return client.show_batch_task(iotda.ShowBatchTaskRequest(task_id=task_id, **query))


async def until(site: ApiSite, client: Any, task_id: str, *states: str) -> Any:
    for _ in range(200):
        shown = await asyncio.to_thread(show, client, task_id)
        if shown.batchtask.status in states:
            return shown
        await site.let_pass(0.1)
        await site.store.flush()
    raise AssertionError(shown)


@Connect
async def test_every_operation_on_batch_tasks(site: ApiSite, connect: Any) -> None:
    with closing(connect(endpoint(site))) as client:
        policy = iotda.TaskPolicy(retry_count=1, retry_interval=5)
        made = await asyncio.to_thread(create, client, ["a", "b"], task_policy=policy, app_id="a1")
        assert (made.status_code, made.task_name, made.status) == (201, "news", "Waitting")
        assert (made.task_progress.total, made.task_progress.waitting, made.targets) == (2, 2, ["a", "b"])
        assert (made.task_policy.retry_count, made.document) == (1, {"message": "hello", "ttl": 1440})
        await until(site, client, made.task_id, "Processing")

        request = iotda.ListBatchTasksRequest(
            app_id="a1", task_type="createMessages", status="Processing", limit=10, offset=0, marker="f" * 24
        )
        listed = await asyncio.to_thread(client.list_batch_tasks, request)
        assert [task.task_id for task in listed.batchtasks] == [made.task_id]
        assert (listed.page.count, listed.page.marker) == (1, made.task_id)

        for _ in range(100):
            shown = await asyncio.to_thread(
                show, client, made.task_id, task_detail_status="FailWaitRetry", target="a", limit=1
            )
            if shown.task_details:
                break
            await site.let_pass(0.1)
            await site.store.flush()
        [detail] = shown.task_details
        assert (detail.target, detail.status, detail.error.error_code) == ("a", "FailWaitRetry", "IOTDA.014000")

        targets = iotda.BatchTargets(targets=["a", "c"])
        stop = iotda.StopBatchTaskRequest(task_id=made.task_id, body=targets)
        stopped = await asyncio.to_thread(client.stop_batch_task, stop)
        assert [(result.target, result.status) for result in stopped.targets] == [("a", "success"), ("c", "failure")]
        retry = iotda.RetryBatchTaskRequest(task_id=made.task_id, body=iotda.BatchTargets(targets=["a"]))
        retried = await asyncio.to_thread(client.retry_batch_task, retry)
        assert (retried.status_code, [result.status for result in retried.targets]) == (200, ["success"])

        stop = iotda.StopBatchTaskRequest(task_id=made.task_id, body=iotda.BatchTargets())
        assert (await asyncio.to_thread(client.stop_batch_task, stop)).status_code == 200
        await until(site, client, made.task_id, "Stopped")
        delete = iotda.DeleteBatchTaskRequest(task_id=made.task_id)
        assert (await asyncio.to_thread(client.delete_batch_task, delete)).status_code == 204
        with pytest.raises(ClientRequestException) as caught:
            await asyncio.to_thread(show, client, made.task_id)
        assert (caught.value.status_code, caught.value.error_code) == (404, "IOTDA.014200")


@Connect
async def test_a_signed_body_may_be_as_large_as_the_targets_make_it(site: ApiSite, connect: Any) -> None:
    with closing(connect(endpoint(site))) as client:
        made = await asyncio.to_thread(create, client, [f"{'x' * 123}{number:05d}" for number in range(30_000)])
        assert (made.status_code, made.task_progress.total) == (201, 30_000)


@Connect
async def test_a_broadcast(site: ApiSite, connect: Any) -> None:
    device = await site.log_in(site.add_device())
    await device.subscribe("$oc/broadcast/#")
    with closing(connect(endpoint(site))) as client:
        body = iotda.DeviceBroadcastRequest(
            app_id="a1", topic_full_name="$oc/broadcast/news", message="aGVsbG8=", ttl=0, message_id="m-1"
        )
        made = await asyncio.to_thread(client.broadcast_message, iotda.BroadcastMessageRequest(body=body))
        assert (made.status_code, made.app_id, made.topic_full_name, made.message_id) == (
            201,
            "a1",
            "$oc/broadcast/news",
            "m-1",
        )
        assert len(made.created_time) == 16
    publish = await device.take()
    assert (publish.topic, publish.payload) == ("$oc/broadcast/news", b"hello")
