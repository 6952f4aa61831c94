"""Messages of the inbox: list, create, read, clear, history, bounds."""

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.base import Inbox
from bridge.api.body import read_json
from bridge.api.faults import NoCredentials
from bridge.api.resource import Call, Handler, NoResource, Resource
from bridge.api.rightech.errors import answer_error
from bridge.api.rightech.parse import parse_notice, parse_only, parse_project, parse_read, parse_selection
from bridge.api.rightech.render import SUCCESS, render_bounds, render_entity, render_list

PATH = "/api/v1/messages"
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
            PATH + "/clear": {"DELETE": self.clear},
            PATH + "/history": {"GET": self.history},
            PATH + "/history/bounds": {"GET": self.bounds},
            PATH + "/read/{message_id}": {"PATCH": self.mark_read},
        }
        routes = [Route(path, Resource(answer_error, handlers, self._check)) for path, handlers in paths.items()]
        return [*routes, Route("/api/v1/{rest:path}", NoResource(answer_error))]

    async def index(self, call: Call) -> Response:
        project, query = self._project(call, READ), call.scope["query_string"]
        return _json(render_list(self._inbox.inbox(project, parse_selection(query)), parse_only(query)))

    async def history(self, call: Call) -> Response:
        project, query = self._project(call, READ), call.scope["query_string"]
        return _json(render_list(self._inbox.history(project, parse_selection(query)), parse_only(query)))

    async def bounds(self, call: Call) -> Response:
        project, query = self._project(call, READ), call.scope["query_string"]
        return _json(render_bounds(self._inbox.bounds(project, parse_selection(query)), parse_only(query)))

    async def create(self, call: Call) -> Response:
        project = self._project(call, WRITE)
        notice = parse_notice(await read_json(call, self._max_body), project)
        return _json(render_entity(await self._inbox.post(notice)))

    async def mark_read(self, call: Call) -> Response:
        project = self._project(call, WRITE)
        read = parse_read(await read_json(call, self._max_body))
        return _json(render_entity(await self._inbox.mark_read(project, call.path_params["message_id"], read)))

    async def clear(self, call: Call) -> Response:
        await self._inbox.clear(self._project(call, WRITE))
        return _json(SUCCESS)

    def _project(self, call: Call, scope: str) -> str:
        if call.principal is None:
            raise NoCredentials
        project = parse_project(call.scope["query_string"], call.principal.project)
        self._check.enter(call, project, scope)
        return project


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
