"""Topic filters, found by a topic name at a cost that depends on the topic's depth, not on the number of filters."""

from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


_NOTHING: Final[dict[Any, Any]] = {}
"""Most nodes have children or entries and not both: what they have not is this one, and costs no memory."""


class _Node(Generic[K, V]):
    __slots__ = ("children", "entries")

    def __init__(self) -> None:
        self.children: dict[str, _Node[K, V]] = _NOTHING
        self.entries: dict[K, V] = _NOTHING

    def child(self, level: str) -> "_Node[K, V]":
        """Made if there is none."""
        child = self.children.get(level)
        if child is None:
            child = _Node()
            if self.children is _NOTHING:
                self.children = {}
            self.children[level] = child
        return child


class TopicTree(Generic[K, V]):
    """Entries below topic filters: filters without wildcards are looked up whole, the others stand in a trie of topic
    levels."""

    __slots__ = ("_exact", "_root")

    def __init__(self) -> None:
        self._exact: dict[str, dict[K, V]] = {}
        self._root: _Node[K, V] = _Node()

    def __bool__(self) -> bool:
        return bool(self._exact or self._root.children)

    def entries(self, topic_filter: str) -> dict[K, V]:
        """What stands below the filter; not to be changed."""
        if not _has_wildcard(topic_filter):
            return self._exact.get(topic_filter, {})
        node: _Node[K, V] | None = self._root
        for level in topic_filter.split("/"):
            node = node.children.get(level) if node is not None else None
        return node.entries if node is not None else {}

    def put(self, topic_filter: str, key: K, value: V) -> None:
        if not _has_wildcard(topic_filter):
            self._exact.setdefault(topic_filter, {})[key] = value
            return
        node = self._root
        for level in topic_filter.split("/"):
            node = node.child(level)
        if node.entries is _NOTHING:
            node.entries = {}
        node.entries[key] = value

    def remove(self, topic_filter: str, key: K) -> None:
        """Nothing happens if there is no such entry."""
        if not _has_wildcard(topic_filter):
            entries = self._exact.get(topic_filter, {})
            entries.pop(key, None)
            if not entries:
                self._exact.pop(topic_filter, None)
            return
        path = [self._root]
        levels = topic_filter.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return
            path.append(child)
        path[-1].entries.pop(key, None)
        for parent, level in zip(reversed(path[:-1]), reversed(levels), strict=True):
            child = parent.children[level]
            if child.entries or child.children:
                break
            del parent.children[level]

    def find(self, topic: str) -> list[dict[K, V]]:
        """The entries of each filter that matches, none of them empty; the tree's own, not to be changed."""
        exact = self._exact.get(topic)  # [MQTT-4.7.3-4]
        found = [] if exact is None else [exact]
        if self._root.children:
            nodes = self._matching(topic.split("/"), topic.startswith("$"))
            found += [node.entries for node in nodes if node.entries]
        return found

    def _matching(self, levels: list[str], reserved: bool) -> Iterator[_Node[K, V]]:
        """The end nodes of all wildcard filters that match. `reserved`: no leading wildcard matches [MQTT-4.7.2-1]."""
        nodes = [self._root]
        for depth, level in enumerate(levels):
            wildcards = depth or not reserved
            following = []
            for node in nodes:
                if wildcards and (rest := node.children.get("#")):
                    yield rest
                if wildcards and (any_level := node.children.get("+")):
                    following.append(any_level)
                if same := node.children.get(level):
                    following.append(same)
            if not following:
                return
            nodes = following
        for node in nodes:
            yield node
            if parent := node.children.get("#"):  # "sport/#" also matches "sport" [MQTT-4.7.1-2]
                yield parent


def _has_wildcard(topic_filter: str) -> bool:
    return "+" in topic_filter or "#" in topic_filter
