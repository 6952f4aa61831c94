"""Messages of the inbox: list, create, read, clear, history, bounds."""

from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.answer import Json
from bridge.api.base import Inbox
from bridge.api.body import read_json
from bridge.api.faults import NoCredentials
from bridge.api.operation import Operation
from bridge.api.resource import Call, Handler, NoResource, Resource
from bridge.api.rightech.describe import operation
from bridge.api.rightech.errors import answer_error
from bridge.api.rightech.parse import (
    ONLY,
    POST_EXAMPLE,
    READ_EXAMPLE,
    SELECTION,
    PostBody,
    ReadBody,
    parse_notice,
    parse_only,
    parse_project,
    parse_read,
    parse_selection,
)
from bridge.api.rightech.render import (
    SUCCESS,
    Entity,
    PartOfBounds,
    PartOfEntity,
    Success,
    render_bounds,
    render_entity,
    render_list,
)
from bridge.model.errors import TooBroad, UnknownNotification

PATH = "/api/v1/messages"
CLEAR = PATH + "/clear"
HISTORY = PATH + "/history"
BOUNDS = HISTORY + "/bounds"
READING = PATH + "/read/{message_id}"
READ = "events:read"
WRITE = "events:write"


class InboxMessages:
    """Every handler checks credentials, then what else it was given, then asks the core. There is no project in these
    paths: it is that of the credentials. Those for every project choose one with `?project=`."""

    def __init__(self, inbox: Inbox, check: AccessCheck, max_body: int) -> None:
        self._inbox = inbox
        self._check = check
        self._max_body = max_body

    def routes(self) -> list[BaseRoute]:
        paths: dict[str, dict[str, Handler]] = {
            PATH: {"GET": self.index, "POST": self.create},
            CLEAR: {"DELETE": self.clear},
            HISTORY: {"GET": self.history},
            BOUNDS: {"GET": self.bounds},
            READING: {"PATCH": self.mark_read},
        }
        return [Route(path, Resource(answer_error, handlers, self._check)) for path, handlers in paths.items()]

    def operations(self) -> list[Operation]:
        return [*_about_reading(), *_about_writing()]

    async def index(self, call: Call) -> Response:
        project, query = self._project(call, READ), call.scope["query_string"]
        return Json(render_list(self._inbox.inbox(project, parse_selection(query)), parse_only(query)))

    async def history(self, call: Call) -> Response:
        project, query = self._project(call, READ), call.scope["query_string"]
        return Json(render_list(self._inbox.history(project, parse_selection(query)), parse_only(query)))

    async def bounds(self, call: Call) -> Response:
        project, query = self._project(call, READ), call.scope["query_string"]
        return Json(render_bounds(self._inbox.bounds(project, parse_selection(query)), parse_only(query)))

    async def create(self, call: Call) -> Response:
        project = self._project(call, WRITE)
        notice = parse_notice(await read_json(call, self._max_body), project)
        return Json(render_entity(await self._inbox.post(notice)))

    async def mark_read(self, call: Call) -> Response:
        project = self._project(call, WRITE)
        read = parse_read(await read_json(call, self._max_body))
        return Json(render_entity(await self._inbox.mark_read(project, call.path_params["message_id"], read)))

    async def clear(self, call: Call) -> Response:
        await self._inbox.clear(self._project(call, WRITE))
        return Json(SUCCESS)

    def _project(self, call: Call, scope: str) -> str:
        if call.principal is None:
            raise NoCredentials
        project = parse_project(call.scope["query_string"], call.principal.project)
        self._check.enter(call, project, scope)
        return project


NOTHING = Route("/api/v1/{rest:path}", NoResource(answer_error))
"""Every other path below /api/v1."""

_select = partial(operation, "GET", scope=READ, query=(*SELECTION, ONLY), errors=(TooBroad,))


def _about_reading() -> list[Operation]:
    return [
        _select(
            PATH,
            "ListInbox",
            "Notifications that have entered since it was cleared, newest first.",
            answer=list[PartOfEntity],
        ),
        _select(HISTORY, "ListInboxHistory", "All notifications there are, newest first.", answer=list[PartOfEntity]),
        _select(
            BOUNDS,
            "ShowInboxBounds",
            "How many notifications there are, and the oldest and the newest of them.",
            answer=PartOfBounds,
        ),
    ]


def _about_writing() -> list[Operation]:
    return [
        operation(
            "POST",
            PATH,
            "CreateInboxMessage",
            "Put a notification into the inbox.",
            scope=WRITE,
            body=PostBody,
            example=POST_EXAMPLE,
            answer=Entity,
        ),
        operation("DELETE", CLEAR, "ClearInbox", "Empty the inbox; the history stays.", scope=WRITE, answer=Success),
        operation(
            "PATCH",
            READING,
            "ReadInboxMessage",
            "Mark a notification as read, or as unread.",
            scope=WRITE,
            body=ReadBody,
            example=READ_EXAMPLE,
            answer=Entity,
            errors=(UnknownNotification,),
        ),
    ]
