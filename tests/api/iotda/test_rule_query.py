"""The queries and ids of the operations on rules and actions, as a table for every parameter."""

from typing import Any
from urllib.parse import urlencode

import pytest

from bridge.api.iotda.errors import Refusal
from bridge.api.iotda.paging import record_id
from bridge.api.iotda.rule_query import check_action_id, check_rule_id, parse_action_search, parse_rule_search
from bridge.model.errors import UnknownAction, UnknownRule
from bridge.model.rule import ActionSearch, Page, RuleSearch

PAGING: list[tuple[dict[str, str], Page]] = [
    ({}, Page(10)),
    ({"limit": "1"}, Page(1)),
    ({"limit": "50", "offset": "500"}, Page(50, offset=500)),
    ({"marker": record_id(7)}, Page(10, 7)),
    ({"marker": "f" * 24}, Page(10, 16**24 - 1)),
    ({"unknown": "x"}, Page(10)),
]


@pytest.mark.parametrize(("given", "page"), PAGING)
def test_pages(given: dict[str, str], page: Page) -> None:
    query = urlencode(given).encode()
    assert parse_rule_search(query) == RuleSearch(page)
    assert parse_action_search(query) == ActionSearch(page)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"resource": "device.status", "event": "update"}, {"resource": "device.status", "event": "update"}),
        ({"resource": "product"}, {"resource": "product"}),
        ({"app_type": "APP", "app_id": "a-1"}, {"app_type": "APP", "app_id": "a-1"}),
        ({"rule_name": "My rule 规则"}, {"name": "My rule 规则"}),
        ({"active": "True"}, {"active": True}),
        ({"active": "false"}, {"active": False}),
    ],
)
def test_filters_of_rules(given: dict[str, str], asked: dict[str, Any]) -> None:
    assert parse_rule_search(urlencode(given).encode()) == RuleSearch(Page(10), **asked)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"rule_id": "r-1"}, {"rule_id": "r-1"}),
        ({"channel": "AMQP_FORWARDING"}, {"channel": "AMQP_FORWARDING"}),
        ({"app_type": "GLOBAL", "app_id": "a"}, {"app_type": "GLOBAL", "app_id": "a"}),
    ],
)
def test_filters_of_actions(given: dict[str, str], asked: dict[str, Any]) -> None:
    assert parse_action_search(urlencode(given).encode()) == ActionSearch(Page(10), **asked)


IN_BOTH = [
    ("limit", "0", "IOTDA.000017"),
    ("limit", "51", "IOTDA.000017"),
    ("limit", "", "IOTDA.000017"),
    ("limit", "1e1", "IOTDA.000017"),
    ("limit", "٣", "IOTDA.000017"),
    ("marker", "", "IOTDA.000018"),
    ("marker", "f" * 25, "IOTDA.000018"),
    ("marker", "g" * 24, "IOTDA.000018"),
    ("offset", "-1", "IOTDA.000006"),
    ("offset", "501", "IOTDA.000006"),
    ("app_type", "app", "IOTDA.000006"),
    ("app_type", "", "IOTDA.000006"),
    ("app_id", "", "IOTDA.000006"),
    ("app_id", "a" * 37, "IOTDA.000006"),
]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        *IN_BOTH,
        ("resource", "", "IOTDA.000006"),
        ("resource", "x" * 51, "IOTDA.000006"),
        ("resource", "ä", "IOTDA.000006"),
        ("event", "\x00", "IOTDA.000006"),
        ("rule_name", "<", "IOTDA.000006"),
        ("rule_name", "", "IOTDA.000006"),
        ("active", "1", "IOTDA.000006"),
        ("active", "", "IOTDA.000006"),
    ],
)
def test_what_cannot_be_asked_of_rules(field: str, value: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_rule_search(urlencode({field: value}).encode())
    assert (caught.value.status, caught.value.code) == (400, code)
    assert f" {field}: " in caught.value.text


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [*IN_BOTH, ("rule_id", "", "IOTDA.000006"), ("rule_id", "a.b", "IOTDA.000006"), ("channel", "a\n", "IOTDA.000006")],
)
def test_what_cannot_be_asked_of_actions(field: str, value: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_action_search(urlencode({field: value}).encode())
    assert (caught.value.status, caught.value.code) == (400, code)
    assert f" {field}: " in caught.value.text


def test_a_query_that_is_not_utf_8() -> None:
    with pytest.raises(Refusal, match="query"):
        parse_rule_search(b"rule_name=%ff")


@pytest.mark.parametrize("text", ["", "a" * 37, "a.b", "a\n", "ä", "a/b"])
def test_ids_that_nobody_has(text: str) -> None:
    with pytest.raises(UnknownRule):
        check_rule_id(text)
    with pytest.raises(UnknownAction):
        check_action_id(text)


def test_ids_that_are_not_utf_8() -> None:
    for check in (check_rule_id, check_action_id):
        with pytest.raises(Refusal, match="percent-encoded"):
            check("\ufffd")


def test_ids() -> None:
    check_rule_id("1a7bffc5-f89c-44dd-8265-653a4d951ce0")
    check_action_id("a" * 36)
