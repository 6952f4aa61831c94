"""Channels: publish one message or a batch, and look at what there is."""

import asyncio
from functools import partial

import msgspec
from starlette.responses import Response

from bridge.api.answer import Json
from bridge.api.base import Channels
from bridge.api.body import read_content
from bridge.api.dsps.describe import PROJECT_PARAMETER, operation
from bridge.api.dsps.errors import Refusal, no_channel, not_json, rejected
from bridge.api.dsps.gate import READ, WRITE, Gate, Place
from bridge.api.dsps.parse import (
    BATCH_EXAMPLE,
    MAX_DEPTH,
    MAX_LINES,
    check_id,
    parse_batch,
    parse_content,
    too_many_lines,
)
from bridge.api.dsps.render import (
    ChannelList,
    Published,
    PublishedBatch,
    ShownChannel,
    render_channel,
    render_channels,
    render_json,
)
from bridge.api.operation import Operation
from bridge.api.resource import Call, Handler
from bridge.model.event import BUILT_IN

PATH = "/channel"
CHANNEL = PATH + "/{channel}"
BATCH = CHANNEL + "/message"
MESSAGE = BATCH + "/{message}"
_ONLY_DAEMON = "only the daemon publishes in this channel"


class ChannelMessages:
    def __init__(self, channels: Channels, gate: Gate, *, max_body: int) -> None:
        self._channels = channels
        self._gate = gate
        self._max_body = max_body

    def handlers(self) -> dict[str, dict[str, Handler]]:
        return {
            PATH: {"GET": self.index},
            CHANNEL: {"GET": self.show},
            BATCH: {"POST": self.publish_batch},
            MESSAGE: {"PUT": self.publish},
        }

    def operations(self) -> list[Operation]:
        return [*_about_publishing(), *_about_channels()]

    async def publish(self, call: Call) -> Response:
        place = await self._enter_to_publish(call)
        message_id = check_id("messageID", call.path_params["message"])
        content = parse_content(await read_content(call, self._max_body))
        await self._channels.publish(*place, message_id, content)
        return Json(render_json({"channelID": place.channel, "messageID": message_id}))

    async def publish_batch(self, call: Call) -> Response:
        """All lines are looked at before the first is published. Published one by one, in order: after an error some
        may be there, and the same batch sent again adds those that are not."""
        place = await self._enter_to_publish(call)
        posts = parse_batch(await read_content(call, self._max_body))
        new = await asyncio.gather(*(self._channels.publish(*place, *post) for post in posts))
        answer = {"channelID": place.channel, "published": sum(new), "duplicates": len(new) - sum(new)}
        return Json(render_json(answer))

    async def show(self, call: Call) -> Response:
        place = await self._gate.enter(call, READ)
        info = self._channels.channel(*place)
        if info is None:
            raise no_channel()
        return Json(render_channel(info))

    async def index(self, call: Call) -> Response:
        caller = await self._gate.caller(call)
        found = self._channels.channels(self._gate.project(call, caller, READ))
        return Json(render_channels(info for info in found if self._gate.may_see(caller, info.name)))

    async def _enter_to_publish(self, call: Call) -> Place:
        place = await self._gate.enter(call, WRITE)
        if place.channel in BUILT_IN:
            raise rejected(_ONLY_DAEMON)
        return place


_BUILT_IN = rejected(_ONLY_DAEMON)
_write = partial(operation, scope=WRITE, parameters=(PROJECT_PARAMETER,))
_read = partial(operation, scope=READ, parameters=(PROJECT_PARAMETER,))


def _about_publishing() -> list[Operation]:
    return [
        _write(
            "PUT",
            MESSAGE,
            "Publish",
            f"Publish any JSON, of at most {MAX_DEPTH} levels. Repeating it changes nothing.",
            body=msgspec.Raw,
            example={"hello": "world"},
            answers={200: Published},
            errors=(_BUILT_IN, not_json()),
        ),
        _write(
            "POST",
            BATCH,
            "PublishBatch",
            f'Publish up to {MAX_LINES} messages: one {{"messageID", "content"}} a line, whatever Content-Type says.',
            body=str,
            body_media_type="application/x-ndjson",
            example=BATCH_EXAMPLE,
            answers={200: PublishedBatch},
            errors=(_BUILT_IN, Refusal(400, "Line NUMBER: what is wrong with it"), too_many_lines()),
        ),
    ]


def _about_channels() -> list[Operation]:
    return [
        _read(
            "GET",
            CHANNEL,
            "ShowChannel",
            "How many messages there are, and who subscribes.",
            answers={200: ShownChannel},
            errors=(no_channel(),),
        ),
        _read(
            "GET",
            PATH,
            "ListChannels",
            "Those that the caller may use.",
            answers={200: ChannelList},
        ),
    ]
