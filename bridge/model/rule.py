"""Which events an application is told of, and where they are pushed to."""

import base64
import binascii
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

SECRET_PREFIX = "whsec_"  # noqa: S105 - how such a secret begins, none itself
SECRET_BYTES = range(24, 65)
"""How long the key in a signing secret may be: 192 to 512 bits, as Standard Webhooks has it."""
MOST_SECRETS = 2
"""Of one action: the current one, and the one before until all receivers know the current one."""


class Subject(NamedTuple):
    """What a rule is about, in the vendor's words."""

    resource: str
    event: str


MESSAGE_STATUS = Subject("device.message.status", "update")
"""A message to a device has come into a state."""
DEVICE_STATUS = Subject("device.status", "update")
"""A device has connected or disconnected."""
DEVICE_MESSAGE = Subject("device.message", "report")
"""A device has reported a message."""
SUBJECTS = (MESSAGE_STATUS, DEVICE_STATUS, DEVICE_MESSAGE)
"""Every subject there are events of."""


class AppType(StrEnum):
    """Which devices a rule is about."""

    GLOBAL = "GLOBAL"
    """All of the project."""
    APP = "APP"
    """Those whose `app_id` is the rule's, or those without one if the rule has none."""


class Channel(StrEnum):
    """How events are pushed."""

    HTTP_FORWARDING = "HTTP_FORWARDING"


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """A rule as an application asks for it; its dialect has checked every field."""

    subject: Subject
    name: str | None = None
    description: str | None = None
    app_type: AppType = AppType.GLOBAL
    app_id: str | None = None
    select: str | None = None
    """"*" or None; both mean the whole event."""


@dataclass(frozen=True, slots=True)
class RuleAmendment:
    """What is to change about a rule; None: stays as it is. Empty texts are kept as None."""

    name: str | None = None
    description: str | None = None
    select: str | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    key: int
    """Larger for a newer rule; never used again after it is removed."""
    project: str
    rule_id: str
    draft: RuleDraft
    active: bool
    """Nothing is pushed for a rule that is not."""

    def covers(self, app_id: str | None) -> bool:
        """Whether it is about devices of that `app_id`; None: that have none."""
        return self.draft.app_type is AppType.GLOBAL or self.draft.app_id == app_id


@dataclass(frozen=True, slots=True)
class Action:
    """Where the events of one rule are pushed to."""

    key: int
    """Larger for a newer action; never used again after it is removed."""
    project: str
    action_id: str
    rule_id: str
    app_id: str | None
    """Of its rule."""
    url: str
    secrets: tuple[str, ...] = field(repr=False)
    """One or two, `whsec_…`, the current one first. A push carries a signature with each of them."""
    channel: Channel = Channel.HTTP_FORWARDING


@dataclass(frozen=True, slots=True)
class ActionAmendment:
    """What is to change about an action."""

    url: str | None = None
    """None: stays as it is."""
    secret: str | None = field(default=None, repr=False)
    """Becomes the current one, and what was current stays good beside it. None: no change."""
    retire: bool = False
    """From now on only the current secret, the new one if there is one, is good."""


@dataclass(frozen=True, slots=True)
class Route:
    """A rule with all its actions, oldest first."""

    rule: Rule
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list, newest first."""

    limit: int
    before: int | None = None
    """What has a smaller key."""
    offset: int = 0
    """How many of it to pass over."""


@dataclass(frozen=True, slots=True)
class RuleSearch:
    """Which rules of a project. None: no matter."""

    page: Page
    resource: str | None = None
    event: str | None = None
    app_type: str | None = None
    app_id: str | None = None
    name: str | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class ActionSearch:
    """Which actions of a project. None: no matter."""

    page: Page
    rule_id: str | None = None
    channel: str | None = None
    app_type: str | None = None
    """Of its rule, as `app_id`."""
    app_id: str | None = None


@dataclass(frozen=True, slots=True)
class FoundRules:
    rules: list[Rule]
    count: int
    """How many there are in all, whatever the page."""


@dataclass(frozen=True, slots=True)
class FoundActions:
    actions: list[Action]
    count: int
    """How many there are in all, whatever the page."""


def rotated(secrets: tuple[str, ...], amendment: ActionAmendment) -> tuple[str, ...]:
    """The secrets of an action after the amendment. One that is current already stays it, so asking twice is asking
    once."""
    if amendment.secret is not None:
        secrets = (amendment.secret, *(secret for secret in secrets if secret != amendment.secret))
    return secrets[: 1 if amendment.retire else MOST_SECRETS]


def signing_key(secret: str) -> bytes:
    """The bytes to sign with. Error: ValueError, with a sentence, for what is no signing secret."""
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"it begins with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("valid Base64 stands behind the prefix") from None
    if len(key) not in SECRET_BYTES:
        raise ValueError(f"its key has {SECRET_BYTES[0]} to {SECRET_BYTES[-1]} bytes")
    return key
