"""Rules and their actions. Contract: `bridge.rules.base.RuleStore`, and `RuleTable` for what changes them."""

from typing import Any

from bridge.model.errors import TooManyActions, TooManyRules, UnknownAction, UnknownRule
from bridge.model.rule import (
    Action,
    ActionAmendment,
    ActionSearch,
    AppType,
    Channel,
    FoundActions,
    FoundRules,
    Page,
    Route,
    Rule,
    RuleAmendment,
    RuleDraft,
    RuleSearch,
    Subject,
    rotated,
)
from bridge.store.administration import Administration
from bridge.store.connection import transaction
from bridge.store.rows import Row

# ruff: noqa: S608 - the texts are put together from constants of this file, and values are always parameters

NEWEST = (1 << 63) - 1
RULE_COLUMNS = (
    "rule.key, rule.project, rule.rule_id, rule.resource, rule.event, rule.name, rule.description, rule.app_type, "
    "rule.app_id, rule.selected, rule.active"
)
ACTION_COLUMNS = (
    "action.key, rule.project, action.action_id, rule.rule_id, rule.app_id, action.url, action.secrets, action.channel"
)
ACTION_FROM = "rule_action AS action JOIN rule ON rule.key = action.rule"

ADD_RULE = """
    INSERT INTO rule (rule_id, project, resource, event, name, description, app_type, app_id, selected, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
AMEND_RULE = """
    UPDATE rule SET name = nullif(ifnull(?, name), ''), description = nullif(ifnull(?, description), ''),
        selected = nullif(ifnull(?, selected), ''), active = ifnull(?, active)
    WHERE key = ?
"""
REMOVE_RULE = "DELETE FROM rule WHERE key = ?"
COUNT_RULES = "SELECT count(*) FROM rule WHERE project = ?"
RULE = f"SELECT {RULE_COLUMNS} FROM rule WHERE rule.rule_id = ?"
RULES = f"SELECT {RULE_COLUMNS} FROM rule ORDER BY rule.key"

ADD_ACTION = "INSERT INTO rule_action (rule, action_id, channel, url, secrets, created_at) VALUES (?, ?, ?, ?, ?, ?)"
AMEND_ACTION = "UPDATE rule_action SET url = ifnull(?, url), secrets = ? WHERE key = ?"
REMOVE_ACTION = "DELETE FROM rule_action WHERE key = ?"
REMOVE_ACTIONS = "DELETE FROM rule_action WHERE rule = ?"
COUNT_ACTIONS = "SELECT count(*) FROM rule_action WHERE rule = ?"
ACTION = f"SELECT {ACTION_COLUMNS} FROM {ACTION_FROM} WHERE action.action_id = ?"
ACTIONS = f"SELECT {ACTION_COLUMNS} FROM {ACTION_FROM} ORDER BY action.key"
ACTIONS_OF_RULE = f"SELECT {ACTION_COLUMNS} FROM {ACTION_FROM} WHERE action.rule = ? ORDER BY action.key"


class Rules(Administration):
    """All methods may raise StoreUnavailable."""

    def add_rule(self, project: str, rule_id: str, draft: RuleDraft, *, at_most: int) -> Rule:
        """A rule that is not active yet. Raises TooManyRules if the project has `at_most` already."""
        subject = draft.subject
        texts = (draft.name, draft.description, draft.app_type.value, draft.app_id, draft.select)
        with transaction(self._connection):
            if self._query(COUNT_RULES, (project,))[0][0] >= at_most:
                raise TooManyRules(f"project {project} has {at_most} rules")
            row = (rule_id, project, subject.resource, subject.event, *texts, self._clock())
            self._connection.execute(ADD_RULE, row)
            rule = self._find_rule(project, rule_id)
            self._announce("rule", name=rule_id, project=project)
        self._written()
        return rule

    def amend_rule(self, project: str, rule_id: str, amendment: RuleAmendment) -> Rule:
        """Raises UnknownRule."""
        texts = (amendment.name, amendment.description, amendment.select)
        with transaction(self._connection):
            key = self._find_rule(project, rule_id).key
            self._connection.execute(AMEND_RULE, (*texts, amendment.active, key))
            rule = self._find_rule(project, rule_id)
            self._announce("rule", name=rule_id, project=project)
        self._written()
        return rule

    def remove_rule(self, project: str, rule_id: str) -> None:
        """With its actions. Raises UnknownRule."""
        with transaction(self._connection):
            key = self._find_rule(project, rule_id).key
            self._connection.execute(REMOVE_ACTIONS, (key,))
            self._connection.execute(REMOVE_RULE, (key,))
            self._announce("rule", name=rule_id, project=project)
        self._written()

    def add_action(self, project: str, rule_id: str, action_id: str, url: str, secret: str, *, at_most: int) -> Action:
        """Raises UnknownRule; TooManyActions if the rule has `at_most` already."""
        with transaction(self._connection):
            rule = self._find_rule(project, rule_id)
            if self._query(COUNT_ACTIONS, (rule.key,))[0][0] >= at_most:
                raise TooManyActions(f"the rule {rule_id} has {at_most} actions")
            row = (rule.key, action_id, Channel.HTTP_FORWARDING.value, url, secret, self._clock())
            self._connection.execute(ADD_ACTION, row)
            action = self._find_action(project, action_id)
            self._announce("rule", name=rule_id, project=project)
        self._written()
        return action

    def amend_action(self, project: str, action_id: str, amendment: ActionAmendment) -> Action:
        """Raises UnknownAction."""
        with transaction(self._connection):
            before = self._find_action(project, action_id)
            secrets = " ".join(rotated(before.secrets, amendment))
            self._connection.execute(AMEND_ACTION, (amendment.url, secrets, before.key))
            action = self._find_action(project, action_id)
            self._announce("rule", name=before.rule_id, project=project)
        self._written()
        return action

    def remove_action(self, project: str, action_id: str) -> None:
        """Raises UnknownAction."""
        with transaction(self._connection):
            action = self._find_action(project, action_id)
            self._connection.execute(REMOVE_ACTION, (action.key,))
            self._announce("rule", name=action.rule_id, project=project)
        self._written()

    def rule(self, project: str, rule_id: str) -> Rule | None:
        rules = [read_rule(row) for row in self._query(RULE, (rule_id,))]
        return rules[0] if rules and rules[0].project == project else None

    def action(self, project: str, action_id: str) -> Action | None:
        actions = [read_action(row) for row in self._query(ACTION, (action_id,))]
        return actions[0] if actions and actions[0].project == project else None

    def find_rules(self, project: str, search: RuleSearch) -> FoundRules:
        """Newest first."""
        where, values = _where(
            ("rule.project = ?", project),
            ("rule.resource = ?", search.resource),
            ("rule.event = ?", search.event),
            ("rule.app_type = ?", search.app_type),
            ("rule.app_id = ?", search.app_id),
            ("rule.name = ?", search.name),
            ("rule.active = ?", search.active),
        )
        rows, count = self._page(f"{RULE_COLUMNS} FROM rule", "rule.key", where, values, search.page)
        return FoundRules([read_rule(row) for row in rows], count)

    def find_actions(self, project: str, search: ActionSearch) -> FoundActions:
        """Newest first."""
        where, values = _where(
            ("rule.project = ?", project),
            ("rule.rule_id = ?", search.rule_id),
            ("action.channel = ?", search.channel),
            ("rule.app_type = ?", search.app_type),
            ("rule.app_id = ?", search.app_id),
        )
        rows, count = self._page(f"{ACTION_COLUMNS} FROM {ACTION_FROM}", "action.key", where, values, search.page)
        return FoundActions([read_action(row) for row in rows], count)

    def route(self, rule_id: str) -> Route | None:
        """The rule of that id, in whatever project, with its actions."""
        rules = [read_rule(row) for row in self._query(RULE, (rule_id,))]
        if not rules:
            return None
        actions = self._query(ACTIONS_OF_RULE, (rules[0].key,))
        return Route(rules[0], tuple(read_action(row) for row in actions))

    def routes(self) -> list[Route]:
        """All rules of all projects, oldest first."""
        rules = [read_rule(row) for row in self._query(RULES)]
        actions: dict[str, list[Action]] = {rule.rule_id: [] for rule in rules}
        for row in self._query(ACTIONS):
            action = read_action(row)
            actions.setdefault(action.rule_id, []).append(action)  # its rule may have come since
        return [Route(rule, tuple(actions[rule.rule_id])) for rule in rules]

    def _page(self, columns: str, key: str, where: str, values: Row, page: Page) -> tuple[list[Row], int]:
        """One page, and how many there are in all."""
        tables = columns.partition(" FROM ")[2]
        [[count]] = self._query(f"SELECT count(*) FROM {tables} WHERE {where}", values)
        before = NEWEST if page.before is None else min(page.before, NEWEST)
        statement = f"SELECT {columns} WHERE {where} AND {key} < ? ORDER BY {key} DESC LIMIT ? OFFSET ?"
        return self._query(statement, (*values, before, page.limit, page.offset)), count

    def _find_rule(self, project: str, rule_id: str) -> Rule:
        rule = self.rule(project, rule_id)
        if rule is None:
            raise UnknownRule(f"project {project} has no rule {rule_id}")
        return rule

    def _find_action(self, project: str, action_id: str) -> Action:
        action = self.action(project, action_id)
        if action is None:
            raise UnknownAction(f"project {project} has no action {action_id}")
        return action


def read_rule(row: Row) -> Rule:
    """From RULE_COLUMNS."""
    key, project, rule_id, resource, event, name, description, app_type, app_id, select, active = row
    draft = RuleDraft(Subject(resource, event), name, description, AppType(app_type), app_id, select)
    return Rule(key, project, rule_id, draft, bool(active))


def read_action(row: Row) -> Action:
    """From ACTION_COLUMNS."""
    key, project, action_id, rule_id, app_id, url, secrets, channel = row
    return Action(key, project, action_id, rule_id, app_id, url, tuple(secrets.split()), Channel(channel))


def _where(*asked: tuple[str, Any]) -> tuple[str, Row]:
    """What stands in the text is ours; what was asked for is a parameter."""
    given = [(condition, value) for condition, value in asked if value is not None]
    return " AND ".join(condition for condition, _ in given), tuple(value for _, value in given)
