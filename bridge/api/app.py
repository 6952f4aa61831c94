"""The ASGI application: every route, and the answer where there is none."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Router
from starlette.types import Receive, Scope, Send

from bridge.api.access import AccessCheck
from bridge.api.base import Access, BatchTasks, Broadcasts, Devices, Inbox, Messages, Pushes, Replies, Rules
from bridge.api.cors import Cors, is_preflight, preflight
from bridge.api.dataarts import confirmations
from bridge.api.dataarts.confirmations import Confirmations
from bridge.api.direct import Direct
from bridge.api.dsps.dialect import Dsps
from bridge.api.faults import Forbidden
from bridge.api.front_page import Welcome
from bridge.api.health import Health, store_takes_all
from bridge.api.iotda.batch_tasks import BatchTaskManagement
from bridge.api.iotda.broadcasts import BroadcastMessages
from bridge.api.iotda.devices import DeviceManagement
from bridge.api.iotda.errors import answer_error
from bridge.api.iotda.messages import DeviceMessages
from bridge.api.iotda.project_messages import ProjectMessages
from bridge.api.iotda.pushes import ActionPushes
from bridge.api.iotda.rules import RoutingRules
from bridge.api.openapi import OpenApi
from bridge.api.operation import RouteGroup
from bridge.api.resource import Call, NoResource, Resource
from bridge.api.rightech import messages as inbox_messages
from bridge.api.rightech.messages import InboxMessages
from bridge.api.settings import HttpSettings
from bridge.model.clock import Clock, system_clock
from bridge.model.failed_logins import FailedLogins

ANY_METHOD = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
"""What a page may send to a path that does not exist, so that it sees the 404."""


class Api(Router):
    """An ASGI application, with a shorter way for one of its routes, and the answers to preflights of all of them."""

    def __init__(
        self,
        direct: Direct,
        groups: Sequence[RouteGroup],
        more: Sequence[BaseRoute],
        settings: HttpSettings,
        **kwargs: Any,
    ) -> None:
        """`more`: routes that are not described in /openapi.json."""
        super().__init__([*(route for group in groups for route in group.routes()), *more], **kwargs)
        self.direct = direct
        self.groups = groups
        self.cors = Cors(settings.cors_origins) if settings.cors_origins else None
        operations = [each for group in groups for each in group.operations()]
        self.largest_body = max(settings.max_body, *(each.max_body or 0 for each in operations))
        """Bytes that a request may have on any path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.cors is not None and is_preflight(scope["method"], scope["headers"]):
            response = self._preflight(Call(scope, receive), self.cors)
            await response(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def _preflight(self, call: Call, cors: Cors) -> Response:
        resource = self._resource(call.scope)
        if cors.allows(call.fields[b"origin"]):
            return resource.settle(call, preflight, resource.allowed or ANY_METHOD)
        return resource.refuse(call, Forbidden("http.cors_origins does not have the origin of this page"))

    def _resource(self, scope: Scope) -> Resource:
        found = (route for route in self.routes if route.matches(scope)[0] is not Match.NONE)
        return cast("Resource", getattr(next(found, None), "endpoint", self.default))


def create_app(
    *,
    messages: Messages,
    replies: Replies,
    devices: Devices,
    rules: Rules,
    access: Access,
    pushes: Pushes | None = None,
    ready: Callable[[], bool],
    settings: HttpSettings,
    max_ttl: int,
    clock: Clock = system_clock,
    batches: BatchTasks | None = None,
    broadcasts: Broadcasts | None = None,
    dsps: Dsps | None = None,
    inbox: Inbox | None = None,
    refusal: Callable[[], str | None] = store_takes_all,
) -> Api:
    """`ready` and `refusal` are asked by /readyz, see `Health`; `max_ttl` is the largest ttl of a message, in minutes.
    What is None has no routes.

    The application has no start or end of its own: it may be served as soon as the others are ready, and dropped. It is
    a bare router: each `Resource` answers its errors itself, so Starlette's middleware would have nothing to do.
    """
    failures = FailedLogins(settings.max_failed_logins, clock)
    check = AccessCheck(access, failures, clock, max_body=settings.max_body)
    device_messages = DeviceMessages(messages, replies, check, max_body=settings.max_body, max_ttl=max_ttl, clock=clock)
    groups: list[RouteGroup] = [
        device_messages,
        ProjectMessages(messages, check),
        DeviceManagement(devices, check, max_body=settings.max_body),
        RoutingRules(rules, check, pushes, max_body=settings.max_body),
        Health(ready, refusal),
        Welcome(),
    ]
    if pushes is not None:
        groups.append(ActionPushes(pushes, check, max_body=settings.max_body))
    if batches is not None:
        groups.append(BatchTaskManagement(batches, check, clock, max_body=settings.max_body, max_ttl=max_ttl))
    if broadcasts is not None:
        groups.append(BroadcastMessages(broadcasts, check, clock, max_body=settings.max_body))
    more: list[BaseRoute] = []
    if inbox is not None:
        groups.append(InboxMessages(inbox, check, settings.max_body))
        groups.append(Confirmations(inbox, check, clock, settings.max_body))
        more += [inbox_messages.NOTHING, confirmations.NOTHING]
    if dsps is not None:
        groups += dsps.groups(check, ready, clock, refusal, max_body=settings.max_body)
        more += dsps.nothing()
    groups.append(OpenApi(groups, max_body=settings.max_body))
    return Api(
        device_messages.direct(),
        groups,
        more,
        settings,
        redirect_slashes=False,  # a path with one slash more is another path, and a POST must not be redirected
        default=NoResource(answer_error),
    )
