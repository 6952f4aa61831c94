"""What rules need of a store, whichever it is, and what they tell others."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from bridge.model.rule import (
    Action,
    ActionAmendment,
    ActionSearch,
    FoundActions,
    FoundRules,
    Route,
    Rule,
    RuleAmendment,
    RuleDraft,
    RuleSearch,
)

T = TypeVar("T")


class RuleTable(Protocol):
    """Durable rules. All methods return after the commit and may raise StoreUnavailable."""

    def add_rule(self, project: str, rule_id: str, draft: RuleDraft, *, at_most: int) -> Rule:
        """A rule that is not active yet. Raises TooManyRules if the project has `at_most` already."""

    def amend_rule(self, project: str, rule_id: str, amendment: RuleAmendment) -> Rule:
        """Raises UnknownRule."""

    def remove_rule(self, project: str, rule_id: str) -> None:
        """With its actions. Raises UnknownRule."""

    def add_action(self, project: str, rule_id: str, action_id: str, url: str, secret: str, *, at_most: int) -> Action:
        """Raises UnknownRule; TooManyActions if the rule has `at_most` already."""

    def amend_action(self, project: str, action_id: str, amendment: ActionAmendment) -> Action:
        """Secrets change as `bridge.model.rule.rotated` says. Raises UnknownAction."""

    def remove_action(self, project: str, action_id: str) -> None:
        """Raises UnknownAction."""


class RuleStore(Protocol):
    """Reads are immediate, see every committed write, and may raise StoreUnavailable."""

    async def manage(self, action: Callable[[RuleTable], T]) -> T:
        """Runs `action` away from the event loop. Who listens to changes has heard of its own when this returns.

        Raises what `action` raises.
        """

    def on_rule_change(self, callback: Callable[[str], None]) -> None:
        """`callback(rule_id)` in the event loop for each change of a rule or of its actions, whoever made it."""

    def rule(self, project: str, rule_id: str) -> Rule | None: ...

    def action(self, project: str, action_id: str) -> Action | None: ...

    def find_rules(self, project: str, search: RuleSearch) -> FoundRules:
        """Newest first."""

    def find_actions(self, project: str, search: ActionSearch) -> FoundActions:
        """Newest first."""

    def route(self, rule_id: str) -> Route | None:
        """The rule of that id, in whatever project, with its actions."""

    def routes(self) -> list[Route]:
        """All rules of all projects, oldest first."""


class RuleListener(Protocol):
    def rule_changed(self, before: Route | None, after: Route | None) -> None:
        """A rule or its actions changed, from what was known to what is now; None: it was not there, it is gone.

        Called in the event loop, once `Rules.matching` answers accordingly. Must not raise and must not wait.
        """
