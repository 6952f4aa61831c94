"""Bodies, byte for byte."""

import json

import pytest

from bridge.api.dsps.handle import Handles
from bridge.api.dsps.render import render_channel, render_channels, render_event, render_polled
from bridge.model.event import ChannelInfo, Event, Polled, SubscriberInfo

HANDLES = Handles("plant", "news", "app")
HANDLE = HANDLES.encode(9)
INFO = ChannelInfo("news", 3, 1_776_675_755_003, [SubscriberInfo("app", 2, 1_776_675_756_000)])


@pytest.mark.parametrize(
    ("polled", "body"),
    [
        (Polled(), '{"channelID":"news","messages":[],"moreMessages":false}'),
        (Polled([], True), '{"channelID":"news","messages":[],"moreMessages":true}'),
        (
            Polled([Event(9, "m1", "1.0")]),
            '{"channelID":"news","messages":[{"messageID":"m1","content":1.0}],"moreMessages":false,'
            f'"ackHandle":"{HANDLE}"}}',
        ),
        (
            Polled(
                [Event(4, "m1", '{"a": 1e400,"a":12345678901234567890123}'), Event(9, "m2", '"é\\ud83d\\ude00"')], True
            ),
            '{"channelID":"news","messages":[{"messageID":"m1","content":{"a": 1e400,"a":12345678901234567890123}},'
            '{"messageID":"m2","content":"é\\ud83d\\ude00"}],"moreMessages":true,'
            f'"ackHandle":"{HANDLE}"}}',
        ),
    ],
)
def test_what_was_polled(polled: Polled, body: str) -> None:
    assert render_polled("news", polled, HANDLES) == body.encode()


@pytest.mark.parametrize("content", ["1", "[\n1,\r\n2,\r3]", '{"a":\n\n"x"}', '"\u2028"', "[\r\r\n\n1]"])
def test_an_event_of_a_stream_is_the_same_json(content: str) -> None:
    text = render_event(Event(9, "m1", content), HANDLES).decode()
    assert text.startswith(f"id: {HANDLE}\ndata: ")
    assert text.endswith("\n\n")
    lines = text[:-2].split("\n")[1:]
    assert "\r" not in text
    assert all(line.startswith("data: ") for line in lines)
    data = json.loads("\n".join(line.removeprefix("data: ") for line in lines))
    assert data == {"messageID": "m1", "content": json.loads(content)}


def test_a_channel() -> None:
    body = (
        b'{"channelID":"news","messages":3,"oldest":"2026-04-20T09:02:35.003Z","dropped":0,'
        b'"subscribers":[{"subscriberID":"app","lag":2,"lastAccess":"2026-04-20T09:02:36.000Z"}]}'
    )
    assert render_channel(INFO) == body
    assert render_channels([INFO]) == b'{"channels":[' + body + b"]}"
    assert render_channels([]) == b'{"channels":[]}'
    empty = b'{"channelID":"news","messages":0,"oldest":null,"dropped":0,"subscribers":[]}'
    assert render_channel(ChannelInfo("news", 0, None, [])) == empty
