"""BroadcastMessage: one payload for whoever has subscribed to a topic below `$oc/broadcast/`. It is not stored."""

import binascii
import re
from typing import Annotated, NamedTuple

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.base import Broadcasts
from bridge.api.body import read_json
from bridge.api.iotda.describe import operation
from bridge.api.iotda.device_parse import SHORT_ID, Rule, checked
from bridge.api.iotda.errors import BAD_TOPIC, answer_error, bad_parameter
from bridge.api.iotda.json_text import decode
from bridge.api.iotda.parse import TOPIC, TTL_STEP, check_topic, check_ttl
from bridge.api.iotda.query import check_project
from bridge.api.iotda.render import CompactTime, compact
from bridge.api.iotda.uuid7 import uuid7
from bridge.api.operation import Operation
from bridge.api.resource import Call, Resource
from bridge.api.schema import integer, shown
from bridge.model.clock import Clock
from bridge.model.topics import BROADCAST

PATH = "/v5/iot/{project_id}/broadcast-messages"
SEND = "messages:send"
MAX_ENCODED = 131_072
"""Characters of Base64."""
MAX_TTL = 1440
MINUTE = 60
_TTL = "Minutes within which clients whose session is kept may come back for it; 0: those connected now."
MESSAGE_ID = Rule(re.compile(r"[A-Za-z0-9_-]{1,100}"), "1 to 100 letters, digits, _ and -")


class DeviceBroadcast(msgspec.Struct):
    """The body of BroadcastMessage; types only."""

    app_id: Annotated[str, shown(SHORT_ID.pattern)] | None = None
    topic_full_name: Annotated[str, shown(TOPIC, f"Below {BROADCAST}.", required=True)] | None = None
    message: Annotated[str, shown(None, "Base64 of the payload.", required=True, maxLength=MAX_ENCODED)] | None = None
    ttl: Annotated[int, shown(None, _TTL, **integer(0, MAX_TTL, multipleOf=TTL_STEP))] | None = None
    message_id: Annotated[str, shown(MESSAGE_ID.pattern, "Generated when absent.")] | None = None


EXAMPLE = {
    "app_id": "house",
    "topic_full_name": f"{BROADCAST}news",
    "message": "aGVsbG8=",
    "ttl": 5,
    "message_id": "b-1",
}


class Broadcast(NamedTuple):
    topic: str
    payload: bytes
    ttl: int
    """Minutes; 0: for those that are connected."""
    message_id: str
    app_id: str | None


class AcceptedBroadcast(msgspec.Struct, omit_defaults=True):
    topic_full_name: str
    message_id: str
    created_time: CompactTime
    app_id: str | None = None


_BODY = msgspec.json.Decoder(DeviceBroadcast)
_encode = msgspec.json.Encoder().encode


class BroadcastMessages:
    def __init__(self, broadcasts: Broadcasts, check: AccessCheck, clock: Clock, *, max_body: int) -> None:
        self._broadcasts = broadcasts
        self._check = check
        self._clock = clock
        self._max_body = max_body

    def routes(self) -> list[BaseRoute]:
        return [Route(PATH, Resource(answer_error, {"POST": self.create}, self._check))]

    def operations(self) -> list[Operation]:
        return [
            operation(
                "POST",
                PATH,
                "BroadcastMessage",
                "Send a message to whoever has subscribed to its topic. It is not stored.",
                tag="Broadcasts",
                scope=SEND,
                body=DeviceBroadcast,
                example=EXAMPLE,
                answers={201: AcceptedBroadcast},
                errors=(BAD_TOPIC,),
            )
        ]

    async def create(self, call: Call) -> Response:
        project: str = call.path_params["project_id"]
        self._check.enter(call, project, SEND)
        check_project(project)
        asked = parse_broadcast(await read_json(call, self._max_body))
        self._broadcasts.broadcast(project, asked.topic, asked.payload, asked.ttl * MINUTE)
        accepted = AcceptedBroadcast(asked.topic, asked.message_id, compact(self._clock()), asked.app_id)
        return Response(_encode(accepted), 201, media_type="application/json")


def parse_broadcast(body: bytes) -> Broadcast:
    """Pure. Refusals: 000006 naming the field, 014150 for a topic that is not for broadcasts."""
    fields = decode(body, _BODY)
    return Broadcast(
        _topic(fields.topic_full_name),
        _payload(fields.message),
        check_ttl(fields.ttl or 0, MAX_TTL),
        checked("message_id", fields.message_id, MESSAGE_ID) or uuid7(),
        checked("app_id", fields.app_id, SHORT_ID),
    )


def _topic(topic: str | None) -> str:
    if topic is None:
        raise bad_parameter("topic_full_name", f"required, a topic below {BROADCAST}")
    check_topic("topic_full_name", topic)
    if not topic.removeprefix(BROADCAST) or not topic.startswith(BROADCAST):
        raise bad_parameter("topic_full_name", f"a topic below {BROADCAST}", BAD_TOPIC)
    return topic


def _payload(encoded: str | None) -> bytes:
    if encoded is None:
        raise bad_parameter("message", "required, Base64")
    if len(encoded) > MAX_ENCODED:
        raise bad_parameter("message", f"at most {MAX_ENCODED} characters of Base64")
    try:
        return binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError:
        raise bad_parameter("message", "valid Base64") from None
