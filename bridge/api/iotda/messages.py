"""Device messages: CreateMessage, ListDeviceMessages, ShowDeviceMessage, DeleteDeviceMessage."""

from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.answer import Json
from bridge.api.base import Messages
from bridge.api.body import check_media_type, read_json
from bridge.api.direct import Direct, Reply
from bridge.api.iotda.errors import answer_error
from bridge.api.iotda.parse import parse_message
from bridge.api.iotda.query import bad_marker, check_device, check_message_id, parse_page
from bridge.api.iotda.render import render_created, render_message, render_messages
from bridge.api.resource import Call, Resource
from bridge.model.errors import BridgeError, UnknownMessage
from bridge.model.message import Message

PATH = "/v5/iot/{project_id}/devices/{device_id}/messages"
PLAIN = rb"/v5/iot/(?P<project_id>[A-Za-z0-9_-]{1,64})/devices/(?P<device_id>[A-Za-z0-9_-]{1,128})/messages"
"""The target of a POST with nothing in it that needs decoding."""

SEND = "messages:send"
READ = "messages:read"


class DeviceMessages:
    """Every handler checks credentials, then names in the path, then what else it was given, then asks the core."""

    def __init__(self, messages: Messages, check: AccessCheck, *, max_body: int, max_ttl: int) -> None:
        self._messages = messages
        self._check = check
        self._max_body = max_body
        self._max_ttl = max_ttl
        self._all = Resource(answer_error, {"POST": self.create, "GET": self.index}, check)

    def direct(self) -> Direct:
        """The way for what every message begins with."""
        return Direct(b"POST", PLAIN, self._all, self.begin)

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PATH, self._all),
            Route(
                PATH + "/{message_id}", Resource(answer_error, {"GET": self.show, "DELETE": self.delete}, self._check)
            ),
        ]

    async def create(self, call: Call) -> Response:
        project, device_id = self._device(call, SEND)
        draft = parse_message(await read_json(call, self._max_body), device_id, self._max_ttl)
        return _created(await self._messages.submit(project, device_id, draft))

    def begin(self, call: Call, body: bytes, reply: Reply) -> None:
        """`create` for a body that is there and not too long, without a task."""
        project, device_id = self._device(call, SEND)
        check_media_type(call)
        draft = parse_message(body, device_id, self._max_ttl)
        self._messages.begin(project, device_id, draft, partial(reply, _created))

    async def index(self, call: Call) -> Response:
        project, device_id = self._device(call, READ)
        page = parse_page(call.scope["query_string"])
        try:
            found = self._messages.messages(
                project, device_id, limit=page.limit, marker=page.marker, status=page.status
            )
        except UnknownMessage:
            raise bad_marker() from None
        return _json(render_messages(device_id, found))

    async def show(self, call: Call) -> Response:
        project, device_id = self._device(call, READ)
        return _json(render_message(self._messages.message(project, device_id, _message_id(call))))

    async def delete(self, call: Call) -> Response:
        project, device_id = self._device(call, SEND)
        await self._messages.cancel(project, device_id, _message_id(call))
        return Response(status_code=204)

    def _device(self, call: Call, scope: str) -> tuple[str, str]:
        """(project, device id) of the path, after the access check."""
        names = call.path_params
        project: str = names["project_id"]
        device_id: str = names["device_id"]
        self._check.enter(call, project, scope)
        check_device(project, device_id)
        return project, device_id


def _message_id(call: Call) -> str:
    message_id: str = call.path_params["message_id"]
    check_message_id(message_id)
    return message_id


def _created(message: Message | BridgeError) -> Response:
    if isinstance(message, BridgeError):
        raise message
    return _json(render_created(message), 201)


def _json(body: bytes, status: int = 200) -> Response:
    return Json(body, status)
