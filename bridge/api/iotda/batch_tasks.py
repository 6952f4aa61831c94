"""Batch tasks: CreateBatchTask, ListBatchTasks, ShowBatchTask, DeleteBatchTask, StopBatchTask, RetryBatchTask."""

from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.answer import Json
from bridge.api.base import BatchTasks
from bridge.api.body import read_json
from bridge.api.iotda import batch_render
from bridge.api.iotda.batch_parse import (
    EXAMPLES,
    TARGETS_SIZE,
    BatchTargets,
    CreateBatchTask,
    parse_chosen,
    parse_order,
)
from bridge.api.iotda.batch_query import (
    DETAIL_PARAMETERS,
    TASK_PARAMETERS,
    parse_details,
    parse_task_id,
    parse_tasks,
)
from bridge.api.iotda.batch_render import render_details, render_results, render_task, render_tasks
from bridge.api.iotda.describe import operation
from bridge.api.iotda.errors import BAD_LIMIT, BAD_MARKER, BAD_TIME, BAD_TOPIC, answer_error
from bridge.api.iotda.query import check_project
from bridge.api.operation import Operation
from bridge.api.resource import Call, Resource
from bridge.model.batch import FoundTasks, TargetSearch, TaskDetails
from bridge.model.clock import Clock
from bridge.model.errors import TooManyTasks, UnknownTask, WrongTaskState

PATH = "/v5/iot/{project_id}/batchtasks"
TASK = PATH + "/{task_id}"

SEND = "messages:send"
READ = "messages:read"


class BatchTaskManagement:
    """Every handler checks credentials, then names in the path, then what else it was given, then asks the core."""

    def __init__(self, tasks: BatchTasks, check: AccessCheck, clock: Clock, *, max_body: int, max_ttl: int) -> None:
        """The body of CreateBatchTask may be larger than `max_body` by what its targets take."""
        self._tasks = tasks
        self._check = check
        self._clock = clock
        self._max_body = max_body
        self._max_order = max_body + TARGETS_SIZE
        self._max_ttl = max_ttl

    def routes(self) -> list[BaseRoute]:
        long = self._check.with_max_body(self._max_order)
        return [
            Route(PATH, Resource(answer_error, {"POST": self.create, "GET": self.index}, long)),
            Route(TASK, Resource(answer_error, {"GET": self.show, "DELETE": self.delete}, self._check)),
            Route(TASK + "/stop", Resource(answer_error, {"POST": self.stop}, self._check)),
            Route(TASK + "/retry", Resource(answer_error, {"POST": self.retry}, self._check)),
        ]

    def operations(self) -> list[Operation]:
        return [*_collection(self._max_order), *_single(), *_moves()]

    async def create(self, call: Call) -> Response:
        project = self._project(call, SEND)
        order = parse_order(await read_json(call, self._max_order), self._clock(), self._max_ttl)
        return Json(render_task(await self._tasks.create(project, order)), 201)

    async def index(self, call: Call) -> Response:
        project = self._project(call, READ)
        search = parse_tasks(call.scope["query_string"])
        return Json(render_tasks(FoundTasks([], 0) if search is None else await self._tasks.find(project, search)))

    async def show(self, call: Call) -> Response:
        project, key = self._task(call, READ)
        search = parse_details(call.scope["query_string"])
        details = await self._tasks.details(project, key, search or TargetSearch(1))
        return Json(render_details(details if search else TaskDetails(details.task, [], 0)))

    async def delete(self, call: Call) -> Response:
        await self._tasks.remove(*self._task(call, SEND))
        return Response(status_code=204)

    async def stop(self, call: Call) -> Response:
        project, key = self._task(call, SEND)
        targets = parse_chosen(await read_json(call, self._max_body))
        if targets is not None:
            return Json(render_results(await self._tasks.stop_targets(project, key, targets)))
        await self._tasks.stop_task(project, key)
        return Json(render_results([]))

    async def retry(self, call: Call) -> Response:
        project, key = self._task(call, SEND)
        targets = parse_chosen(await read_json(call, self._max_body))
        if targets is not None:
            return Json(render_results(await self._tasks.retry_targets(project, key, targets)))
        await self._tasks.retry_task(project, key)
        return Json(render_results([]))

    def _project(self, call: Call, scope: str) -> str:
        """The project of the path, after the access check."""
        project: str = call.path_params["project_id"]
        self._check.enter(call, project, scope)
        check_project(project)
        return project

    def _task(self, call: Call, scope: str) -> tuple[str, int]:
        """(project, key of the task) of the path, after the access check."""
        return self._project(call, scope), parse_task_id(call.path_params["task_id"])


_read = partial(operation, tag="Batch tasks", scope=READ)
_write = partial(operation, tag="Batch tasks", scope=SEND)


def _collection(max_order: int) -> list[Operation]:
    return [
        _write(
            "POST",
            PATH,
            "CreateBatchTask",
            "Send one message to many devices.",
            body=CreateBatchTask,
            example=EXAMPLES[CreateBatchTask],
            max_body=max_order,
            answers={201: batch_render.TaskBody},
            errors=(TooManyTasks, BAD_TIME, BAD_TOPIC),
        ),
        _read(
            "GET",
            PATH,
            "ListBatchTasks",
            "The batch tasks of a project, newest first.",
            query=TASK_PARAMETERS,
            answers={200: batch_render.TaskList},
            errors=(BAD_LIMIT, BAD_MARKER),
        ),
    ]


def _single() -> list[Operation]:
    return [
        _read(
            "GET",
            TASK,
            "ShowBatchTask",
            "A batch task, and what became of its targets.",
            query=DETAIL_PARAMETERS,
            answers={200: batch_render.Details},
            errors=(UnknownTask, BAD_LIMIT, BAD_MARKER),
        ),
        _write(
            "DELETE",
            TASK,
            "DeleteBatchTask",
            "Remove a batch task that has ended; its messages stay.",
            answers={204: None},
            errors=(UnknownTask, WrongTaskState),
        ),
    ]


def _moves() -> list[Operation]:
    described = partial(
        _write,
        "POST",
        body=BatchTargets,
        body_required=False,
        example=EXAMPLES[BatchTargets],
        answers={200: batch_render.Results},
        errors=(UnknownTask, WrongTaskState),
    )
    return [
        described(TASK + "/stop", "StopBatchTask", "Take back what is not delivered."),
        described(TASK + "/retry", "RetryBatchTask", "Send another message to those that failed or were stopped."),
    ]
