"""Rules and actions: CreateRoutingRule, ListRoutingRules, ShowRoutingRule, UpdateRoutingRule, DeleteRoutingRule,
CreateRuleAction, ListRuleActions, ShowRuleAction, UpdateRuleAction, DeleteRuleAction."""

from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.answer import Json
from bridge.api.base import Pushes, Rules
from bridge.api.body import read_json
from bridge.api.iotda import rule_render
from bridge.api.iotda.describe import operation
from bridge.api.iotda.errors import BAD_LIMIT, BAD_MARKER, answer_error
from bridge.api.iotda.query import check_project
from bridge.api.iotda.rule_parse import (
    EXAMPLES,
    AddAction,
    AddRule,
    UpdateAction,
    UpdateRule,
    parse_action,
    parse_action_amendment,
    parse_rule,
    parse_rule_amendment,
)
from bridge.api.iotda.rule_query import (
    ACTION_PARAMETERS,
    RULE_PARAMETERS,
    check_action_id,
    check_rule_id,
    parse_action_search,
    parse_rule_search,
)
from bridge.api.iotda.rule_render import render_action, render_actions, render_rule, render_rules
from bridge.api.operation import Operation
from bridge.api.resource import Call, Handler, Resource
from bridge.model.errors import TooManyActions, TooManyRules, UnknownAction, UnknownRule

RULES = "/v5/iot/{project_id}/routing-rule/rules"
ACTIONS = "/v5/iot/{project_id}/routing-rule/actions"
RULE = RULES + "/{rule_id}"
ACTION = ACTIONS + "/{action_id}"

WRITE = "events:write"
READ = "events:read"


class RoutingRules:
    """Every handler checks credentials, then names in the path, then what else it was given, then asks the core."""

    def __init__(self, rules: Rules, check: AccessCheck, pushes: Pushes | None = None, *, max_body: int) -> None:
        self._rules = rules
        self._pushes = pushes
        self._check = check
        self._max_body = max_body

    def routes(self) -> list[BaseRoute]:
        paths: dict[str, dict[str, Handler]] = {
            RULES: {"POST": self.add, "GET": self.index},
            RULE: {"GET": self.show, "PUT": self.update, "DELETE": self.delete},
            ACTIONS: {"POST": self.add_action, "GET": self.index_actions},
            ACTION: {
                "GET": self.show_action,
                "PUT": self.update_action,
                "DELETE": self.delete_action,
            },
        }
        return [Route(path, Resource(answer_error, handlers, self._check)) for path, handlers in paths.items()]

    def operations(self) -> list[Operation]:
        return [*_about_rules(), *_about_actions()]

    async def add(self, call: Call) -> Response:
        project = self._project(call, WRITE)
        return Json(render_rule(await self._rules.add(project, parse_rule(await self._body(call)))), 201)

    async def index(self, call: Call) -> Response:
        project = self._project(call, READ)
        return Json(render_rules(self._rules.find(project, parse_rule_search(call.scope["query_string"]))))

    async def show(self, call: Call) -> Response:
        return Json(render_rule(self._rules.show(*self._rule(call, READ))))

    async def update(self, call: Call) -> Response:
        project, rule_id = self._rule(call, WRITE)
        amendment = parse_rule_amendment(await self._body(call))
        return Json(render_rule(await self._rules.amend(project, rule_id, amendment)))

    async def delete(self, call: Call) -> Response:
        await self._rules.remove(*self._rule(call, WRITE))
        return Response(status_code=204)

    async def add_action(self, call: Call) -> Response:
        project = self._project(call, WRITE)
        new = parse_action(await self._body(call))
        action = await self._rules.add_action(project, new.rule_id, new.url, new.secret)
        return Json(render_action(action, with_secret=new.secret is None), 201)

    async def index_actions(self, call: Call) -> Response:
        project = self._project(call, READ)
        search = parse_action_search(call.scope["query_string"])
        return Json(render_actions(self._rules.find_actions(project, search)))

    async def show_action(self, call: Call) -> Response:
        named = self._action(call, READ)
        action = self._rules.show_action(*named)
        status = self._pushes.status(*named) if self._pushes is not None else None
        return Json(render_action(action, status=status))

    async def update_action(self, call: Call) -> Response:
        project, action_id = self._action(call, WRITE)
        changed = parse_action_amendment(await self._body(call))
        action = await self._rules.amend_action(project, action_id, changed.amendment, rotate=changed.rotate)
        return Json(render_action(action, with_secret=changed.rotate))

    async def delete_action(self, call: Call) -> Response:
        await self._rules.remove_action(*self._action(call, WRITE))
        return Response(status_code=204)

    async def _body(self, call: Call) -> bytes:
        return await read_json(call, self._max_body)

    def _project(self, call: Call, scope: str) -> str:
        """The project of the path, after the access check."""
        project: str = call.path_params["project_id"]
        self._check.enter(call, project, scope)
        check_project(project)
        return project

    def _rule(self, call: Call, scope: str) -> tuple[str, str]:
        """(project, rule id) of the path, after the access check."""
        project, rule_id = self._project(call, scope), call.path_params["rule_id"]
        check_rule_id(rule_id)
        return project, rule_id

    def _action(self, call: Call, scope: str) -> tuple[str, str]:
        """(project, action id) of the path, after the access check."""
        project, action_id = self._project(call, scope), call.path_params["action_id"]
        check_action_id(action_id)
        return project, action_id


_read = partial(operation, tag="Pushes", scope=READ)
_write = partial(operation, tag="Pushes", scope=WRITE)


def _about_rules() -> list[Operation]:
    shown, unknown = rule_render.ShownRule, (UnknownRule,)
    return [
        _write(
            "POST",
            RULES,
            "CreateRoutingRule",
            "Say which events are pushed.",
            answers={201: shown},
            errors=(TooManyRules,),
            body=AddRule,
            example=EXAMPLES[AddRule],
        ),
        _read(
            "GET",
            RULES,
            "ListRoutingRules",
            "The rules of a project, newest first.",
            query=RULE_PARAMETERS,
            answers={200: rule_render.RuleList},
            errors=(BAD_LIMIT, BAD_MARKER),
        ),
        _read("GET", RULE, "ShowRoutingRule", "A rule.", answers={200: shown}, errors=unknown),
        _write(
            "PUT",
            RULE,
            "UpdateRoutingRule",
            "Change what is given; active starts and stops it.",
            answers={200: shown},
            errors=unknown,
            body=UpdateRule,
            example=EXAMPLES[UpdateRule],
        ),
        _write(
            "DELETE", RULE, "DeleteRoutingRule", "Remove a rule and its actions.", answers={204: None}, errors=unknown
        ),
    ]


def _about_actions() -> list[Operation]:
    shown, unknown = rule_render.ShownAction, (UnknownAction,)
    return [
        _write(
            "POST",
            ACTIONS,
            "CreateRuleAction",
            "Say where events are pushed to.",
            body=AddAction,
            example=EXAMPLES[AddAction],
            answers={201: shown},
            errors=(UnknownRule, TooManyActions),
        ),
        _read(
            "GET",
            ACTIONS,
            "ListRuleActions",
            "The actions of a project, newest first.",
            query=ACTION_PARAMETERS,
            answers={200: rule_render.ActionList},
            errors=(BAD_LIMIT, BAD_MARKER),
        ),
        _read("GET", ACTION, "ShowRuleAction", "An action.", answers={200: shown}, errors=unknown),
        _write(
            "PUT",
            ACTION,
            "UpdateRuleAction",
            "Change what is given; secrets are replaced.",
            body=UpdateAction,
            example=EXAMPLES[UpdateAction],
            answers={200: shown},
            errors=unknown,
        ),
        _write("DELETE", ACTION, "DeleteRuleAction", "Remove an action.", answers={204: None}, errors=unknown),
    ]
