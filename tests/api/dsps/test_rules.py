"""[channels.rules]: which channels there may be, and for whom."""

from typing import Any

import pytest

from bridge.api.dsps.rules import Rules, parse_rules

ROOMS = {
    "chat-room-(?P<id>[0-9]+)": {"tokens": ["chat"], "claims": {"room": "{id}", "role": ["user", "admin"]}},
    "news|chat-.*": {},
}


def test_without_rules_there_may_be_every_channel() -> None:
    permission = Rules().permission("anything")
    assert permission is not None
    assert permission.admits_token("anybody")
    assert permission.admits_claims({})


@pytest.mark.parametrize(
    ("channel", "permitted"),
    [
        ("news", True),
        ("chat-", True),
        ("chat-room-7", True),
        ("newspaper", False),
        ("news\n", False),
        ("xchat-1", False),
    ],
)
def test_a_rule_matches_the_whole_name(channel: str, permitted: bool) -> None:
    assert (parse_rules(ROOMS).permission(channel) is not None) == permitted


def test_the_first_rule_that_matches_holds() -> None:
    rules = parse_rules(ROOMS)
    room, other = rules.permission("chat-room-7"), rules.permission("chat-room-x")
    assert room is not None
    assert other is not None
    assert (room.admits_token("chat"), room.admits_token("app")) == (True, False)
    assert other.admits_token("app")


@pytest.mark.parametrize(
    ("claims", "admitted"),
    [
        ({"room": "7", "role": "user"}, True),
        ({"room": 7, "role": "admin"}, True),
        ({"room": ["6", "7"], "role": ["guest", "user"]}, True),
        ({"room": "07", "role": "user"}, False),
        ({"room": "8", "role": "user"}, False),
        ({"room": "{id}", "role": "user"}, False),
        ({"room": "7"}, False),
        ({"room": "7", "role": None}, False),
        ({"room": {"7": 1}, "role": "user"}, False),
        ({"room": "7", "role": []}, False),
        ({}, False),
    ],
)
def test_claims(claims: dict[str, Any], admitted: bool) -> None:
    permission = parse_rules(ROOMS).permission("chat-room-7")
    assert permission is not None
    assert permission.admits_claims(claims) == admitted


def test_numbers_and_truth_are_compared_as_json_writes_them() -> None:
    permission = parse_rules({".*": {"claims": {"a": "3.5", "b": "true"}}}).permission("x")
    assert permission is not None
    assert permission.admits_claims({"a": 3.5, "b": True})
    assert not permission.admits_claims({"a": 3.5, "b": "True"})


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"(": {}}, "is no regular expression"),
        ({"a": 1}, "something else than tokens and claims"),
        ({"a": {"token": []}}, "something else than tokens and claims"),
        ({"a": {"tokens": "chat"}}, "whose tokens are no list of names"),
        ({"a": {"tokens": [1]}}, "whose tokens are no list of names"),
        ({"a": {"claims": "x"}}, "whose claims are no texts"),
        ({"a": {"claims": {"x": 1}}}, "whose claims are no texts"),
        ({"a": {"claims": {"x": [1]}}}, "whose claims are no texts"),
        ({"a(?P<b>)": {"claims": {"x": "{id}"}}}, 'without the group "id"'),
    ],
)
def test_a_rule_that_cannot_be_is_refused(table: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_rules(table)
