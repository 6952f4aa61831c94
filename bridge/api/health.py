"""/healthz and /readyz: for whatever watches the daemon. No credentials, nothing of the inside."""

from collections.abc import Callable

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.api.resource import AnswerError, Call, Resource


def health_routes(ready: Callable[[], bool], answer_error: AnswerError) -> list[BaseRoute]:
    async def healthz(_call: Call) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_call: Call) -> Response:
        return JSONResponse({"status": "ok"}) if ready() else JSONResponse({"status": "not ready"}, 503)

    return [
        Route("/healthz", Resource(answer_error, {"GET": healthz})),
        Route("/readyz", Resource(answer_error, {"GET": readyz})),
    ]
