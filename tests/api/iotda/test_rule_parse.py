"""The bodies of the operations on rules and actions, as a table for every field."""

import json
from typing import Any

import pytest

from bridge.api.iotda.errors import Refusal
from bridge.api.iotda.rule_parse import (
    ChangedAction,
    NewAction,
    parse_action,
    parse_action_amendment,
    parse_rule,
    parse_rule_amendment,
)
from bridge.model.rule import (
    DEVICE_MESSAGE,
    DEVICE_STATUS,
    MESSAGE_STATUS,
    ActionAmendment,
    AppType,
    RuleAmendment,
    RuleDraft,
)

URL = "http://sink.example/hook"
SECRET = "whsec_" + "A" * 32
STATUS = {"resource": "device.message.status", "event": "update"}


def rule(**fields: Any) -> bytes:
    return json.dumps({"subject": STATUS, **fields}).encode()


def action(**fields: Any) -> bytes:
    forwarding = {"url": URL, **fields}
    detail = {"http_forwarding": forwarding}
    return json.dumps({"rule_id": "r-1", "channel": "HTTP_FORWARDING", "channel_detail": detail}).encode()


@pytest.mark.parametrize(
    ("fields", "draft"),
    [
        ({}, RuleDraft(MESSAGE_STATUS)),
        ({"subject": {"resource": "device.status", "event": "update"}}, RuleDraft(DEVICE_STATUS)),
        ({"subject": {"resource": "device.message", "event": "report"}}, RuleDraft(DEVICE_MESSAGE)),
        ({"rule_name": "a"}, RuleDraft(MESSAGE_STATUS, name="a")),
        ({"rule_name": "规" * 256}, RuleDraft(MESSAGE_STATUS, name="规" * 256)),
        ({"rule_name": "My rule_?'#().,&%@!-1"}, RuleDraft(MESSAGE_STATUS, name="My rule_?'#().,&%@!-1")),
        ({"description": ""}, RuleDraft(MESSAGE_STATUS)),
        ({"description": "<b>\U0001f600" * 64}, RuleDraft(MESSAGE_STATUS, description="<b>\U0001f600" * 64)),
        ({"app_type": "GLOBAL"}, RuleDraft(MESSAGE_STATUS)),
        ({"app_type": "GLOBAL", "app_id": "a"}, RuleDraft(MESSAGE_STATUS, app_id="a")),
        ({"app_type": "APP"}, RuleDraft(MESSAGE_STATUS, app_type=AppType.APP)),
        ({"app_type": "APP", "app_id": "a"}, RuleDraft(MESSAGE_STATUS, app_type=AppType.APP, app_id="a")),
        ({"select": "*", "where": ""}, RuleDraft(MESSAGE_STATUS, select="*")),
        ({"select": "", "where": ""}, RuleDraft(MESSAGE_STATUS)),
        ({"active": True, "rule_id": "mine", "else": {"a": [1]}}, RuleDraft(MESSAGE_STATUS)),
        (
            dict.fromkeys(("rule_name", "description", "app_type", "app_id", "select", "where")),
            RuleDraft(MESSAGE_STATUS),
        ),
    ],
)
def test_rules(fields: dict[str, Any], draft: RuleDraft) -> None:
    assert parse_rule(rule(**fields)) == draft


NOT_IN_RULES: list[tuple[str, Any]] = [
    ("rule_name", ""),
    ("rule_name", "a" * 257),
    ("rule_name", "a\n"),
    ("rule_name", "<a>"),
    ("rule_name", "\x00"),
    ("rule_name", 1),
    ("description", "a" * 257),
    ("description", "a\x00"),
    ("description", "a\nb"),
    ("description", ["a"]),
    ("select", "notify_data.body"),
    ("select", " *"),
    ("select", "* "),
    ("select", "a" * 100_000),
    ("select", 1),
    ("where", "product_id = 'a'"),
    ("where", " "),
    ("where", "1 = 1"),
    ("where", True),
]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *NOT_IN_RULES,
        ("subject", None),
        ("subject", {}),
        ("subject", {"resource": "device.status"}),
        ("subject", {"event": "update"}),
        ("subject", {"resource": "device.status", "event": "report"}),
        ("subject", {"resource": "device.status", "event": "UPDATE"}),
        ("subject", {"resource": "device.status ", "event": "update"}),
        ("subject", {"resource": "device", "event": "create"}),
        ("subject", {"resource": "device.property", "event": "report"}),
        ("subject", {"resource": "batchtask", "event": "update"}),
        ("subject", {"resource": "x" * 100_000, "event": "update"}),
        ("subject", {"resource": 1, "event": "update"}),
        ("subject", "device.status"),
        ("subject", [STATUS]),
        ("app_type", "app"),
        ("app_type", ""),
        ("app_type", 1),
        ("app_id", ""),
        ("app_id", "a" * 37),
        ("app_id", "a b"),
        ("app_id", "a\n"),
        ("app_id", 1),
    ],
)
def test_what_a_rule_cannot_be(field: str, value: Any) -> None:
    with pytest.raises(Refusal) as caught:
        parse_rule(rule(**{"app_type": "APP", field: value}))
    assert (caught.value.status, caught.value.code) == (400, "IOTDA.000006")
    assert caught.value.text.startswith(f"Invalid input data. {field}")
    assert len(caught.value.text) < 300


def test_a_scope_is_not_guessed() -> None:
    with pytest.raises(Refusal, match="app_type: required together with app_id"):
        parse_rule(rule(app_id="a"))


@pytest.mark.parametrize(
    ("fields", "amendment"),
    [
        ({}, RuleAmendment()),
        ({"active": True}, RuleAmendment(active=True)),
        ({"active": False}, RuleAmendment(active=False)),
        ({"rule_name": "a", "description": "b"}, RuleAmendment("a", "b")),
        ({"description": "", "select": "", "where": ""}, RuleAmendment(None, "", "")),
        ({"select": "*"}, RuleAmendment(select="*")),
        ({"subject": {"resource": "device", "event": "create"}, "app_id": 1}, RuleAmendment()),
        (dict.fromkeys(("rule_name", "description", "select", "where", "active")), RuleAmendment()),
    ],
)
def test_amendments_of_a_rule(fields: dict[str, Any], amendment: RuleAmendment) -> None:
    assert parse_rule_amendment(json.dumps(fields).encode()) == amendment


@pytest.mark.parametrize(("field", "value"), [*NOT_IN_RULES, ("active", "true"), ("active", 1), ("active", [])])
def test_what_a_rule_cannot_become(field: str, value: Any) -> None:
    with pytest.raises(Refusal, match=f"Invalid input data. {field}: ") as caught:
        parse_rule_amendment(json.dumps({field: value}).encode())
    assert (caught.value.status, caught.value.code) == (400, "IOTDA.000006")


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({}, None),
        ({"signing_secret": SECRET}, SECRET),
        ({"cert_id": "", "cn_name": "", "token": ""}, None),
        ({"sni_enable": True, "signature_enable": True}, None),
        ({"sni_enable": False, "signature_enable": False, "rotate_secret": True}, None),
        (dict.fromkeys(("cert_id", "cn_name", "sni_enable", "signature_enable", "token", "signing_secret")), None),
    ],
)
def test_actions(fields: dict[str, Any], secret: str | None) -> None:
    assert parse_action(action(**fields)) == NewAction("r-1", URL, secret)


NOT_IN_FORWARDING: list[tuple[str, Any]] = [
    ("url", ""),
    ("url", "sink.example"),
    ("url", "ftp://sink.example"),
    ("url", "http://user:password@sink.example"),
    ("url", "http://sink.example:99999"),
    ("url", "http://127.1/"),
    ("url", "http://sink.example/" + "a" * 2048),
    ("url", "http://sink.example/a b"),
    ("url", 1),
    ("cert_id", "c"),
    ("cn_name", "other.example:8443"),
    ("token", "abc"),
    ("sni_enable", "yes"),
    ("signature_enable", 1),
    ("signing_secret", ""),
    ("signing_secret", "secret"),
    ("signing_secret", "whsec_" + "A" * 28),
    ("signing_secret", SECRET + " " + SECRET),
    ("signing_secret", "whsec_" + "A" * 100_000),
    ("signing_secret", 1),
    ("rotate_secret", "yes"),
    ("retire_secret", 1),
]


@pytest.mark.parametrize(("field", "value"), NOT_IN_FORWARDING)
def test_what_cannot_be_pushed_to(field: str, value: Any) -> None:
    for parse in (parse_action, parse_action_amendment):
        with pytest.raises(Refusal) as caught:
            parse(action(**{field: value}))
        assert (caught.value.status, caught.value.code) == (400, "IOTDA.000006")
        assert caught.value.text.startswith(f"Invalid input data. channel_detail.http_forwarding.{field}: ")
        assert len(caught.value.text) < 300
        assert SECRET not in caught.value.text


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rule_id": None}, "rule_id"),
        ({"rule_id": ""}, "rule_id"),
        ({"rule_id": "a" * 37}, "rule_id"),
        ({"rule_id": "../r"}, "rule_id"),
        ({"rule_id": 1}, "rule_id"),
        ({"channel": None}, "channel"),
        ({"channel": ""}, "channel"),
        ({"channel": "AMQP_FORWARDING"}, "channel"),
        ({"channel": "http_forwarding"}, "channel"),
        ({"channel": 1}, "channel"),
        ({"channel_detail": None}, "channel_detail.http_forwarding.url"),
        ({"channel_detail": {}}, "channel_detail.http_forwarding.url"),
        ({"channel_detail": {"http_forwarding": None}}, "channel_detail.http_forwarding.url"),
        ({"channel_detail": {"http_forwarding": {}}}, "channel_detail.http_forwarding.url"),
        ({"channel_detail": {"http_forwarding": {"url": None}}}, "channel_detail.http_forwarding.url"),
        ({"channel_detail": {"http_forwarding": URL}}, "channel_detail.http_forwarding"),
        ({"channel_detail": []}, "channel_detail"),
        ({"channel_detail": {"amqp_forwarding": {}}}, "channel_detail.http_forwarding.url"),
        ({"channel_detail": {"amqp_forwarding": {"queue_name": "q"}}}, "channel_detail.amqp_forwarding"),
        (
            {"channel_detail": {"http_forwarding": {"url": URL}, "mqtt_device_forwarding": {"topic": "t"}}},
            "channel_detail.mqtt_device_forwarding",
        ),
    ],
)
def test_what_an_action_cannot_be(fields: dict[str, Any], named: str) -> None:
    whole = {**json.loads(action()), **fields}
    with pytest.raises(Refusal) as caught:
        parse_action(json.dumps(whole).encode())
    assert (caught.value.status, caught.value.code) == (400, "IOTDA.000006")
    assert caught.value.text.startswith(f"Invalid input data. {named}: ")


@pytest.mark.parametrize(
    ("forwarding", "changed"),
    [
        (None, ChangedAction(ActionAmendment(), rotate=False)),
        ({}, ChangedAction(ActionAmendment(), rotate=False)),
        ({"url": URL}, ChangedAction(ActionAmendment(URL), rotate=False)),
        ({"signing_secret": SECRET}, ChangedAction(ActionAmendment(secret=SECRET), rotate=False)),
        ({"rotate_secret": True}, ChangedAction(ActionAmendment(), rotate=True)),
        ({"rotate_secret": True, "retire_secret": True}, ChangedAction(ActionAmendment(retire=True), rotate=True)),
        ({"retire_secret": True}, ChangedAction(ActionAmendment(retire=True), rotate=False)),
        ({"retire_secret": False, "rotate_secret": None}, ChangedAction(ActionAmendment(), rotate=False)),
    ],
)
def test_amendments_of_an_action(forwarding: Any, changed: ChangedAction) -> None:
    detail = {"http_forwarding": forwarding}
    for body in ({"channel_detail": detail}, {"channel": "HTTP_FORWARDING", "channel_detail": detail, "rule_id": 1}):
        assert parse_action_amendment(json.dumps(body).encode()) == changed


def test_one_new_secret_at_a_time() -> None:
    with pytest.raises(Refusal, match="rotate_secret: not together with signing_secret"):
        parse_action_amendment(action(signing_secret=SECRET, rotate_secret=True))


def test_an_action_keeps_its_channel() -> None:
    with pytest.raises(Refusal, match="channel: HTTP_FORWARDING"):
        parse_action_amendment(b'{"channel":"AMQP_FORWARDING"}')


@pytest.mark.parametrize("parse", [parse_rule, parse_rule_amendment, parse_action, parse_action_amendment])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"1", b'"a"', b"\xff", b'{"a":"\\ud800"}', b"[" * 100_000])
def test_what_is_no_object(parse: Any, body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse(body)
    assert (caught.value.status, caught.value.code) == (400, "IOTDA.000008")
