"""Topic filters, found by a topic name at a cost that depends on the topic's depth, not on the number of filters."""

import sys
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


_NOTHING: Final[dict[Any, Any]] = {}
"""Most nodes have children or entries and not both: what they have not is this one, and costs no memory."""


class _Node(Generic[K, V]):
    """A place in the trie. What a walk looks at stands in the node itself: with many subscriptions each object is a
    part of the memory that no cache of the processor holds."""

    __slots__ = ("any_level", "children", "entries", "rest")

    def __init__(self) -> None:
        self.children: dict[str, _Node[K, V]] = _NOTHING
        """By topic level."""
        self.any_level: _Node[K, V] | None = None
        """Below `+`."""
        self.entries: dict[K, V] = _NOTHING
        """Of the filter that ends here."""
        self.rest: dict[K, V] = _NOTHING
        """Of the filter that ends with `#` below this node."""

    @property
    def bare(self) -> bool:
        return not (self.children or self.entries or self.rest) and self.any_level is None

    def child(self, level: str) -> "_Node[K, V] | None":
        return self.any_level if level == "+" else self.children.get(level)

    def grow(self, level: str) -> "_Node[K, V]":
        """The child, made if there is none."""
        child = self.child(level)
        if child is None:
            child = _Node()
            if level == "+":
                self.any_level = child
            else:
                if self.children is _NOTHING:
                    self.children = {}
                self.children[sys.intern(level)] = child  # "state" a hundred thousand times is one string
        return child

    def drop(self, level: str) -> None:
        if level == "+":
            self.any_level = None
        else:
            del self.children[level]


class TopicTree(Generic[K, V]):
    """Entries below topic filters: filters without wildcards are looked up whole, the others stand in a trie of topic
    levels."""

    __slots__ = ("_exact", "_root")

    def __init__(self) -> None:
        self._exact: dict[str, dict[K, V]] = {}
        self._root: _Node[K, V] | None = None
        """Of the filters with wildcards; None as long as there are none."""

    def __bool__(self) -> bool:
        return bool(self._exact) or self._root is not None

    def entries(self, topic_filter: str) -> dict[K, V]:
        """What stands below the filter; not to be changed."""
        if not _has_wildcard(topic_filter):
            return self._exact.get(topic_filter, _NOTHING)
        levels, rest = _levels(topic_filter)
        node = self._root
        for level in levels:
            node = node.child(level) if node is not None else None
        if node is None:
            return _NOTHING
        return node.rest if rest else node.entries

    def put(self, topic_filter: str, key: K, value: V) -> None:
        if not _has_wildcard(topic_filter):
            self._exact.setdefault(topic_filter, {})[key] = value
            return
        if self._root is None:
            self._root = _Node()
        levels, rest = _levels(topic_filter)
        node = self._root
        for level in levels:
            node = node.grow(level)
        if rest:
            if node.rest is _NOTHING:
                node.rest = {}
            node.rest[key] = value
        else:
            if node.entries is _NOTHING:
                node.entries = {}
            node.entries[key] = value

    def remove(self, topic_filter: str, key: K) -> None:
        """Nothing happens if there is no such entry."""
        entries = self.entries(topic_filter)
        if key not in entries:
            return
        del entries[key]
        if entries:
            return
        if not _has_wildcard(topic_filter):
            del self._exact[topic_filter]
        elif self._root is not None and _prune(self._root, _levels(topic_filter)[0]):
            self._root = None

    def find(self, topic: str) -> list[dict[K, V]]:
        """The entries of each filter that matches, none of them empty; the tree's own, not to be changed."""
        exact = self._exact.get(topic)  # [MQTT-4.7.3-4]
        found = [] if exact is None else [exact]
        if self._root is not None:
            for node in _descend(self._root, topic.split("/"), found):
                if node.entries:
                    found.append(node.entries)
                if node.rest:  # "sport/#" also matches "sport" [MQTT-4.7.1-2]
                    found.append(node.rest)
        return found


def _descend(root: _Node[K, V], levels: list[str], found: list[dict[K, V]]) -> list[_Node[K, V]]:
    """Where the levels lead to. What matches them from a node on the way is added to `found`."""
    nodes = [root]
    wildcards = not levels[0].startswith("$")  # no leading wildcard matches these [MQTT-4.7.2-1]
    for level in levels:
        following = []
        for node in nodes:
            if wildcards:
                if node.rest:
                    found.append(node.rest)
                if node.any_level is not None:
                    following.append(node.any_level)
            same = node.children.get(level)
            if same is not None:
                following.append(same)
        nodes = following
        wildcards = True
    return nodes


def _prune(root: _Node[K, V], levels: list[str]) -> bool:
    """The last entry of a filter is gone: so are the nodes that stood there for it alone. Whether the root is bare."""
    path = [root]
    for level in levels:
        path.append(path[-1].grow(level))
    for parent, level in zip(reversed(path[:-1]), reversed(levels), strict=True):
        if not path.pop().bare:
            break
        parent.drop(level)
    return root.bare


def _has_wildcard(topic_filter: str) -> bool:
    return "+" in topic_filter or "#" in topic_filter


def _levels(topic_filter: str) -> tuple[list[str], bool]:
    """Without the `#` at the end, and whether there is one."""
    levels = topic_filter.split("/")
    if levels[-1] == "#":
        return levels[:-1], True
    return levels, False
