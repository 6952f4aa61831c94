"""The subscription tree against looking at every subscription."""

from typing import TypeAlias

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.broker.identity import Identity
from bridge.broker.session import Session
from bridge.broker.subscriptions import SubscriptionTree
from bridge.mqtt import Subscription, check_topic_filter, check_topic_name, matches

SESSIONS = [Session(f"client-{number}", Identity("default")) for number in range(2)]

LEVEL = st.sampled_from(["a", "", "$x"])
NAME = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool)
FILTER = st.builds(
    lambda levels, rest: "/".join([*levels, *rest]),
    st.lists(st.just("+") | LEVEL, max_size=3),
    st.sampled_from([[], ["#"]]),
).filter(bool)
ADD = st.tuples(st.sampled_from(SESSIONS), FILTER, st.integers(0, 2))
REMOVE = st.tuples(st.sampled_from(SESSIONS), FILTER, st.none())
Step: TypeAlias = tuple[Session, str, int | None]


@given(st.lists(ADD | REMOVE, max_size=30), st.lists(NAME, min_size=1, max_size=10))
@example([(SESSIONS[0], "sport/#", 1)], ["sport", "sport/", "sports", "sport/a/b"])
@example([(SESSIONS[0], "+/+", 1), (SESSIONS[0], "/+", 0), (SESSIONS[0], "+", 0)], ["/a", "a"])
@example([(SESSIONS[0], "#", 1), (SESSIONS[0], "+/a/#", 2), (SESSIONS[0], "$x/#", 0)], ["$x", "$x/a", "a/$x"])
def test_finds_what_matches(steps: list[Step], names: list[str]) -> None:
    """Each subscriber once, with the highest QoS of its filters that match; nothing remains when all are gone."""
    tree = SubscriptionTree()
    known: dict[Session, dict[str, Subscription]] = {session: {} for session in SESSIONS}
    for session, topic_filter, qos in steps:
        check_topic_filter(topic_filter)
        if qos is None:
            tree.remove(session, topic_filter)
            known[session].pop(topic_filter, None)
        else:
            subscription = Subscription(topic_filter, qos)
            tree.add(session, subscription)
            known[session][topic_filter] = subscription
    for name in names:
        check_topic_name(name)
        found = tree.match(name)
        for session in SESSIONS:
            wanted = [s for s in known[session].values() if matches(s.filter, name)]
            assert (session in found) == bool(wanted)
            if wanted:
                assert found[session] in wanted
                assert found[session].qos == max(subscription.qos for subscription in wanted)
    for session in SESSIONS:
        for topic_filter in known[session]:
            tree.remove(session, topic_filter)
    assert tree._exact == {}
    assert tree._root.children == {}
    assert tree._root.subscribers == {}


def test_matching_changes_nothing() -> None:
    tree = SubscriptionTree()
    for number, topic_filter in enumerate(("a/b", "a/+", "#", "+/b")):
        tree.add(SESSIONS[number % 2], Subscription(topic_filter, number % 3))
    first = tree.match("a/b")
    assert tree.match("a/b") == first
    assert tree.match("nothing/at/all") == {SESSIONS[0]: Subscription("#", 2)}


@pytest.mark.parametrize("topic_filter", ["a", "a/b", "+", "#", "a/+/c", "a/b/#"])
def test_removing_what_is_not_there(topic_filter: str) -> None:
    tree = SubscriptionTree()
    tree.remove(SESSIONS[0], topic_filter)
    tree.add(SESSIONS[1], Subscription(topic_filter))
    tree.remove(SESSIONS[0], topic_filter)
    assert list(tree.match(topic_filter.replace("+", "x").replace("#", "x"))) == [SESSIONS[1]]
