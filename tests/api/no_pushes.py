"""Actions that nobody has, and so no pushes."""

from collections.abc import Sequence

from bridge.model.errors import UnknownAction
from bridge.model.push import Attempt, FoundDeadLetters, PushStatus
from bridge.model.rule import Page


class NoPushes:
    def status(self, project: str, action_id: str) -> PushStatus:
        raise UnknownAction

    async def test(self, project: str, action_id: str) -> Attempt:
        raise UnknownAction

    def dead_letters(self, project: str, action_id: str, page: Page) -> FoundDeadLetters:
        raise UnknownAction

    async def replay(self, project: str, action_id: str, webhook_ids: Sequence[str] | None) -> int:
        raise UnknownAction
