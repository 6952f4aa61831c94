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


class NotReady(msgspec.Struct, omit_defaults=True):
    status: Literal["not ready"]
    reason: str | None = None
    """Why messages are not accepted; absent while the daemon starts or stops."""


def store_takes_all() -> None:
    """For a store that never refuses."""


class Health:
    """`ready` says whether the daemon is up; `refusal` why the store refuses writes, None while it takes them."""

    def __init__(self, ready: Callable[[], bool], refusal: Callable[[], str | None] = store_takes_all) -> None:
        self._ready = ready
        self._refusal = refusal

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
        if not self._ready():
            return _json(NotReady("not ready"), 503)
        refusal = self._refusal()
        return _json(Ok("ok")) if refusal is None else _json(NotReady("not ready", reason_of(refusal)), 503)


def reason_of(refusal: str) -> str:
    return f"the store refuses writes: {refusal}"


def _json(body: Ok | NotReady, status: int = 200) -> Response:
    return Json(msgspec.json.encode(body), status)
