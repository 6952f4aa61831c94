"""The ASGI application: every route, and the answer where there is none."""

from collections.abc import Callable
from typing import Any

from starlette.routing import Router

from bridge.api.access import AccessCheck
from bridge.api.base import Access, Channels, Devices, Messages, Pushes, Rules
from bridge.api.direct import Direct
from bridge.api.health import health_routes
from bridge.api.iotda.devices import DeviceManagement
from bridge.api.iotda.errors import answer_error
from bridge.api.iotda.messages import DeviceMessages
from bridge.api.iotda.pushes import ActionPushes
from bridge.api.iotda.rules import RoutingRules
from bridge.api.resource import NoResource
from bridge.api.settings import HttpSettings
from bridge.model.clock import Clock, system_clock
from bridge.model.failed_logins import FailedLogins


class Api(Router):
    """An ASGI application, with a shorter way for one of its routes."""

    def __init__(self, direct: Direct, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.direct = direct


def create_app(
    *,
    messages: Messages,
    devices: Devices,
    rules: Rules,
    access: Access,
    channels: Channels | None = None,
    pushes: Pushes | None = None,
    ready: Callable[[], bool],
    settings: HttpSettings,
    max_ttl: int,
    clock: Clock = system_clock,
) -> Api:
    """`ready` is asked by /readyz; `max_ttl` is the largest ttl of a message, in minutes.

    The application has no start or end of its own: it may be served as soon as the others are ready, and dropped. It is
    a bare router: each `Resource` answers its errors itself, so Starlette's middleware would have nothing to do.
    """
    failures = FailedLogins(settings.max_failed_logins, clock)
    check = AccessCheck(access, failures, clock, max_body=settings.max_body)
    device_messages = DeviceMessages(messages, check, max_body=settings.max_body, max_ttl=max_ttl)
    device_management = DeviceManagement(devices, check, max_body=settings.max_body)
    routing_rules = RoutingRules(rules, check, pushes, max_body=settings.max_body)
    action_pushes = ActionPushes(pushes, check, max_body=settings.max_body) if pushes is not None else None
    return Api(
        device_messages.direct(),
        [
            *device_messages.routes(),
            *device_management.routes(),
            *routing_rules.routes(),
            *(action_pushes.routes() if action_pushes is not None else ()),
            *health_routes(ready, answer_error),
        ],
        redirect_slashes=False,  # a path with one slash more is another path, and a POST must not be redirected
        default=NoResource(answer_error),
    )
