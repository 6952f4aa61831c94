"""What the core says of rules and actions → JSON of this dialect. Pure. A secret is shown to whoever has just had it
made, only."""

import msgspec

from bridge.api.iotda.paging import record_id
from bridge.model.push import PushStatus
from bridge.model.rule import Action, FoundActions, FoundRules, Rule
from bridge.model.times import compact

_encode = msgspec.json.Encoder().encode


class ShownSubject(msgspec.Struct):
    resource: str
    event: str


class ShownRule(msgspec.Struct, omit_defaults=True, kw_only=True):
    rule_id: str
    rule_name: str | None = None
    description: str | None = None
    subject: ShownSubject
    app_type: str
    app_id: str | None = None
    select: str | None = None
    active: bool


class RuleList(msgspec.Struct, omit_defaults=True):
    rules: list[ShownRule]
    count: int
    marker: str | None = None


class ShownForwarding(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The last two are ours."""

    url: str
    signature_enable: bool
    signing_secret: str | None = None
    active_secrets: int
    """How many secrets a push is signed with."""


class ShownDetail(msgspec.Struct):
    http_forwarding: ShownForwarding


class ShownPushStatus(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Ours."""

    state: str
    outstanding: int
    dropped: int
    dead_letters: int
    last_error: str | None = None
    last_error_time: str | None = None


class ShownAction(msgspec.Struct, omit_defaults=True, kw_only=True):
    action_id: str
    rule_id: str
    app_id: str | None = None
    channel: str
    channel_detail: ShownDetail
    push_status: ShownPushStatus | None = None


class ActionList(msgspec.Struct, omit_defaults=True):
    actions: list[ShownAction]
    count: int
    marker: str | None = None


def render_rule(rule: Rule) -> bytes:
    """The answer to CreateRoutingRule, ShowRoutingRule and UpdateRoutingRule."""
    return _encode(_rule(rule))


def render_rules(found: FoundRules) -> bytes:
    """The answer to ListRoutingRules."""
    marker = record_id(found.rules[-1].key) if found.rules else None
    return _encode(RuleList([_rule(rule) for rule in found.rules], found.count, marker))


def render_action(action: Action, *, with_secret: bool = False, status: PushStatus | None = None) -> bytes:
    """The answer to CreateRuleAction, ShowRuleAction and UpdateRuleAction."""
    shown = _action(action, with_secret=with_secret)
    shown.push_status = None if status is None else _status(status)
    return _encode(shown)


def render_actions(found: FoundActions) -> bytes:
    """The answer to ListRuleActions."""
    marker = record_id(found.actions[-1].key) if found.actions else None
    return _encode(ActionList([_action(action) for action in found.actions], found.count, marker))


def _rule(rule: Rule) -> ShownRule:
    draft = rule.draft
    return ShownRule(
        rule_id=rule.rule_id,
        rule_name=draft.name,
        description=draft.description,
        subject=ShownSubject(*draft.subject),
        app_type=draft.app_type,
        app_id=draft.app_id,
        select=draft.select,
        active=rule.active,
    )


def _action(action: Action, *, with_secret: bool = False) -> ShownAction:
    forwarding = ShownForwarding(
        url=action.url,
        signature_enable=True,
        signing_secret=action.secrets[0] if with_secret else None,
        active_secrets=len(action.secrets),
    )
    return ShownAction(
        action_id=action.action_id,
        rule_id=action.rule_id,
        app_id=action.app_id,
        channel=action.channel,
        channel_detail=ShownDetail(forwarding),
    )


def _status(status: PushStatus) -> ShownPushStatus:
    record = status.record
    return ShownPushStatus(
        state=status.state,
        outstanding=status.outstanding,
        dropped=record.dropped,
        dead_letters=record.dead,
        last_error=record.error,
        last_error_time=None if record.failed_at is None else compact(record.failed_at),
    )
