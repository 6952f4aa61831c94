"""A site without rules: for tests that are about something else."""

from bridge.model.errors import UnknownAction, UnknownRule
from bridge.model.rule import (
    Action,
    ActionAmendment,
    ActionSearch,
    FoundActions,
    FoundRules,
    Rule,
    RuleAmendment,
    RuleDraft,
    RuleSearch,
)


class NoRules:
    async def add(self, project: str, draft: RuleDraft) -> Rule:
        raise NotImplementedError

    def show(self, project: str, rule_id: str) -> Rule:
        raise UnknownRule

    def find(self, project: str, search: RuleSearch) -> FoundRules:
        return FoundRules([], 0)

    async def amend(self, project: str, rule_id: str, amendment: RuleAmendment) -> Rule:
        raise UnknownRule

    async def remove(self, project: str, rule_id: str) -> None:
        raise UnknownRule

    async def add_action(self, project: str, rule_id: str, url: str, secret: str | None) -> Action:
        raise UnknownRule

    def show_action(self, project: str, action_id: str) -> Action:
        raise UnknownAction

    def find_actions(self, project: str, search: ActionSearch) -> FoundActions:
        return FoundActions([], 0)

    async def amend_action(
        self, project: str, action_id: str, amendment: ActionAmendment, *, rotate: bool = False
    ) -> Action:
        raise UnknownAction

    async def remove_action(self, project: str, action_id: str) -> None:
        raise UnknownAction
