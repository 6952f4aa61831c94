"""Device messages: CreateMessage, ListDeviceMessages, ShowDeviceMessage, DeleteDeviceMessage."""

from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.answer import Json
from bridge.api.base import Messages, Replies
from bridge.api.body import check_coding, check_media_type, read_json
from bridge.api.connection import leaving
from bridge.api.direct import Direct, Reply
from bridge.api.iotda import render
from bridge.api.iotda.describe import operation
from bridge.api.iotda.errors import (
    BAD_LIMIT,
    BAD_MARKER,
    BAD_PERIOD,
    BAD_TIME,
    BAD_TOPIC,
    answer_error,
    bad_parameter,
)
from bridge.api.iotda.idempotency import FIELD, PARAMETER, parse_once
from bridge.api.iotda.parse import EXAMPLE, MessageBody, parse_message, ttl_limits
from bridge.api.iotda.query import PARAMETERS, Page, bad_marker, check_device, check_message_id, parse_page
from bridge.api.iotda.render import render_created, render_message, render_messages
from bridge.api.iotda.replies import (
    NoReply,
    Replied,
    Wait,
    check_response_topic,
    parse_wait,
    render_no_reply,
    render_reply,
    wait_parameters,
)
from bridge.api.operation import Operation
from bridge.api.preferences import preferences
from bridge.api.resource import Call, Resource
from bridge.model.clock import Clock
from bridge.model.errors import (
    BridgeError,
    DuplicateMessage,
    ForeignTopic,
    KeyReused,
    QueueFull,
    RepeatedTooLate,
    TooManyWaiting,
    UnknownDevice,
    UnknownMessage,
)
from bridge.model.inquiry import Inquiry
from bridge.model.message import Draft, Message
from bridge.model.reply import Exchange

PATH = "/v5/iot/{project_id}/devices/{device_id}/messages"
MESSAGE = PATH + "/{message_id}"
PLAIN = rb"/v5/iot/(?P<project_id>[A-Za-z0-9_-]{1,64})/devices/(?P<device_id>[A-Za-z0-9_-]{1,128})/messages"
"""The target of a POST with nothing in it that needs decoding."""

SEND = "messages:send"
READ = "messages:read"
MOST_LISTED = 8 * 1024 * 1024
"""Characters of content after which the list of a period ends."""


class DeviceMessages:
    """Every handler checks credentials, then names in the path, then what else it was given, then asks the core."""

    def __init__(
        self, messages: Messages, replies: Replies, check: AccessCheck, *, max_body: int, max_ttl: int, clock: Clock
    ) -> None:
        self._messages = messages
        self._replies = replies
        self._check = check
        self._max_body = max_body
        self._max_ttl = max_ttl
        self._clock = clock
        self._all = Resource(answer_error, {"POST": self.create, "GET": self.index}, check)

    def direct(self) -> Direct:
        """The way for what every message begins with."""
        return Direct(b"POST", PLAIN, self._all, self.begin, without={FIELD, b"prefer"})

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PATH, self._all),
            Route(MESSAGE, Resource(answer_error, {"GET": self.show, "DELETE": self.delete}, self._check)),
        ]

    def operations(self) -> list[Operation]:
        return [_create(self._max_ttl, self._replies.longest), _index(), *_single()]

    async def create(self, call: Call) -> Response:
        project, device_id = self._device(call, SEND)
        wait = self._wait(call)
        body = await read_json(call, self._max_body)
        draft = partial(parse_message, body, self._max_ttl, self._clock)
        once = parse_once(call, body)
        if wait is not None:
            if once is not None:  # the reply is not kept, so it could not be given again
                raise bad_parameter("Idempotency-Key", "not together with waiting for the reply")
            return await self._ask(call, project, device_id, draft(), wait)
        if once is None:
            return _created(await self._messages.submit(project, device_id, draft()))
        return _created(await self._messages.submit_once(project, device_id, once, draft))

    async def _ask(self, call: Call, project: str, device_id: str, draft: Draft, wait: Wait) -> Response:
        check_response_topic(draft)
        waiting = self._replies.ask(project, device_id, draft, wait.seconds)
        with leaving(call, waiting.leave):
            return _exchanged(await waiting.exchange(), wait)

    def begin(self, call: Call, body: bytes, reply: Reply) -> None:
        """`create` for a body that is there and not too long, without a task."""
        project, device_id = self._device(call, SEND)
        check_media_type(call)
        check_coding(call)
        draft = parse_message(body, self._max_ttl, self._clock)
        self._messages.begin(project, device_id, draft, partial(reply, _created))

    async def index(self, call: Call) -> Response:
        project, device_id = self._device(call, READ)
        page = parse_page(call.scope["query_string"])
        try:
            if page.period != (None, None):
                found = await self._of_period(project, device_id, page)
            else:
                before = self._before(project, device_id, page)
                found = self._messages.messages(project, device_id, limit=page.limit, before=before, status=page.status)
        except UnknownMessage:
            raise bad_marker() from None
        return Json(render_messages(device_id, found))

    def _before(self, project: str, device_id: str, page: Page) -> int | None:
        """The `seq` of the last message of the page before. Raises UnknownMessage."""
        marker = page.marker
        return self._messages.place(project, device_id, marker) if isinstance(marker, str) else marker

    async def _of_period(self, project: str, device_id: str, page: Page) -> list[Message]:
        """As many as asked for, if there are: clients take fewer for the end. Unless they are large, as elsewhere."""
        before = self._before(project, device_id, page)
        found: list[Message] = []
        size = 0
        while len(found) < page.limit and size < MOST_LISTED:
            asked = Inquiry(page.limit - len(found), device_id, page.status, *page.period, before)
            part = await self._messages.find(project, asked)
            found += [message for _, message in part.messages]
            size += sum(len(message.draft.content) for _, message in part.messages)
            if part.rest is None:
                break
            before = part.rest
        return found

    async def show(self, call: Call) -> Response:
        project, device_id = self._device(call, READ)
        return Json(render_message(self._messages.message(project, device_id, _message_id(call))))

    async def delete(self, call: Call) -> Response:
        project, device_id = self._device(call, SEND)
        await self._messages.cancel(project, device_id, _message_id(call))
        return Response(status_code=204)

    def _wait(self, call: Call) -> Wait | None:
        query = call.scope["query_string"]
        if not query and b"prefer" not in call.fields:
            return None
        return parse_wait(query, preferences(call.scope["headers"]), self._replies.longest)

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
    return Json(render_created(message), 201)


def _exchanged(exchange: Exchange, wait: Wait) -> Response:
    if exchange.reply is None:
        response = Json(render_no_reply(exchange.message), 504)
    else:
        response = Json(render_reply(exchange.message, exchange.reply))
    if wait.preferred:
        response.headers["Preference-Applied"] = f"wait={wait.seconds}"
    return response


_describe = partial(operation, tag="Messages")


def _create(max_ttl: int, longest_wait: int) -> Operation:
    return _describe(
        "POST",
        PATH,
        "CreateMessage",
        "Accept a message for a device, and perhaps wait for its reply.",
        scope=SEND,
        query=(*wait_parameters(longest_wait), PARAMETER),
        body=MessageBody,
        example=EXAMPLE,
        limits={"ttl": ttl_limits(max_ttl)},
        answers={201: render.Created, 200: Replied, 504: NoReply},
        errors=(
            UnknownDevice,
            UnknownMessage,  # deleted while its sender waited
            DuplicateMessage,
            QueueFull,
            TooManyWaiting,
            KeyReused,
            RepeatedTooLate,
            BAD_TOPIC,
            ForeignTopic,
            BAD_TIME,
        ),
    )


def _index() -> Operation:
    return _describe(
        "GET",
        PATH,
        "ListDeviceMessages",
        "The messages of a device, newest first.",
        scope=READ,
        query=PARAMETERS,
        answers={200: render.DeviceMessages},
        errors=(UnknownDevice, BAD_LIMIT, BAD_MARKER, BAD_TIME, BAD_PERIOD),
    )


def _single() -> list[Operation]:
    return [
        _describe(
            "GET",
            MESSAGE,
            "ShowDeviceMessage",
            "A message and its state.",
            scope=READ,
            answers={200: render.DeviceMessage},
            errors=(UnknownDevice, UnknownMessage),
        ),
        _describe(
            "DELETE",
            MESSAGE,
            "DeleteDeviceMessage",
            "Cancel a message that is PENDING, or remove one that is finished.",
            scope=SEND,
            answers={204: None},
            errors=(UnknownDevice, UnknownMessage),
        ),
    ]
