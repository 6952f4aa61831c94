import itertools
import random
from collections.abc import Iterable

import pytest

from bridge.broker.retained_tree import RetainedTree
from bridge.model.retained import RetainedMessage
from bridge.mqtt import matches

LEVELS = ("", "a", "b", "$s")
TOPICS = ["/".join(levels) for depth in (1, 2, 3) for levels in itertools.product(LEVELS, repeat=depth)][1:]
FILTERS = ["/".join(levels) for depth in (1, 2, 3) for levels in itertools.product(("a", "$s", "", "+"), repeat=depth)][
    1:
]
FILTERS += ["#"] + [f"{topic_filter}/#" for topic_filter in FILTERS]


def message(topic: str) -> RetainedMessage:
    return RetainedMessage(topic, b"x", 0, "", None, {})


def tree_of(topics: Iterable[str]) -> RetainedTree:
    tree = RetainedTree()
    for topic in topics:
        tree.put(message(topic))
    return tree


def found(tree: RetainedTree, topic_filter: str) -> list[str]:
    return [each.topic for each in tree.walk(topic_filter) if each is not None]


def test_a_walk_finds_what_matches_and_nothing_else() -> None:
    tree = tree_of(TOPICS)
    assert [tree.get(topic) is not None for topic in TOPICS] == [True] * len(TOPICS)
    for topic_filter in FILTERS:
        expected = sorted(topic for topic in TOPICS if matches(topic_filter, topic))
        assert sorted(found(tree, topic_filter)) == expected, topic_filter


def test_what_is_removed_leaves_nothing() -> None:
    source = random.Random(1)  # noqa: S311 - to be the same every time
    tree, left = tree_of(TOPICS), set(TOPICS)
    for topic in source.sample(TOPICS, len(TOPICS)):
        assert tree.look(topic)[1] == 0
        tree.remove(topic)
        tree.remove(topic)
        left.remove(topic)
        assert tree.get(topic) is None
        assert sorted(found(tree, "#") + found(tree, "$s/#")) == sorted(left)
    assert tree.nodes == 0


def test_nodes_are_counted() -> None:
    tree = RetainedTree()
    assert tree.look("a/b/c") == (None, 3)
    tree.put(message("a/b/c"))
    assert (tree.nodes, tree.look("a/b/c")[1], tree.look("a/b")[1], tree.look("a/d/c")[1]) == (3, 0, 0, 2)
    tree.put(message("a/b"))
    assert tree.nodes == 3
    assert tree.get("a") is None
    assert tree.get("a/b/c/d") is None
    tree.remove("a/b/c")
    tree.remove("a/b/c/d")
    assert tree.nodes == 2


@pytest.mark.parametrize(
    ("topic_filter", "most"),
    [("site/7/state", 4), ("site/7/#", 6), ("other/#", 1), ("site/+/none", 1002), ("+/7/state", 4), ("site/7/+", 6)],
)
def test_a_walk_touches_only_what_can_match(topic_filter: str, most: int) -> None:
    tree = tree_of(f"site/{number}/{name}" for number in range(1000) for name in ("state", "name", "place"))
    assert len(list(tree.walk(topic_filter))) <= most


def test_the_tree_may_change_during_a_walk() -> None:
    tree = tree_of(("a/1", "a/2", "a/3", "b/1"))
    walk = (each.topic for each in tree.walk("#") if each is not None)
    assert next(walk) == "a/1"
    tree.remove("a/2")
    tree.put(message("a/4"))
    newer = RetainedMessage("a/3", b"newer", 0, "", None, {})
    tree.put(newer)
    tree.remove("b/1")
    assert next(walk) == "a/3"
    assert list(walk) == []
    assert found(tree, "#") == ["a/1", "a/3", "a/4"]


def test_a_message_is_met_as_it_is_then() -> None:
    tree = tree_of(("a", "b"))
    walk = (each for each in tree.walk("+") if each is not None)
    assert next(walk).payload == b"x"
    tree.put(RetainedMessage("b", b"newer", 0, "", None, {}))
    assert next(walk).payload == b"newer"


def test_walks_share_the_names_of_a_wide_level() -> None:
    tree = tree_of(f"a/{number}" for number in range(100))
    walks = [tree.walk("a/+") for _ in range(3)]
    for walk in walks:
        assert [next(walk) for _ in range(2)] == [None, None]
        assert next(walk) is not None
    names = tree._root.children["a"].names
    assert names is not None
    assert all(len(list(walk)) == 99 for walk in walks)
    assert tree._root.children["a"].names is names
