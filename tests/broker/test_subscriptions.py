"""The subscription tree against looking at every subscription."""

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.broker.grant import Grant
from bridge.broker.identity import Identity
from bridge.broker.session import Session
from bridge.broker.subscriptions import SubscriptionTree
from bridge.mqtt import Subscription, check_topic_filter, check_topic_name, matches
from tests.broker.calls import calls_of

SESSIONS = [Session(f"client-{number}", Identity("default")) for number in range(2)]

LEVEL = st.sampled_from(["a", "", "$x"])
NAME = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool)
PLAIN = st.builds(
    lambda levels, rest: "/".join([*levels, *rest]),
    st.lists(st.just("+") | LEVEL, max_size=3),
    st.sampled_from([[], ["#"]]),
).filter(bool)
FILTER = PLAIN | st.builds("$share/{}/{}".format, st.sampled_from("gh"), PLAIN)
OPTIONS = st.tuples(st.integers(0, 2), st.booleans(), st.booleans(), st.integers(0, 2))
"""QoS, no local, retain as published, identifier."""
Step: TypeAlias = tuple[Session, str, tuple[int, bool, bool, int] | None]
ADD = st.tuples(st.sampled_from(SESSIONS), FILTER, OPTIONS)
REMOVE = st.tuples(st.sampled_from(SESSIONS), FILTER, st.none())
Known: TypeAlias = dict[Session, dict[str, Grant]]


def plain(session: int, topic_filter: str, qos: int) -> Step:
    return SESSIONS[session], topic_filter, (qos, False, False, 0)


@given(st.lists(ADD | REMOVE, max_size=30), st.lists(NAME, min_size=1, max_size=10), st.sampled_from([*SESSIONS, None]))
@example([plain(0, "sport/#", 1)], ["sport", "sport/", "sports", "sport/a/b"], None)
@example([plain(0, "+/+", 1), plain(0, "/+", 0), plain(0, "+", 0)], ["/a", "a"], None)
@example([plain(0, "#", 1), plain(0, "+/a/#", 2), plain(0, "$x/#", 0)], ["$x", "$x/a", "a/$x"], None)
def test_finds_what_matches(steps: list[Step], names: list[str], sender: Session | None) -> None:
    """Each subscriber once, with what its filters that match come to; nothing remains when all are gone."""
    tree = SubscriptionTree()
    known: Known = {session: {} for session in SESSIONS}
    for session, topic_filter, options in steps:
        check_topic_filter(topic_filter)
        if options is None:
            if (gone := known[session].pop(topic_filter, None)) is not None:
                tree.remove(session, gone)
            continue
        qos, no_local, as_published, identifier = options
        asked = Subscription(topic_filter, qos, no_local and not topic_filter.startswith("$share/"), as_published)
        known[session][topic_filter] = grant = Grant.of(asked, identifier)
        tree.add(session, grant)
    for name in names:
        check_topic_name(name)
        check_subscribers(tree, known, name, sender)
        check_shares(tree, known, name)
    for session in SESSIONS:
        for grant in known[session].values():
            tree.remove(session, grant)
        assert session.shares == ()
    for part in (tree._own, tree._shared):
        assert not part
        assert part._exact == {}
        assert part._root is None


def check_subscribers(tree: SubscriptionTree, known: Known, name: str, sender: Session | None) -> None:
    found = {s: grant for s, grant in tree.match(name, sender).items() if not (grant.no_local and s is sender)}
    for session in SESSIONS:
        wanted = [
            grant
            for grant in known[session].values()
            if not grant.shared and matches(grant.filter, name) and not (grant.no_local and session is sender)
        ]
        assert (session in found) == bool(wanted)
        if wanted:
            grant = found[session]
            assert grant.qos == max(each.qos for each in wanted)
            assert grant.retain_as_published == any(each.retain_as_published for each in wanted)
            assert Counter(grant.identifiers) == Counter(i for each in wanted for i in each.identifiers)
            assert len(wanted) > 1 or grant is wanted[0], "one subscription costs no object"


def check_shares(tree: SubscriptionTree, known: Known, name: str) -> None:
    found = {share.filter: share.members for share in tree.shares(name)}
    wanted: dict[str, dict[Session, Grant]] = {}
    for session in SESSIONS:
        for grant in known[session].values():
            if grant.shared and matches(grant.topics, name):
                wanted.setdefault(grant.filter, {})[session] = grant
    assert found == wanted


def test_matching_changes_nothing() -> None:
    tree = SubscriptionTree()
    for number, topic_filter in enumerate(("a/b", "a/+", "#", "+/b")):
        tree.add(SESSIONS[number % 2], Grant.of(Subscription(topic_filter, number % 3), number))
    first = tree.match("a/b")
    assert tree.match("a/b") == first
    assert {session: grant.filter for session, grant in tree.match("nothing/at/all").items()} == {SESSIONS[0]: "#"}


@pytest.mark.parametrize("topic_filter", ["a", "a/b", "+", "#", "a/+/c", "a/b/#", "$share/g/a", "$share/g/+"])
def test_removing_what_is_not_there(topic_filter: str) -> None:
    tree = SubscriptionTree()
    grant = Grant.of(Subscription(topic_filter))
    tree.remove(SESSIONS[0], grant)
    tree.add(SESSIONS[1], grant)
    tree.remove(SESSIONS[0], grant)
    name = grant.topics.replace("+", "x").replace("#", "x")
    members = [list(share.members) for share in tree.shares(name)] if grant.shared else [list(tree.match(name))]
    assert members == [[SESSIONS[1]]]
    tree.remove(SESSIONS[1], grant)


KINDS: list[Callable[[int], str]] = [
    "plant/{}/exact".format,
    "plant/{}/+".format,
    "plant/{}/#".format,
    "+/{}/alarm".format,
    "$share/group-{0}/plant/{0}/#".format,
]


def filled(sessions: int) -> SubscriptionTree:
    tree = SubscriptionTree()
    for number in range(sessions):
        session = Session(f"client-{number}", Identity("default"))
        for kind in KINDS:
            tree.add(session, Grant.of(Subscription(kind(number))))
    return tree


@pytest.mark.slow
def test_matching_costs_the_same_among_100_000() -> None:
    """Counted in calls and lines, not measured in time."""
    few, many = (filled(count // len(KINDS)) for count in (100, 100_000))

    def match(tree: SubscriptionTree) -> None:
        for topic in ("plant/7/exact", "plant/7/alarm", "plant/x/exact", "other", "$oc/a/b"):
            tree.match(topic)
            list(tree.shares(topic))

    assert len(few.match("plant/7/alarm")) == len(many.match("plant/7/alarm")) == 1
    assert calls_of(lambda: match(many)) <= calls_of(lambda: match(few)) * 1.3
