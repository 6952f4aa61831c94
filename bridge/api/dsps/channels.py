"""Channels: publish one message or a batch, and look at what there is."""

import asyncio

from starlette.responses import Response

from bridge.api.base import Channels
from bridge.api.body import read_body
from bridge.api.dsps.errors import UNKNOWN_CHANNEL, Refusal, rejected
from bridge.api.dsps.gate import READ, WRITE, Gate, Place
from bridge.api.dsps.parse import check_id, parse_batch, parse_content
from bridge.api.dsps.render import render_channel, render_channels, render_json
from bridge.api.resource import Call, Handler
from bridge.model.event import BUILT_IN

PATH = "/channel"
CHANNEL = PATH + "/{channel}"


class ChannelMessages:
    def __init__(self, channels: Channels, gate: Gate, *, max_body: int) -> None:
        self._channels = channels
        self._gate = gate
        self._max_body = max_body

    def handlers(self) -> dict[str, dict[str, Handler]]:
        return {
            PATH: {"GET": self.index},
            CHANNEL: {"GET": self.show},
            CHANNEL + "/message": {"POST": self.publish_batch},
            CHANNEL + "/message/{message}": {"PUT": self.publish},
        }

    async def publish(self, call: Call) -> Response:
        place = await self._enter_to_publish(call)
        message_id = check_id("messageID", call.path_params["message"])
        content = parse_content(await read_body(call, self._max_body))
        await self._channels.publish(*place, message_id, content)
        return _json(render_json({"channelID": place.channel, "messageID": message_id}))

    async def publish_batch(self, call: Call) -> Response:
        """All lines are looked at before the first is published. Published one by one, in order: after an error some
        may be there, and the same batch sent again adds those that are not."""
        place = await self._enter_to_publish(call)
        posts = parse_batch(await read_body(call, self._max_body))
        new = await asyncio.gather(*(self._channels.publish(*place, *post) for post in posts))
        answer = {"channelID": place.channel, "published": sum(new), "duplicates": len(new) - sum(new)}
        return _json(render_json(answer))

    async def show(self, call: Call) -> Response:
        place = await self._gate.enter(call, READ)
        info = self._channels.channel(*place)
        if info is None:
            raise Refusal(404, "Channel not found", UNKNOWN_CHANNEL)
        return _json(render_channel(info))

    async def index(self, call: Call) -> Response:
        caller = await self._gate.caller(call)
        found = self._channels.channels(self._gate.project(call, caller, READ))
        return _json(render_channels(info for info in found if self._gate.may_see(caller, info.name)))

    async def _enter_to_publish(self, call: Call) -> Place:
        place = await self._gate.enter(call, WRITE)
        if place.channel in BUILT_IN:
            raise rejected("only the daemon publishes in this channel")
        return place


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
