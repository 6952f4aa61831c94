"""Every operation on rules and actions with the vendor's own SDK, unmodified but for its endpoint."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkiotda import v5 as iotda

from bridge.model.rule import signing_key
from tests.api.signing import PUSHER_AK, READER_AK, READER_SK
from tests.api.test_rules import managed, rules
from tests.api.test_sdk import closing, derived, endpoint, plain, with_token

pytestmark = pytest.mark.slow

__all__ = ["endpoint", "managed", "rules"]
"""Fixtures."""

URL = "https://sink.example/hook"
SECRET = "whsec_" + "A" * 32


def add_rule(client: Any, **fields: Any) -> Any:
    subject = iotda.RoutingRuleSubject(resource="device.message.status", event="update")
    body = iotda.AddRuleReq(**{"subject": subject, **fields})
    return client.create_routing_rule(iotda.CreateRoutingRuleRequest(body=body))


def add_action(client: Any, rule_id: str, url: str = URL, **fields: Any) -> Any:
    detail = iotda.ChannelDetail(http_forwarding=iotda.HttpForwarding(url=url, **fields))
    body = iotda.AddActionReq(rule_id=rule_id, channel="HTTP_FORWARDING", channel_detail=detail)
    return client.create_rule_action(iotda.CreateRuleActionRequest(body=body))


def refused(call: Any, *arguments: Any, **fields: Any) -> tuple[int, str]:
    with pytest.raises(ClientRequestException) as caught:
        call(*arguments, **fields)
    assert caught.value.request_id
    return caught.value.status_code, str(caught.value.error_code)


def manage_rules(client: Any) -> None:
    made = add_rule(client, rule_name="Outcomes", description="first", app_type="APP", app_id="app-1", select="*")
    assert (made.status_code, made.rule_name, made.app_type, made.app_id) == (201, "Outcomes", "APP", "app-1")
    assert (made.subject.resource, made.subject.event) == ("device.message.status", "update")
    assert (made.select, made.where, made.active) == ("*", None, False)
    request = iotda.UpdateRoutingRuleRequest(rule_id=made.rule_id, body=iotda.UpdateRuleReq(active=True))
    started = client.update_routing_rule(request)
    assert (started.status_code, started.active, started.description) == (200, True, "first")
    shown = client.show_routing_rule(iotda.ShowRoutingRuleRequest(rule_id=made.rule_id))
    assert (shown.status_code, shown.rule_id, shown.active) == (200, made.rule_id, True)
    assert refused(add_rule, client, where="a = 'b'") == (400, "IOTDA.000006")
    other = iotda.RoutingRuleSubject(resource="device.property", event="report")
    assert refused(add_rule, client, subject=other) == (400, "IOTDA.000006")


def list_rules(client: Any) -> None:
    second = add_rule(client)
    request = partial(iotda.ListRoutingRulesRequest, limit=1, offset=0)
    listed = client.list_routing_rules(request())
    assert ([rule.rule_id for rule in listed.rules], listed.count) == ([second.rule_id], 2)
    rest = client.list_routing_rules(request(marker=listed.marker))
    assert [rule.rule_name for rule in rest.rules] == ["Outcomes"]
    for asked in (
        {"active": True},
        {"app_type": "APP"},
        {"app_id": "app-1"},
        {"rule_name": "Outcomes", "resource": "device.message.status", "event": "update"},
    ):
        assert [rule.rule_name for rule in client.list_routing_rules(request(**asked)).rules] == ["Outcomes"]
    assert client.list_routing_rules(request(resource="device.status")).rules == []
    assert client.list_routing_rules(request(active=False)).count == 1


def manage_actions(client: Any) -> None:
    [rule] = client.list_routing_rules(iotda.ListRoutingRulesRequest(active=True)).rules
    made = add_action(client, rule.rule_id, sni_enable=True, signature_enable=True)
    assert (made.status_code, made.rule_id, made.app_id) == (201, rule.rule_id, "app-1")
    assert (made.channel, made.channel_detail.http_forwarding.url) == ("HTTP_FORWARDING", URL)
    # The SDK's classes do not know our field; what came is in raw_content.
    assert signing_key(made.to_json_object()["channel_detail"]["http_forwarding"]["signing_secret"])
    detail = iotda.ChannelDetail(http_forwarding=iotda.HttpForwarding(url="http://new.example:8080"))
    body = iotda.UpdateActionReq(channel="HTTP_FORWARDING", channel_detail=detail)
    changed = client.update_rule_action(iotda.UpdateRuleActionRequest(action_id=made.action_id, body=body))
    shown = client.show_rule_action(iotda.ShowRuleActionRequest(action_id=made.action_id))
    for answer in (changed, shown):
        assert (answer.status_code, answer.action_id, answer.rule_id) == (200, made.action_id, rule.rule_id)
        assert answer.channel_detail.http_forwarding.url == "http://new.example:8080"
        assert b"whsec" not in answer.raw_content
    assert refused(add_action, client, rule.rule_id, token="abc") == (400, "IOTDA.000006")
    assert refused(add_action, client, "nobody") == (404, "IOTDA.010002")


def rotate(client: Any) -> None:
    """Our fields go into the SDK as a dict."""
    [action] = client.list_rule_actions(iotda.ListRuleActionsRequest()).actions
    body = {"channel_detail": {"http_forwarding": {"signing_secret": SECRET}}}
    changed = client.update_rule_action(iotda.UpdateRuleActionRequest(action_id=action.action_id, body=body))
    assert json.loads(changed.raw_content)["channel_detail"]["http_forwarding"]["active_secrets"] == 2


def list_actions(client: Any) -> None:
    rules = client.list_routing_rules(iotda.ListRoutingRulesRequest()).rules
    second = add_action(client, rules[0].rule_id)
    request = partial(iotda.ListRuleActionsRequest, limit=1, offset=0)
    listed = client.list_rule_actions(request())
    assert ([action.action_id for action in listed.actions], listed.count) == ([second.action_id], 2)
    rest = client.list_rule_actions(request(marker=listed.marker))
    assert [action.rule_id for action in rest.actions] == [rules[1].rule_id]
    for asked in ({"rule_id": rules[0].rule_id}, {"app_type": "GLOBAL"}):
        found = client.list_rule_actions(request(channel="HTTP_FORWARDING", **asked))
        assert ([action.action_id for action in found.actions], found.count) == ([second.action_id], 1)


def remove(client: Any) -> None:
    action = client.list_rule_actions(iotda.ListRuleActionsRequest()).actions[0]
    gone = client.delete_rule_action(iotda.DeleteRuleActionRequest(action_id=action.action_id))
    assert gone.status_code == 204
    request = iotda.ShowRuleActionRequest(action_id=action.action_id)
    assert refused(client.show_rule_action, request) == (404, "IOTDA.010102")
    for rule in client.list_routing_rules(iotda.ListRoutingRulesRequest()).rules:
        gone = client.delete_routing_rule(iotda.DeleteRoutingRuleRequest(rule_id=rule.rule_id))
        assert gone.status_code == 204
    unknown = iotda.ShowRoutingRuleRequest(rule_id=rule.rule_id)
    assert refused(client.show_routing_rule, unknown) == (404, "IOTDA.010002")
    assert client.list_rule_actions(iotda.ListRuleActionsRequest()).count == 0


@pytest.mark.parametrize(("connect", "name"), [(with_token, "pusher"), (plain, PUSHER_AK), (derived, PUSHER_AK)])
async def test_every_operation_on_rules_and_actions(endpoint: str, connect: Any, name: str) -> None:
    with closing(connect(endpoint, name)) as client:
        for step in (manage_rules, list_rules, manage_actions, rotate, list_actions, remove):
            await asyncio.to_thread(step, client)


async def test_a_key_without_the_right(endpoint: str) -> None:
    with closing(plain(endpoint, READER_AK, READER_SK)) as client:
        assert await asyncio.to_thread(refused, add_rule, client) == (403, "IOTDA.000021")
