"""/healthz and /readyz: for whatever watches the daemon. No credentials, nothing of the inside."""

from collections.abc import Callable
from typing import Literal

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.answer import Json
from bridge.api.iotda.describe import operation
from bridge.api.iotda.errors import answer_error
from bridge.api.operation import Operation
from bridge.api.resource import Call, Resource

HEALTHZ = "/healthz"
READYZ = "/readyz"
TAG = "Operations"


class Ok(msgspec.Struct):
    status: Literal["ok"]


class NotReady(msgspec.Struct):
    status: Literal["not ready"]


class Health:
    """`ready` says whether messages are accepted and devices can connect."""

    def __init__(self, ready: Callable[[], bool]) -> None:
        self._ready = ready

    def routes(self) -> list[BaseRoute]:
        return [
            Route(HEALTHZ, Resource(answer_error, {"GET": self.healthz})),
            Route(READYZ, Resource(answer_error, {"GET": self.readyz})),
        ]

    def operations(self) -> list[Operation]:
        summary = "Whether messages are accepted and devices can connect."
        return [
            operation(
                "GET", HEALTHZ, "ShowHealth", "Whether the process answers.", tag=TAG, scope=None, answers={200: Ok}
            ),
            operation("GET", READYZ, "ShowReadiness", summary, tag=TAG, scope=None, answers={200: Ok, 503: NotReady}),
        ]

    async def healthz(self, _call: Call) -> Response:
        return _json(Ok("ok"))

    async def readyz(self, _call: Call) -> Response:
        return _json(Ok("ok")) if self._ready() else _json(NotReady("not ready"), 503)


def _json(body: Ok | NotReady, status: int = 200) -> Response:
    return Json(msgspec.json.encode(body), status)
