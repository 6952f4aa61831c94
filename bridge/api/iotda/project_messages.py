"""The messages of all devices of a project: a list in pages, and an export as one stream. Both are ours."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.base import Messages
from bridge.api.iotda import render
from bridge.api.iotda.describe import operation
from bridge.api.iotda.errors import BAD_LIMIT, BAD_MARKER, BAD_PERIOD, BAD_TIME, answer_error
from bridge.api.iotda.query import EXPORT_PARAMETERS, PROJECT_PARAMETERS, check_project, cursor_of, parse_inquiry
from bridge.api.iotda.render import render_lines, render_page
from bridge.api.operation import Operation
from bridge.api.resource import Call, Resource
from bridge.model.errors import UnknownDevice
from bridge.model.inquiry import Inquiry, Page

PATH = "/v5/iot/{project_id}/messages"
EXPORT = PATH + "/export"
READ = "messages:read"
TAG = "Messages"
NDJSON = "application/x-ndjson"
AT_ONCE = 500
"""Messages of an export that are in memory at the same time, at most."""


class ProjectMessages:
    """Every handler checks credentials, then names in the path, then what else it was given, then asks the core."""

    def __init__(self, messages: Messages, check: AccessCheck) -> None:
        self._messages = messages
        self._check = check

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PATH, Resource(answer_error, {"GET": self.index}, self._check)),
            Route(EXPORT, Resource(answer_error, {"GET": self.export}, self._check)),
        ]

    def operations(self) -> list[Operation]:
        return [
            operation(
                "GET",
                PATH,
                "ListProjectMessages",
                "The messages of all devices, newest first. A page without cursor is the last; others may be empty.",
                tag=TAG,
                scope=READ,
                query=PROJECT_PARAMETERS,
                answers={200: render.ProjectMessages},
                errors=(UnknownDevice, BAD_LIMIT, BAD_MARKER, BAD_TIME, BAD_PERIOD),
            ),
            operation(
                "GET",
                EXPORT,
                "ExportProjectMessages",
                "The messages of all devices as one stream of NDJSON, a line each, newest first.",
                tag=TAG,
                scope=READ,
                query=EXPORT_PARAMETERS,
                answers={200: render.DeviceMessage},
                media_type=NDJSON,
                errors=(UnknownDevice, BAD_TIME, BAD_PERIOD, BAD_LIMIT, BAD_MARKER),
            ),
        ]

    async def index(self, call: Call) -> Response:
        project, inquiry = self._asked(call)
        page = await self._messages.find(project, inquiry)
        cursor = None if page.rest is None else cursor_of(page.rest)
        return Response(render_page(page, cursor), media_type="application/json")

    async def export(self, call: Call) -> Response:
        """A path of its own, because it has no pages: `limit` does not apply, and the answer ends where the list does.

        The first page is read before the answer begins, so what is wrong is an error like any other. Afterwards the
        connection ends in the middle of a chunk, which every client takes for what it is.
        """
        project, inquiry = self._asked(call)
        inquiry = replace(inquiry, limit=AT_ONCE)
        first = await self._messages.find(project, inquiry)
        if call.method == "HEAD":
            return Response(media_type=NDJSON)
        return StreamingResponse(self._lines(project, inquiry, first), media_type=NDJSON)

    async def _lines(self, project: str, inquiry: Inquiry, page: Page) -> AsyncIterator[bytes]:
        """The next page is read when the connection has taken this one."""
        yield render_lines(page)
        while page.rest is not None:
            await asyncio.sleep(0)  # what was written goes out with the turn; then the next write waits if it has to
            page = await self._messages.find(project, replace(inquiry, before=page.rest))
            yield render_lines(page)

    def _asked(self, call: Call) -> tuple[str, Inquiry]:
        """(project of the path, what is asked for), after the access check."""
        project: str = call.path_params["project_id"]
        self._check.enter(call, project, READ)
        check_project(project)
        return project, parse_inquiry(call.scope["query_string"])
