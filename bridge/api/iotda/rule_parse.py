"""JSON about rules and actions → what the core speaks. Pure; the only exception that leaves is `Refusal`.

Unknown keys are ignored, as the vendor does, and null is the same as absent: its SDK sends nulls. What would change
which events are pushed, or how, and cannot be done here is refused: a rule that does something else than its author
believes is worse than none.
"""

import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple, TypeAlias

import msgspec

from bridge.api.iotda.device_parse import SHORT_ID, Rule, checked
from bridge.api.iotda.errors import Refusal, bad_parameter
from bridge.api.iotda.json_text import decode
from bridge.api.iotda.parse import CHINESE, MARKS
from bridge.api.iotda.unsupported import Unsupported, nothing, refuse_unsupported
from bridge.api.schema import shown
from bridge.model.push_url import MAX_URL, check_push_url
from bridge.model.rule import (
    SECRET_BYTES,
    SECRET_PREFIX,
    SUBJECTS,
    ActionAmendment,
    AppType,
    Channel,
    RuleAmendment,
    RuleDraft,
    Subject,
    signing_key,
)

MAX_NAME = 256
MAX_DESCRIPTION = 256
MAX_SECRET = len(SECRET_PREFIX) + 4 * -(-SECRET_BYTES[-1] // 3)
NAME = Rule(
    re.compile(f"[A-Za-z0-9 {CHINESE}{MARKS}]{{1,{MAX_NAME}}}"),
    f"1 to {MAX_NAME} letters, digits, Chinese characters, spaces and {MARKS}",
)
DESCRIPTION = Rule(
    re.compile(f"[^\x00-\x1f\x7f-\x9f]{{0,{MAX_DESCRIPTION}}}"),
    f"at most {MAX_DESCRIPTION} characters, no control characters",
)
DETAIL = "channel_detail"
FORWARDING = f"{DETAIL}.http_forwarding"
URL = f"{FORWARDING}.url"
_ONE_CHANNEL = f"the channel is {Channel.HTTP_FORWARDING}"


_ONLY_EMPTY = shown(None, "Refused unless empty.", maxLength=0)
RuleName: TypeAlias = Annotated[str, shown(NAME.pattern)]
Description: TypeAlias = Annotated[str, shown(DESCRIPTION.pattern)]
Select: TypeAlias = Annotated[str, shown(None, "Events are pushed whole.", enum=["", "*"])]
Where: TypeAlias = Annotated[str, _ONLY_EMPTY]
Empty: TypeAlias = Annotated[str, _ONLY_EMPTY]
ChannelName: TypeAlias = Annotated[str, shown(None, enum=list(Channel))]
_URL = "http:// or https://, a host, perhaps a port."
_SECRET = f"Signs the pushes; the Base64 of {SECRET_BYTES[0]} to {SECRET_BYTES[-1]} bytes behind {SECRET_PREFIX}."


class RuleSubject(msgspec.Struct):
    resource: (
        Annotated[str, shown(None, required=True, enum=list(dict.fromkeys(each.resource for each in SUBJECTS)))] | None
    ) = None
    event: (
        Annotated[str, shown(None, required=True, enum=list(dict.fromkeys(each.event for each in SUBJECTS)))] | None
    ) = None


class AddRule(msgspec.Struct):
    """The body of CreateRoutingRule; types only, the rules are in `parse_rule`."""

    rule_name: RuleName | None = None
    description: Description | None = None
    subject: Annotated[RuleSubject | None, shown(required=True)] = None
    app_type: Annotated[str, shown(None, "GLOBAL unless given.", enum=list(AppType))] | None = None
    app_id: Annotated[str, shown(SHORT_ID.pattern, "Together with app_type.")] | None = None
    select: Select | None = None
    where: Where | None = None


class UpdateRule(msgspec.Struct):
    rule_name: RuleName | None = None
    description: Description | None = None
    select: Select | None = None
    where: Where | None = None
    active: bool | None = None


class HttpForwarding(msgspec.Struct):
    """The last three are ours."""

    url: Annotated[str, shown(None, _URL, maxLength=MAX_URL)] | None = None
    cert_id: Empty | None = None
    cn_name: Empty | None = None
    sni_enable: bool | None = None
    signature_enable: bool | None = None
    token: Empty | None = None
    signing_secret: (
        Annotated[
            str,
            shown(None, _SECRET, pattern=f"^{SECRET_PREFIX}[A-Za-z0-9+/]*={{0,2}}$", maxLength=MAX_SECRET),
        ]
        | None
    ) = None
    rotate_secret: bool | None = None
    retire_secret: bool | None = None


class OtherForwardings(msgspec.Struct, kw_only=True):
    """Of the channels that are not there."""

    dis_forwarding: Unsupported = nothing()
    obs_forwarding: Unsupported = nothing()
    amqp_forwarding: Unsupported = nothing()
    dms_kafka_forwarding: Unsupported = nothing()
    roma_forwarding: Unsupported = nothing()
    mysql_forwarding: Unsupported = nothing()
    influxdb_forwarding: Unsupported = nothing()
    functiongraph_forwarding: Unsupported = nothing()
    mrs_kafka_forwarding: Unsupported = nothing()
    dms_rocketmq_forwarding: Unsupported = nothing()
    mqtt_device_forwarding: Unsupported = nothing()


class ChannelDetail(OtherForwardings):
    http_forwarding: HttpForwarding | None = None


class NewHttpForwarding(HttpForwarding):
    """Of an action that is added."""

    url: Annotated[str, shown(None, _URL, required=True, maxLength=MAX_URL)] | None = None


class NewChannelDetail(OtherForwardings):
    http_forwarding: Annotated[NewHttpForwarding | None, shown(required=True)] = None


class AddAction(msgspec.Struct):
    rule_id: Annotated[str, shown(SHORT_ID.pattern, required=True)] | None = None
    channel: Annotated[ChannelName, shown(required=True)] | None = None
    channel_detail: Annotated[NewChannelDetail | None, shown(required=True)] = None


class UpdateAction(msgspec.Struct):
    channel: ChannelName | None = None
    channel_detail: ChannelDetail | None = None


class NewAction(NamedTuple):
    """What CreateRuleAction asks for."""

    rule_id: str
    url: str
    secret: str | None
    """None: a random one."""


class ChangedAction(NamedTuple):
    """What UpdateRuleAction asks for."""

    amendment: ActionAmendment
    rotate: bool
    """A new random secret becomes the current one."""


EXAMPLES: Mapping[type, Mapping[str, object]] = {
    AddRule: {
        "rule_name": "Messages of the house",
        "description": "What became of them",
        "subject": {"resource": "device.message.status", "event": "update"},
        "app_type": "APP",
        "app_id": "house",
        "select": "*",
        "where": "",
    },
    UpdateRule: {"rule_name": "Messages", "description": "", "select": "*", "where": "", "active": True},
    AddAction: {
        "rule_id": "rule-1",
        "channel": "HTTP_FORWARDING",
        "channel_detail": {"http_forwarding": {"url": "https://example.com/pushes"}},
    },
    UpdateAction: {
        "channel": "HTTP_FORWARDING",
        "channel_detail": {"http_forwarding": {"url": "https://example.com/pushes", "rotate_secret": True}},
    },
}

_ADD_RULE = msgspec.json.Decoder(AddRule)
_UPDATE_RULE = msgspec.json.Decoder(UpdateRule)
_ADD_ACTION = msgspec.json.Decoder(AddAction)
_UPDATE_ACTION = msgspec.json.Decoder(UpdateAction)


def parse_rule(body: bytes) -> RuleDraft:
    """The body of CreateRoutingRule. Refusals: 000006 naming the field."""
    fields = decode(body, _ADD_RULE)
    _check_where(fields.where)
    return RuleDraft(
        _subject(fields.subject or RuleSubject()),
        name=checked("rule_name", fields.rule_name, NAME),
        description=checked("description", fields.description, DESCRIPTION) or None,
        app_type=_app_type(fields),
        app_id=checked("app_id", fields.app_id, SHORT_ID),
        select=_select(fields.select) or None,
    )


def parse_rule_amendment(body: bytes) -> RuleAmendment:
    """The body of UpdateRoutingRule. Refusals: 000006 naming the field."""
    fields = decode(body, _UPDATE_RULE)
    _check_where(fields.where)
    return RuleAmendment(
        name=checked("rule_name", fields.rule_name, NAME),
        description=checked("description", fields.description, DESCRIPTION),
        select=_select(fields.select),
        active=fields.active,
    )


def parse_action(body: bytes) -> NewAction:
    """The body of CreateRuleAction. Refusals: 000006 naming the field."""
    fields = decode(body, _ADD_ACTION)
    rule_id = checked("rule_id", fields.rule_id, SHORT_ID)
    if rule_id is None:
        raise bad_parameter("rule_id", f"required, {SHORT_ID.words}")
    if fields.channel is None:
        raise bad_parameter("channel", f"required, {Channel.HTTP_FORWARDING}")
    _check_channel(fields.channel)
    forwarding = _forwarding(fields.channel_detail)
    if forwarding.url is None:
        raise bad_parameter(URL, "required, where to push to")
    return NewAction(rule_id, _url(forwarding.url), _secret(forwarding.signing_secret))


def parse_action_amendment(body: bytes) -> ChangedAction:
    """The body of UpdateRuleAction. Refusals: 000006 naming the field."""
    fields = decode(body, _UPDATE_ACTION)
    _check_channel(fields.channel)
    forwarding = _forwarding(fields.channel_detail)
    secret = _secret(forwarding.signing_secret)
    url = None if forwarding.url is None else _url(forwarding.url)
    return ChangedAction(
        ActionAmendment(url, secret, retire=bool(forwarding.retire_secret)), rotate=bool(forwarding.rotate_secret)
    )


def _subject(given: RuleSubject) -> Subject:
    subject = Subject(given.resource or "", given.event or "")
    if subject not in SUBJECTS:
        known = ", ".join(f"{resource} with {event}" for resource, event in SUBJECTS)
        raise bad_parameter("subject", f"required, its resource and event one of: {known}")
    return subject


def _app_type(fields: AddRule) -> AppType:
    """The vendor's default, except where it would make a rule wider than the `app_id` beside it suggests."""
    if fields.app_type is None:
        if fields.app_id is not None:
            raise bad_parameter("app_type", "required together with app_id: APP for devices of that app_id, or GLOBAL")
        return AppType.GLOBAL
    if fields.app_type not in set(AppType):
        raise bad_parameter("app_type", " or ".join(AppType))
    return AppType(fields.app_type)


def _select(value: str | None) -> str | None:
    if value not in {None, "", "*"}:
        raise bad_parameter("select", "* or absent: events are pushed whole")
    return value


def _check_where(value: str | None) -> None:
    if value:
        raise bad_parameter("where", "empty or absent: every event of the subject is pushed")


def _check_channel(value: str | None) -> None:
    if value not in {None, *Channel}:
        raise bad_parameter("channel", f"{Channel.HTTP_FORWARDING}, no other is supported")


def _forwarding(detail: ChannelDetail | NewChannelDetail | None) -> HttpForwarding:
    """What is understood of it."""
    detail = detail or ChannelDetail()
    refuse_unsupported(detail, dict.fromkeys(OtherForwardings.__struct_fields__, _ONE_CHANNEL), f"{DETAIL}.")
    given = detail.http_forwarding or HttpForwarding()
    if given.cert_id:
        raise _unsupported("cert_id", "servers' certificates are checked against the authorities this system trusts")
    if given.cn_name:
        raise _unsupported("cn_name", "the name asked of a server (SNI), always sent, is the host of the url")
    if given.token:
        raise _unsupported("token", "pushes are signed with signing_secret, as Standard Webhooks has it")
    if given.signing_secret is not None and given.rotate_secret:
        raise bad_parameter(f"{FORWARDING}.rotate_secret", "not together with signing_secret")
    return given


def _unsupported(field: str, why: str) -> Refusal:
    return bad_parameter(f"{FORWARDING}.{field}", f"not supported; {why}")


def _url(value: str) -> str:
    try:
        check_push_url(value)
    except ValueError as error:
        raise bad_parameter(URL, str(error)) from None
    return value


def _secret(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        signing_key(value)
    except ValueError as error:
        raise bad_parameter(f"{FORWARDING}.signing_secret", str(error)) from None
    return value
