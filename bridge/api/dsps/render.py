"""Bodies of answers: compact JSON. Pure. Contents are JSON text already, and stay as they are."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from bridge.api.dsps.handle import Handles
from bridge.model.event import ChannelInfo, Event, Polled


class NamedSubscriber(msgspec.Struct):
    """This type and those below are for the description of the API; contents are written as they are stored."""

    channelID: str
    subscriberID: str


class ChannelMessage(msgspec.Struct):
    messageID: str
    content: msgspec.Raw


class PolledMessages(msgspec.Struct, omit_defaults=True):
    """`ackHandle` is there when there are messages."""

    channelID: str
    messages: list[ChannelMessage]
    moreMessages: bool
    ackHandle: str | None = None


class Published(msgspec.Struct):
    channelID: str
    messageID: str


class PublishedBatch(msgspec.Struct):
    channelID: str
    published: int
    duplicates: int


class ShownSubscriber(msgspec.Struct):
    subscriberID: str
    lag: int
    lastAccess: str


class ShownChannel(msgspec.Struct):
    channelID: str
    messages: int
    oldest: str | None
    dropped: int
    subscribers: list[ShownSubscriber]


class ChannelList(msgspec.Struct):
    channels: list[ShownChannel]


class Revoked(msgspec.Struct):
    jti: str
    exp: int


class ProbeOk(msgspec.Struct):
    status: Literal["ok"]


class ProbeNotReady(msgspec.Struct, omit_defaults=True):
    status: Literal["not ready"]
    reason: str | None = None


render_json = msgspec.json.Encoder().encode


def render_polled(channel: str, polled: Polled, handles: Handles) -> bytes:
    parts = [b'{"channelID":', render_json(channel), b',"messages":[', b",".join(map(_message, polled.events))]
    parts.append(b'],"moreMessages":true' if polled.more else b'],"moreMessages":false')
    if polled.events:
        parts += [b',"ackHandle":', render_json(handles.encode(polled.events[-1].position))]
    return b"".join([*parts, b"}"])


def _message(event: Event) -> bytes:
    return b'{"messageID":%b,"content":%b}' % (render_json(event.message_id), event.content.encode())


def render_event(event: Event, handles: Handles) -> bytes:
    """As one event of an event stream. A line break in a content stands between its tokens, so it may become any."""
    lines = _message(event).replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b"id: %b\ndata: %b\n\n" % (handles.encode(event.position).encode(), lines)


def render_channel(info: ChannelInfo) -> bytes:
    return render_json(_channel(info))


def render_channels(found: Iterable[ChannelInfo]) -> bytes:
    return render_json({"channels": [_channel(info) for info in found]})


def _channel(info: ChannelInfo) -> dict[str, Any]:
    return {
        "channelID": info.name,
        "messages": info.events,
        "oldest": None if info.oldest is None else _time(info.oldest),
        "dropped": info.dropped,
        "subscribers": [
            {"subscriberID": subscriber.name, "lag": subscriber.lag, "lastAccess": _time(subscriber.seen)}
            for subscriber in info.subscribers
        ],
    }


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
