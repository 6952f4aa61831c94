"""What became of the pushes of an action; ours, the vendor has nothing of the kind."""

from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.answer import Json
from bridge.api.base import Pushes
from bridge.api.body import read_json
from bridge.api.iotda import push_forms
from bridge.api.iotda.describe import operation
from bridge.api.iotda.errors import BAD_LIMIT, BAD_MARKER, answer_error
from bridge.api.iotda.paging import PAGING
from bridge.api.iotda.push_forms import parse_page, parse_replay, render_attempt, render_dead_letters, render_replayed
from bridge.api.iotda.query import check_project
from bridge.api.iotda.rule_query import check_action_id
from bridge.api.iotda.rules import ACTION, READ, WRITE
from bridge.api.operation import Operation
from bridge.api.resource import Call, Handler, Resource
from bridge.model.errors import UnknownAction

_describe = partial(operation, tag="Pushes")


class ActionPushes:
    """Every handler checks credentials, then names in the path, then what else it was given, then asks the core."""

    def __init__(self, pushes: Pushes, check: AccessCheck, *, max_body: int) -> None:
        self._pushes = pushes
        self._check = check
        self._max_body = max_body

    def routes(self) -> list[BaseRoute]:
        paths: dict[str, dict[str, Handler]] = {
            ACTION + "/test": {"POST": self.test},
            ACTION + "/dead-letters": {"GET": self.index},
            ACTION + "/dead-letters/replay": {"POST": self.replay},
        }
        return [Route(path, Resource(answer_error, handlers, self._check)) for path, handlers in paths.items()]

    def operations(self) -> list[Operation]:
        unknown = (UnknownAction,)
        return [
            _describe(
                "POST",
                ACTION + "/test",
                "TestRuleAction",
                "Push a sample, once, whether the rule is active or not.",
                scope=WRITE,
                answers={200: push_forms.ShownAttempt},
                errors=unknown,
            ),
            _describe(
                "GET",
                ACTION + "/dead-letters",
                "ListDeadLetters",
                "Pushes that were given up, newest first.",
                scope=READ,
                query=PAGING,
                answers={200: push_forms.DeadLetterList},
                errors=(*unknown, BAD_LIMIT, BAD_MARKER),
            ),
            _describe(
                "POST",
                ACTION + "/dead-letters/replay",
                "ReplayDeadLetters",
                "Push dead letters again: those that are named, or all.",
                scope=WRITE,
                body=push_forms.Replay,
                body_required=False,
                example=push_forms.EXAMPLE,
                answers={200: push_forms.Replayed},
                errors=unknown,
            ),
        ]

    async def test(self, call: Call) -> Response:
        return Json(render_attempt(await self._pushes.test(*self._action(call, WRITE))))

    async def index(self, call: Call) -> Response:
        project, action_id = self._action(call, READ)
        found = self._pushes.dead_letters(project, action_id, parse_page(call.scope["query_string"]))
        return Json(render_dead_letters(action_id, found))

    async def replay(self, call: Call) -> Response:
        project, action_id = self._action(call, WRITE)
        webhook_ids = parse_replay(await read_json(call, self._max_body))
        return Json(render_replayed(await self._pushes.replay(project, action_id, webhook_ids)))

    def _action(self, call: Call, scope: str) -> tuple[str, str]:
        """(project, action id) of the path, after the access check."""
        project, action_id = call.path_params["project_id"], call.path_params["action_id"]
        self._check.enter(call, project, scope)
        check_project(project)
        check_action_id(action_id)
        return project, action_id
