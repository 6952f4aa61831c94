"""The ASGI application: every route, and the answers outside a dialect."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from bridge.api.access import AccessCheck
from bridge.api.base import Access, Messages
from bridge.api.faults import NoSuchPath
from bridge.api.health import health_routes
from bridge.api.iotda.errors import answer_error
from bridge.api.iotda.messages import DeviceMessages
from bridge.api.request_id import RequestIds
from bridge.api.settings import HttpSettings


def create_app(
    *, messages: Messages, access: Access, ready: Callable[[], bool], settings: HttpSettings, max_ttl: int
) -> Starlette:
    """`ready` is asked by /readyz; `max_ttl` is the largest ttl of a message, in minutes.

    The application has no start or end of its own: it may be served as soon as the others are ready, and dropped.
    """
    check = AccessCheck(access)
    device_messages = DeviceMessages(messages, check, max_body=settings.max_body, max_ttl=max_ttl)
    app = Starlette(
        routes=[*device_messages.routes(), *health_routes(ready, answer_error)],
        middleware=[Middleware(RequestIds, answer_error)],
        exception_handlers={HTTPException: _no_such_path},
    )
    app.router.redirect_slashes = False  # a path with one slash more is another path, and a POST must not be redirected
    return app


async def _no_such_path(request: Request, _error: Exception) -> Response:
    """The router raises HTTPException when no route matches, and for nothing else: resources answer wrong methods."""
    return answer_error(request.scope, NoSuchPath())
