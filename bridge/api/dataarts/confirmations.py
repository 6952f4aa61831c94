"""Confirmations: ConfirmMessage, ListMessage, ShowMessageDetail."""

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.answer import Json
from bridge.api.base import Inbox
from bridge.api.body import read_json
from bridge.api.dataarts.describe import operation
from bridge.api.dataarts.errors import answer_error
from bridge.api.dataarts.parse import (
    EXAMPLE,
    PAGE_PARAMETERS,
    ConfirmBody,
    check_fields,
    check_project,
    parse_confirmation,
    parse_page,
)
from bridge.api.dataarts.render import Record, RecordList, render_record, render_records
from bridge.api.operation import Operation
from bridge.api.resource import Call, NoResource, Resource
from bridge.model.clock import Clock
from bridge.model.errors import AlreadyProcessed, PastTime, TooBroad, UnknownNotification

PATH = "/v1/{project_id}/service/messages"
MESSAGE = PATH + "/{message_id}"
READ = "events:read"
WRITE = "events:write"


class Confirmations:
    """Every handler checks credentials, then path and header fields, then what else it was given, then asks the
    core."""

    def __init__(self, inbox: Inbox, check: AccessCheck, clock: Clock, max_body: int) -> None:
        self._inbox = inbox
        self._check = check
        self._clock = clock
        self._max_body = max_body

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PATH, Resource(answer_error, {"POST": self.confirm, "GET": self.index}, self._check)),
            Route(MESSAGE, Resource(answer_error, {"GET": self.show}, self._check)),
        ]

    def operations(self) -> list[Operation]:
        return [
            operation(
                "POST",
                PATH,
                "ConfirmMessage",
                "Confirm a notification, for now or for a time.",
                scope=WRITE,
                body=ConfirmBody,
                example=EXAMPLE,
                answers={204: None},
                errors=(UnknownNotification, AlreadyProcessed, PastTime),
            ),
            operation(
                "GET",
                PATH,
                "ListMessage",
                "The notifications of a project, newest first.",
                scope=READ,
                query=PAGE_PARAMETERS,
                answers={200: RecordList},
                errors=(TooBroad,),
            ),
            operation(
                "GET",
                MESSAGE,
                "ShowMessageDetail",
                "A notification.",
                scope=READ,
                answers={200: Record},
                errors=(UnknownNotification,),
            ),
        ]

    async def confirm(self, call: Call) -> Response:
        project, by = self._enter(call, WRITE)
        asked = parse_confirmation(await read_json(call, self._max_body), self._clock())
        await self._inbox.confirm(project, asked.message_id, by, asked.process_at)
        return Response(status_code=204)

    async def index(self, call: Call) -> Response:
        project, _ = self._enter(call, READ)
        page = parse_page(call.scope["query_string"])
        total = self._inbox.bounds(project, page).count
        return Json(render_records(total, self._inbox.history(project, page)))

    async def show(self, call: Call) -> Response:
        project, _ = self._enter(call, READ)
        return Json(render_record(self._inbox.show(project, call.path_params["message_id"])))

    def _enter(self, call: Call, scope: str) -> tuple[str, str]:
        """(project, name of the credentials), after every check of what stands before the body."""
        project: str = call.path_params["project_id"]
        principal = self._check.enter(call, project, scope)
        check_project(project)
        check_fields(call.fields)
        return project, principal.name


NOTHING = Route("/v1/{rest:path}", NoResource(answer_error))
"""Every other path below /v1."""
