"""Batch tasks as an application sees them: fields, statuses, paging, refusals."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.batch_server import ApiSite
from tests.api.client import Answer, Client, head
from tests.api.memory import PROJECT

TASKS = f"/v5/iot/{PROJECT}/batchtasks"
MiB = 1024 * 1024
LONG_ID = "x" * 123
"""With five digits behind it the longest id there may be."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ApiSite]:
    async with ApiSite.served(tmp_path / "bridge.db") as site:
        yield site


@pytest.fixture
async def client(site: ApiSite) -> AsyncIterator[Client]:
    async with Client(site.server.address) as client:
        yield client


def order(**fields: Any) -> dict[str, Any]:
    return {
        "task_name": "news",
        "task_type": "createMessages",
        "targets": ["pump-1"],
        "document": {"message": "hello"},
        **fields,
    }


async def post(client: Client, path: str = TASKS, body: Any = None, who: str = "app") -> Answer:
    return await client.request("POST", path, json.dumps({} if body is None else body), who=who)


async def create(client: Client, **fields: Any) -> Any:
    answer = await post(client, body=order(**fields))
    assert answer.status == 201, answer.body
    return answer.json()


async def until(site: ApiSite, client: Client, task_id: str, status: str) -> Any:
    """The details as soon as the task has this status."""
    for _ in range(200):
        details = (await client.get(f"{TASKS}/{task_id}")).json()
        if details["batchtask"]["status"] == status:
            return details
        await site.let_pass(0.1)
        await site.store.flush()
    raise AssertionError(details)


async def test_a_life(site: ApiSite, client: Client) -> None:
    pump = site.add_device()
    device = await site.log_in(pump)
    document = {
        "message": {"a": 1.0},
        "name": "n",
        "payload_format": "raw",
        "ttl": 5,
        "properties": {"user_properties": [{"prop_key": "k", "prop_value": "v"}]},
    }
    policy = {"retry_count": 2, "retry_interval": 10}
    made = await create(client, targets=["pump-1", "nobody"], document=document, task_policy=policy, app_id="a1")
    task_id = made["task_id"]
    assert len(task_id) == 24
    assert made == {
        "task_id": task_id,
        "task_name": "news",
        "task_type": "createMessages",
        "app_id": "a1",
        "targets": ["pump-1", "nobody"],
        "document": document,
        "task_policy": policy,
        "status": "Waitting",
        "task_progress": {
            "total": 2,
            "processing": 0,
            "success": 0,
            "fail": 0,
            "waitting": 2,
            "fail_wait_retry": 0,
            "stopped": 0,
            "removed": 0,
        },
        "create_time": made["create_time"],
    }
    details = await until(site, client, task_id, "Processing")
    publish = await device.take()
    assert publish.payload == b'{"a": 1.0}'
    for _ in range(100):
        details = (await client.get(f"{TASKS}/{task_id}")).json()
        progress = details["batchtask"]["task_progress"]
        if progress["success"] == progress["fail_wait_retry"] == 1:
            break
        await site.let_pass(0.1)
        await site.store.flush()
    failed, delivered = details["task_details"]
    assert delivered == {"target": "pump-1", "status": "Success", "output": f"{task_id}-1"}
    assert failed["status"] == "FailWaitRetry"
    assert failed["error"] == {"error_code": "IOTDA.014000", "error_msg": "the device does not exist"}
    assert details["page"] == {"count": 2, "marker": f"{1:024x}"}
    stopped = await post(client, f"{TASKS}/{task_id}/stop", {"targets": ["nobody", "pump-1"]})
    assert stopped.json()["targets"] == [
        {"target": "nobody", "status": "success"},
        {"target": "pump-1", "status": "failure", "error_code": "IOTDA.014201", "error_msg": "it is Success"},
    ]
    await until(site, client, task_id, "PartialSuccess")
    assert (await post(client, f"{TASKS}/{task_id}/retry")).json() == {"targets": []}
    assert (await post(client, f"{TASKS}/{task_id}/stop")).json() == {"targets": []}
    await until(site, client, task_id, "Stopped")
    assert (await client.request("DELETE", f"{TASKS}/{task_id}")).status == 204
    gone = await client.get(f"{TASKS}/{task_id}")
    assert (gone.status, gone.code) == (404, "IOTDA.014200")


async def test_paging_and_filters_of_tasks(site: ApiSite, client: Client) -> None:
    ids = [(await create(client, targets=[f"t{n}"], app_id=f"a{n % 2}"))["task_id"] for n in range(5)]
    for task_id in ids:
        await until(site, client, task_id, "Fail")
    first = (await client.get(f"{TASKS}?limit=2&task_type=createMessages")).json()
    assert [task["task_id"] for task in first["batchtasks"]] == ids[:2:-1]
    assert first["page"] == {"count": 5, "marker": ids[3]}
    second = (await client.get(f"{TASKS}?limit=2&marker={ids[3]}&offset=1")).json()
    assert [task["task_id"] for task in second["batchtasks"]] == ids[1::-1]
    assert (await client.get(f"{TASKS}?app_id=a1")).json()["page"]["count"] == 2
    assert (await client.get(f"{TASKS}?status=Success")).json() == {"batchtasks": [], "page": {"count": 0}}
    assert (await client.get(f"{TASKS}?task_type=createDevices")).json()["batchtasks"] == []
    assert (await client.get(f"{TASKS}?status=Initializing")).json()["page"]["count"] == 0


async def test_paging_and_filters_of_targets(site: ApiSite, client: Client) -> None:
    names = [f"t{number}" for number in range(120)]
    made = await create(client, targets=names)
    assert "targets" not in made
    task = f"{TASKS}/{made['task_id']}"
    await until(site, client, made["task_id"], "Fail")
    seen: list[str] = []
    page: dict[str, Any] = {}
    while len(seen) < 120:
        marker = f"&marker={page['marker']}" if page else ""
        answer = (await client.get(f"{task}?limit=50{marker}")).json()
        seen += [detail["target"] for detail in answer["task_details"]]
        page = answer["page"]
        assert page["count"] == 120
    assert seen == names[::-1]
    assert (await client.get(f"{task}?target=t7")).json()["page"] == {"count": 1, "marker": f"{8:024x}"}
    assert (await client.get(f"{task}?task_detail_status=Success")).json()["page"] == {"count": 0}
    assert (await client.get(f"{task}?task_detail_status=Removed")).json()["task_details"] == []
    assert len((await client.get(f"{task}?task_detail_status=Fail&offset=115")).json()["task_details"]) == 5


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "IOTDA.000017"),
        ("limit=51", "IOTDA.000017"),
        ("limit=-1", "IOTDA.000017"),
        ("limit=x", "IOTDA.000017"),
        ("marker=x", "IOTDA.000018"),
        ("marker=" + "f" * 23, "IOTDA.000018"),
        ("offset=501", "IOTDA.000006"),
        ("status=Waiting", "IOTDA.000006"),
        ("task_detail_status=Waiting", "IOTDA.000006"),
        ("task_type=x", "IOTDA.000006"),
        ("app_id=%20", "IOTDA.000006"),
        ("target=%20", "IOTDA.000006"),
        ("target=%FF", "IOTDA.000006"),
    ],
)
async def test_queries_that_are_refused(client: Client, query: str, code: str) -> None:
    task_id = (await create(client))["task_id"]
    paths = [TASKS] if query.startswith(("status", "task_type", "app_id")) else [f"{TASKS}/{task_id}"]
    if query.startswith(("limit", "marker", "offset")):
        paths = [TASKS, f"{TASKS}/{task_id}"]
    for path in paths:
        answer = await client.get(f"{path}?{query}")
        assert (answer.status, answer.code) == (400, code), path


@pytest.mark.parametrize("marker", ["f" * 24, "0" * 24, "F" * 24])
async def test_markers_at_the_ends(client: Client, marker: str) -> None:
    task_id = (await create(client))["task_id"]
    count = 0 if marker == "0" * 24 else 1
    assert len((await client.get(f"{TASKS}?marker={marker}")).json()["batchtasks"]) == count
    assert len((await client.get(f"{TASKS}/{task_id}?marker={marker}")).json()["task_details"]) == count


@pytest.mark.parametrize(
    "task_id", ["0" * 24, "f" * 24, "x", "F" * 24, "0" * 23, "0" * 23 + "%0A", "'; DROP TABLE batch_task; --"]
)
async def test_task_ids_that_nobody_has(client: Client, task_id: str) -> None:
    path = f"{TASKS}/{task_id}".replace(" ", "%20")
    for answer in (
        await client.get(path),
        await client.request("DELETE", path),
        await post(client, f"{path}/stop"),
        await post(client, f"{path}/retry"),
    ):
        assert (answer.status, answer.code) == (404, "IOTDA.014200")


async def test_a_task_id_that_is_no_text(client: Client) -> None:
    answer = await client.get(f"{TASKS}/%FF")
    assert (answer.status, answer.code) == (400, "IOTDA.000006")


async def test_who_may(client: Client) -> None:
    task_id = (await create(client))["task_id"]
    task = f"{TASKS}/{task_id}"
    sending = [("POST", TASKS), ("POST", f"{task}/stop"), ("POST", f"{task}/retry"), ("DELETE", task)]
    for who, calls in (("reader", sending), ("sender", [("GET", TASKS), ("GET", task)])):
        for method, path in calls:
            answer = await client.request(method, path, json.dumps(order()) if method == "POST" else None, who=who)
            assert (answer.status, answer.code) == (403, "IOTDA.000021"), (who, method, path)
    for method, path in (*sending, ("GET", TASKS), ("GET", task)):
        body = "{}" if method == "POST" else None
        assert (await client.request(method, path, body, who="stranger")).status == 403
        assert (await client.request(method, path, body, who="nobody")).status == 401
    other = "/v5/iot/other/batchtasks"
    assert (await client.get(f"{other}/{task_id}", who="stranger")).code == "IOTDA.014200"
    assert (await client.get(other, who="stranger")).json()["page"]["count"] == 0


async def test_a_project_that_cannot_be(client: Client) -> None:
    assert (await client.get("/v5/iot/a%20b/batchtasks", who="all")).code == "IOTDA.000006"


async def test_too_many_tasks(client: Client) -> None:
    later = {"schedule_time": "20231115T000000Z"}
    for _ in range(5):
        await create(client, task_policy=later)
    answer = await post(client, body=order())
    assert (answer.status, answer.code) == (403, "IOTDA.014202")


async def test_states_in_which_it_cannot_be(client: Client) -> None:
    task_id = (await create(client, task_policy={"schedule_time": "20231115T000000Z"}))["task_id"]
    for answer in (
        await post(client, f"{TASKS}/{task_id}/retry"),
        await client.request("DELETE", f"{TASKS}/{task_id}"),
    ):
        assert (answer.status, answer.code) == (403, "IOTDA.014201")
        assert "Waitting" in answer.text


async def test_as_many_targets_as_there_may_be(site: ApiSite, client: Client) -> None:
    """Of the longest ids, beside the largest message: more than other requests may have."""
    targets = [f"{LONG_ID}{number:05d}" for number in range(30_000)]
    body = json.dumps(order(targets=targets, document={"message": "m" * 262_144}))
    assert len(body) > 4 * MiB
    answer = await client.request("POST", TASKS, body)
    assert answer.status == 201
    assert answer.json()["task_progress"]["total"] == 30_000


async def test_a_body_that_is_too_large(client: Client) -> None:
    for path, most in ((TASKS, 5 * MiB), (f"{TASKS}/{'0' * 24}/stop", MiB)):
        answer = await client.exchange(
            head("POST", path, X_Auth_Token="app", Content_Type="application/json", Content_Length=str(most + 1))
            + b" " * (most + 1)
        )
        assert answer.code in {"IOTDA.000006", "IOTDA.014200"}
        assert answer.status in {400, 404}
    assert (await client.get(TASKS)).json()["page"]["count"] == 0


@pytest.mark.parametrize("body", ["", "[]", "null", '{"targets": {}}', '{"targets": []}', '{"targets": ["a b"]}'])
@pytest.mark.parametrize("action", ["stop", "retry"])
async def test_bodies_that_name_no_targets(client: Client, action: str, body: str) -> None:
    task_id = (await create(client, task_policy={"schedule_time": "20231115T000000Z"}))["task_id"]
    answer = await client.request("POST", f"{TASKS}/{task_id}/{action}", body)
    if body:
        assert answer.status == 400
    else:
        assert answer.status == (200 if action == "stop" else 403)


async def test_a_hundred_and_one_chosen_targets(client: Client) -> None:
    task_id = (await create(client))["task_id"]
    answer = await post(client, f"{TASKS}/{task_id}/stop", {"targets": ["t"] * 101})
    assert (answer.status, answer.code) == (400, "IOTDA.000006")
