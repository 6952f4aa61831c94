"""What the API needs of the rest of the daemon. Anything with these methods will do."""

from collections.abc import Callable, Sequence
from typing import Protocol

from bridge.model.access_key import AccessKey
from bridge.model.batch import (
    FoundTasks,
    TargetResult,
    TargetSearch,
    Task,
    TaskDetails,
    TaskOrder,
    TaskSearch,
)
from bridge.model.device import Slot
from bridge.model.errors import BridgeError
from bridge.model.event import ChannelInfo, Polled
from bridge.model.inquiry import Inquiry, Page
from bridge.model.message import Draft, Message, Status
from bridge.model.notification import Bounds, Notice, Notification, Selection
from bridge.model.once import Once
from bridge.model.principal import Principal
from bridge.model.push import Attempt, FoundDeadLetters, PushStatus
from bridge.model.record import Amendment, Enrolment, Found, Record, Search
from bridge.model.reply import Exchange
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
from bridge.model.rule import (
    Page as ListPage,
)


class Messages(Protocol):
    """Messages to devices: accept, look up, cancel."""

    async def submit(self, project: str, device_id: str, draft: Draft) -> Message:
        """Accept a message; returns once it is durable, with `outcome` set when it ended in time.

        Errors: UnknownDevice, ForeignTopic, DuplicateMessage, QueueFull, StoreUnavailable.
        """

    async def submit_once(self, project: str, device_id: str, once: Once, draft: Callable[[], Draft]) -> Message:
        """`submit`, unless the request was carried out before: then its message, as it is now.

        Errors: KeyReused, RepeatedTooLate, those of `submit` and `draft`, which a repeated request is not asked for.
        """

    def begin(self, project: str, device_id: str, draft: Draft, done: Callable[[Message | BridgeError], None]) -> None:
        """`submit` without a task: `done` is called once, later, with what `submit` returns or raises.

        Errors, in place of that call: UnknownDevice, ForeignTopic, QueueFull.
        """

    def message(self, project: str, device_id: str, message_id: str) -> Message:
        """Errors: UnknownDevice, UnknownMessage."""

    def place(self, project: str, device_id: str, message_id: str) -> int:
        """`Message.seq` of this one, also when it was removed lately. Errors: UnknownDevice, UnknownMessage."""

    def messages(
        self, project: str, device_id: str, *, limit: int, before: int | None, status: Status | None
    ) -> list[Message]:
        """Newest first, those with a smaller `seq`. Errors: UnknownDevice."""

    async def find(self, project: str, inquiry: Inquiry) -> Page:
        """Messages of the project, newest first, as many as could be found in a bounded time; each call goes on from
        the `rest` of the one before. Errors: UnknownDevice, StoreUnavailable."""

    async def cancel(self, project: str, device_id: str, message_id: str) -> None:
        """Forget a message; a PENDING one is never delivered afterwards.

        Errors: UnknownDevice, UnknownMessage, StoreUnavailable.
        """


class Waiting(Protocol):
    """A message that was accepted, and whose sender waits for the reply of the device."""

    async def exchange(self) -> Exchange:
        """Returns when the reply is there, or no longer to be waited for.

        Errors: DuplicateMessage, StoreUnavailable, with nothing stored; UnknownMessage, UnknownDevice when the message
        was removed meanwhile.
        """

    def leave(self) -> None:
        """Wait no longer: `exchange` returns as soon as the message is durable."""


class Replies(Protocol):
    """What devices answer."""

    @property
    def longest(self) -> int:
        """Seconds somebody may wait."""

    def ask(self, project: str, device_id: str, draft: Draft, timeout: float) -> Waiting:
        """Send a message and wait up to `timeout` seconds for its reply. Sets what the draft needs for that.

        Errors: UnknownDevice, ForeignTopic, QueueFull, TooManyWaiting.
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


class BatchTasks(Protocol):
    """One message for many devices. Errors of all: StoreUnavailable; of those with a key: UnknownTask."""

    async def create(self, project: str, order: TaskOrder) -> Task:
        """Returns once it is durable. Errors: TooManyTasks."""

    async def find(self, project: str, search: TaskSearch) -> FoundTasks: ...

    async def details(self, project: str, key: int, search: TargetSearch) -> TaskDetails: ...

    async def stop_task(self, project: str, key: int) -> None:
        """Errors: WrongTaskState."""

    async def stop_targets(self, project: str, key: int, targets: Sequence[str]) -> Sequence[TargetResult]:
        """Errors: WrongTaskState."""

    async def retry_task(self, project: str, key: int) -> None:
        """Errors: WrongTaskState."""

    async def retry_targets(self, project: str, key: int, targets: Sequence[str]) -> Sequence[TargetResult]:
        """Errors: WrongTaskState."""

    async def remove(self, project: str, key: int) -> None:
        """Errors: WrongTaskState."""


class Broadcasts(Protocol):
    """Messages to whoever listens."""

    def broadcast(self, project: str, topic: str, payload: bytes, ttl: int) -> int:
        """To all connected clients of the project that have subscribed; says how many. With a `ttl`, in seconds, also
        to sessions whose client comes back within that time."""


class Channels(Protocol):
    """Channels of events, and the applications that poll them. Each project has channels of its own."""

    async def subscribe(self, project: str, channel: str, subscriber: str) -> None:
        """Returns once it is durable; it hears what is published from then on. Repeating it leaves the position alone.

        Errors: StoreUnavailable.
        """

    async def unsubscribe(self, project: str, channel: str, subscriber: str) -> None:
        """Also if it never existed. Its waiting polls end with UnknownSubscriber. Errors: StoreUnavailable."""

    async def poll(
        self, project: str, channel: str, subscriber: str, *, at_most: int, wait: float, after: int = 0
    ) -> Polled:
        """What the subscriber has not acknowledged, oldest first; fewer than `at_most` if they are large, with `more`
        set. Waits for up to `wait` seconds until there is something. `after`: not what is up to that position either.

        Errors: UnknownSubscriber, StoreUnavailable.
        """

    async def acknowledge(self, project: str, channel: str, subscriber: str, position: int) -> None:
        """Everything up to that position, durably; without effect when that was acknowledged before.

        Errors: UnknownSubscriber, StoreUnavailable.
        """

    def acknowledged(self, project: str, channel: str, subscriber: str) -> int:
        """The position up to which the subscriber has acknowledged everything; 0 if there is none."""

    async def publish(self, project: str, channel: str, message_id: str, content: str) -> bool:
        """`content` is JSON text, and stays as it is. True: every subscriber there is will get it, durably. False: a
        message of that id is still kept; nothing is delivered and nobody woken. Errors: StoreUnavailable."""

    def knows(self, project: str, channel: str, subscriber: str) -> bool: ...

    def channel(self, project: str, channel: str) -> ChannelInfo | None:
        """None: nobody subscribed to it and nothing is kept."""

    def channels(self, project: str) -> list[ChannelInfo]:
        """By name."""

    def close(self) -> None:
        """Polls that wait return with nothing; later ones do not wait."""


class Revocations(Protocol):
    """JSON Web Tokens that are not accepted any more."""

    async def revoke_jwt(self, jti: str, until: int) -> None:
        """Returns once it is durable. It may be forgotten `until` the token expires, in seconds since the epoch.

        Errors: StoreUnavailable.
        """

    def is_revoked(self, jti: str) -> bool:
        """Errors: StoreUnavailable."""


class Inbox(Protocol):
    """The notifications of each project. All of it may raise StoreUnavailable."""

    def inbox(self, project: str, selection: Selection) -> list[Notification]:
        """Newest first, since it was cleared. Errors: TooBroad."""

    def history(self, project: str, selection: Selection) -> list[Notification]:
        """Newest first, also what was cleared. Errors: TooBroad."""

    def bounds(self, project: str, selection: Selection) -> Bounds:
        """Of the history. Errors: TooBroad."""

    def show(self, project: str, notification_id: str) -> Notification:
        """Errors: UnknownNotification."""

    async def post(self, notice: Notice) -> Notification:
        """Returns once it is durable."""

    async def mark_read(self, project: str, notification_id: str, read: bool) -> Notification:
        """Errors: UnknownNotification."""

    async def clear(self, project: str) -> None:
        """Empty the inbox; the history stays."""

    async def confirm(self, project: str, confirmed: str, by: str, process_at: int | None) -> None:
        """Process a notification, or the open ones about a device message: at once, or then (milliseconds since the
        epoch). Errors: PastTime, UnknownNotification, AlreadyProcessed."""


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


class Pushes(Protocol):
    """How the pushes of an action fare."""

    def status(self, project: str, action_id: str) -> PushStatus:
        """Errors: UnknownAction, StoreUnavailable."""

    async def test(self, project: str, action_id: str) -> Attempt:
        """Pushes a sample, once, whether the rule is active or not. Errors: UnknownAction, StoreUnavailable."""

    def dead_letters(self, project: str, action_id: str, page: ListPage) -> FoundDeadLetters:
        """Newest first; fewer than asked for if they are large. Errors: UnknownAction, StoreUnavailable."""

    async def replay(self, project: str, action_id: str, webhook_ids: Sequence[str] | None) -> int:
        """Dead letters are pushed again: all (None), or those of these ids that there are; no more than may wait for
        one target. Says how many. Errors: UnknownAction, StoreUnavailable."""


class Access(Protocol):
    """The credentials this daemon gave out."""

    def principal(self, token: str) -> Principal | None:
        """Who bears this token; None when nobody does. Never raises, whatever the text."""

    def access_key(self, ak: str) -> AccessKey | None:
        """The access key of that AK; None when there is none."""
