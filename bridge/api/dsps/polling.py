"""A subscriber's calls: subscribe, unsubscribe, poll, acknowledge, and the event stream."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from starlette.responses import Response

from bridge.api.base import Channels
from bridge.api.connection import Gone, while_connected
from bridge.api.dsps.describe import ACK_HANDLE, POLL, PROJECT_PARAMETER, STREAM, operation
from bridge.api.dsps.errors import invalid, malformed_handle, missing
from bridge.api.dsps.gate import READ, Gate
from bridge.api.dsps.handle import Handles
from bridge.api.dsps.parse import check_id, parameters, parse_ack_handle, parse_max, parse_timeout
from bridge.api.dsps.render import NamedSubscriber, PolledMessages, render_json, render_polled
from bridge.api.dsps.settings import ChannelSettings
from bridge.api.dsps.stream import EventStream
from bridge.api.operation import Operation
from bridge.api.resource import Call, Handler
from bridge.model.errors import UnknownSubscriber
from bridge.model.event import Polled

PATH = "/channel/{channel}/subscription/polling/{subscriber}"
MESSAGE = PATH + "/message"
STREAMING = PATH + "/stream"


class Locator(NamedTuple):
    """One subscriber, as the core names it."""

    project: str
    channel: str
    subscriber: str


class PollingSubscribers:
    """Every handler checks channel, credentials, subscriber and parameters, in this order, and then asks the core."""

    def __init__(self, channels: Channels, gate: Gate, settings: ChannelSettings, ready: Callable[[], bool]) -> None:
        self._channels = channels
        self._gate = gate
        self._max_wait = settings.max_wait
        self._heartbeat = settings.heartbeat
        self._ready = ready

    def handlers(self) -> dict[str, dict[str, Handler]]:
        return {
            PATH: {"PUT": self.subscribe, "DELETE": self.unsubscribe, "GET": self.poll},
            MESSAGE: {"DELETE": self.acknowledge},
            STREAMING: {"GET": self.stream},
        }

    def operations(self) -> list[Operation]:
        return [*_about_subscriptions(), *_about_messages()]

    async def subscribe(self, call: Call) -> Response:
        locator = await self._locator(call)
        await self._channels.subscribe(*locator)
        return _named(locator)

    async def unsubscribe(self, call: Call) -> Response:
        locator = await self._locator(call)
        await self._channels.unsubscribe(*locator)
        return _named(locator)

    async def poll(self, call: Call) -> Response:
        locator = await self._locator(call)
        given = parameters(call.scope["query_string"])
        wait, at_most = parse_timeout(given, self._max_wait), parse_max(given)
        polling = self._channels.poll(*locator, at_most=at_most, wait=wait if at_most else 0)
        try:
            polled = await while_connected(call, polling)
        except Gone:
            polled = Polled()
        return Response(render_polled(locator.channel, polled, Handles(*locator)), media_type="application/json")

    async def acknowledge(self, call: Call) -> Response:
        locator = await self._locator(call)
        handle = parse_ack_handle(parameters(call.scope["query_string"]))
        await self._channels.acknowledge(*locator, Handles(*locator).decode(handle))
        return Response(status_code=204)

    async def stream(self, call: Call) -> Response:
        """Last-Event-ID acknowledges what was read before. A browser cannot send Authorization with an EventSource, so
        the parameter access_token may stand for it here (RFC 6750, section 2.3)."""
        enter = partial(self._locator, call, parameters(call.scope["query_string"]).get("access_token"))
        locator = await enter()
        if last := call.fields.get(b"last-event-id"):
            await self._channels.acknowledge(*locator, Handles(*locator).decode(last.decode("latin-1")))
        elif not self._channels.knows(*locator):
            raise UnknownSubscriber
        return EventStream(
            self._channels,
            locator,
            call,
            heartbeat=self._heartbeat,
            ready=self._ready,
            enter=enter if self._gate.shows_token(call) else None,
        )

    async def _locator(self, call: Call, token: str | None = None) -> Locator:
        place = await self._gate.enter(call, READ, token)
        return Locator(*place, check_id("subscriberID", call.path_params["subscriber"]))


_read = partial(operation, scope=READ)


def _about_subscriptions() -> list[Operation]:
    return [
        _read(
            "PUT",
            PATH,
            "Subscribe",
            "Hear what is published from now on.",
            parameters=(PROJECT_PARAMETER,),
            answers={200: NamedSubscriber},
        ),
        _read(
            "DELETE",
            PATH,
            "Unsubscribe",
            "Hear nothing any more.",
            parameters=(PROJECT_PARAMETER,),
            answers={200: NamedSubscriber},
        ),
    ]


def _about_messages() -> list[Operation]:
    return [
        _read(
            "GET",
            PATH,
            "Poll",
            "What this subscriber has not acknowledged, oldest first.",
            parameters=(PROJECT_PARAMETER, *POLL),
            answers={200: PolledMessages},
            errors=(UnknownSubscriber, invalid("timeout"), invalid("max")),
        ),
        _read(
            "DELETE",
            MESSAGE,
            "Acknowledge",
            "Everything up to the end of a poll.",
            parameters=(PROJECT_PARAMETER, ACK_HANDLE),
            answers={204: None},
            errors=(UnknownSubscriber, missing("ackHandle"), malformed_handle()),
        ),
        _read(
            "GET",
            STREAMING,
            "StreamEvents",
            "The same as Server-Sent Events; id is an ackHandle. Does not end.",
            parameters=(PROJECT_PARAMETER, *STREAM),
            answers={200: str},
            media_type=EventStream.media_type,
            errors=(UnknownSubscriber, malformed_handle()),
        ),
    ]


def _named(locator: Locator) -> Response:
    body = render_json({"channelID": locator.channel, "subscriberID": locator.subscriber})
    return Response(body, media_type="application/json")
