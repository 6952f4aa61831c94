"""What the API needs of the rest of the daemon. Anything with these methods will do."""

from collections.abc import Callable
from typing import Protocol

from bridge.model.access_key import AccessKey
from bridge.model.device import Slot
from bridge.model.errors import BridgeError
from bridge.model.message import Draft, Message, Status
from bridge.model.principal import Principal
from bridge.model.record import Amendment, Enrolment, Found, Record, Search
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


class Messages(Protocol):
    """Messages to devices: accept, look up, cancel."""

    async def submit(self, project: str, device_id: str, draft: Draft) -> Message:
        """Accept a message; returns once it is durable, with `outcome` set when it ended in time.

        Errors: UnknownDevice, DuplicateMessage, QueueFull, StoreUnavailable.
        """

    def begin(self, project: str, device_id: str, draft: Draft, done: Callable[[Message | BridgeError], None]) -> None:
        """`submit` without a task: `done` is called once, later, with what `submit` returns or raises.

        Errors, in place of that call: UnknownDevice, QueueFull.
        """

    def message(self, project: str, device_id: str, message_id: str) -> Message:
        """Errors: UnknownDevice, UnknownMessage."""

    def messages(
        self, project: str, device_id: str, *, limit: int, marker: str | None, status: Status | None
    ) -> list[Message]:
        """Newest first, those older than the message `marker`.

        Errors: UnknownDevice; UnknownMessage when the device has no message `marker`.
        """

    async def cancel(self, project: str, device_id: str, message_id: str) -> None:
        """Forget a message; a PENDING one is never delivered afterwards.

        Errors: UnknownDevice, UnknownMessage, StoreUnavailable.
        """


class Devices(Protocol):
    """The devices of a site: register, look up, change, remove."""

    async def add(self, project: str, enrolment: Enrolment) -> Record:
        """Returns once it is durable; a device that needs a secret and has none gets one.

        Errors: DuplicateDevice, UnsuitableGateway, StoreUnavailable.
        """

    def show(self, project: str, device_id: str) -> Record:
        """Errors: UnknownDevice, StoreUnavailable."""

    async def find(self, project: str, search: Search) -> Found:
        """Errors: StoreUnavailable."""

    async def amend(self, project: str, device_id: str, amendment: Amendment) -> Record:
        """Errors: UnknownDevice, StoreUnavailable."""

    async def remove(self, project: str, device_id: str) -> None:
        """With its messages; its connection ends. Errors: UnknownDevice, HasSubDevices, StoreUnavailable."""

    async def set_frozen(self, project: str, device_id: str, *, frozen: bool) -> None:
        """Errors: UnknownDevice, IsSubDevice, AlreadyFrozen, NotFrozen, StoreUnavailable."""

    async def reset_secret(
        self, project: str, device_id: str, secret: str | None, slot: Slot, *, disconnect: bool
    ) -> str:
        """The new secret; a random one for None. Errors: UnknownDevice, WrongAuthType, StoreUnavailable."""

    async def reset_fingerprint(
        self, project: str, device_id: str, fingerprint: str, slot: Slot, *, disconnect: bool
    ) -> None:
        """Errors: UnknownDevice, WrongAuthType, StoreUnavailable."""


class Rules(Protocol):
    """Which events are pushed, and where to. Changes return once they are durable."""

    async def add(self, project: str, draft: RuleDraft) -> Rule:
        """Not active yet. Errors: TooManyRules, StoreUnavailable."""

    def show(self, project: str, rule_id: str) -> Rule:
        """Errors: UnknownRule, StoreUnavailable."""

    def find(self, project: str, search: RuleSearch) -> FoundRules:
        """Errors: StoreUnavailable."""

    async def amend(self, project: str, rule_id: str, amendment: RuleAmendment) -> Rule:
        """Errors: UnknownRule, StoreUnavailable."""

    async def remove(self, project: str, rule_id: str) -> None:
        """With its actions. Errors: UnknownRule, StoreUnavailable."""

    async def add_action(self, project: str, rule_id: str, url: str, secret: str | None) -> Action:
        """A random secret for None. Errors: UnknownRule, TooManyActions, StoreUnavailable."""

    def show_action(self, project: str, action_id: str) -> Action:
        """Errors: UnknownAction, StoreUnavailable."""

    def find_actions(self, project: str, search: ActionSearch) -> FoundActions:
        """Errors: StoreUnavailable."""

    async def amend_action(
        self, project: str, action_id: str, amendment: ActionAmendment, *, rotate: bool = False
    ) -> Action:
        """`rotate`: with a new random secret. Errors: UnknownAction, StoreUnavailable."""

    async def remove_action(self, project: str, action_id: str) -> None:
        """Errors: UnknownAction, StoreUnavailable."""


class Access(Protocol):
    """The credentials this daemon gave out."""

    def principal(self, token: str) -> Principal | None:
        """Who bears this token; None when nobody does. Never raises, whatever the text."""

    def access_key(self, ak: str) -> AccessKey | None:
        """The access key of that AK; None when there is none."""
