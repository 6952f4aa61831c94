"""Retained messages by topic, found by a topic filter in a walk that touches only what can match."""

import sys
from collections.abc import Iterator
from typing import TypeAlias

from bridge.model.retained import RetainedMessage

Found: TypeAlias = Iterator[RetainedMessage | None]


class _Node:
    __slots__ = ("children", "message", "names")

    def __init__(self) -> None:
        self.children = _NO_CHILDREN
        self.message: RetainedMessage | None = None
        self.names: tuple[str, ...] | None = None
        """Of the children, as walks go through them; they share it as long as no child comes or goes."""


_NO_CHILDREN: dict[str, _Node] = {}
"""Of all nodes without any: most have none, and an empty dict each would be a quarter of what they take."""


class RetainedTree:
    """A trie of topic levels. `nodes`: how many it has, which is what it costs in memory besides the messages."""

    __slots__ = ("_root", "nodes")

    def __init__(self) -> None:
        self._root = _Node()
        self.nodes = 0

    def get(self, topic: str) -> RetainedMessage | None:
        return self.look(topic)[0]

    def look(self, topic: str) -> tuple[RetainedMessage | None, int]:
        """The message of the topic, and how many nodes one would add."""
        node = self._root
        levels = topic.split("/")
        for depth, level in enumerate(levels):
            child = node.children.get(level)
            if child is None:
                return None, len(levels) - depth
            node = child
        return node.message, 0

    def put(self, message: RetainedMessage) -> RetainedMessage | None:
        """Returns the one that it replaces."""
        node = self._root
        for level in message.topic.split("/"):
            child = node.children.get(level)
            if child is None:
                child = _Node()
                if node.children is _NO_CHILDREN:
                    node.children = {}
                node.children[sys.intern(level)] = child  # "state" a hundred thousand times is one string
                node.names = None
                self.nodes += 1
            node = child
        before, node.message = node.message, message
        return before

    def remove(self, topic: str) -> RetainedMessage | None:
        """Returns the message; nothing happens if there is none."""
        path = [self._root]
        levels = topic.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return None
            path.append(child)
        before, path[-1].message = path[-1].message, None
        for parent, level in zip(reversed(path[:-1]), reversed(levels), strict=True):
            child = parent.children[level]
            if child.message is not None or child.children:
                break
            del parent.children[level]
            if not parent.children:
                parent.children = _NO_CHILDREN
            parent.names = None
            self.nodes -= 1
        return before

    def walk(self, topic_filter: str) -> Found:
        """The messages that the filter matches, each as it is when the walk comes to it. None for a step without one:
        whoever walks can pause after any number of steps, and the tree may change meanwhile."""
        levels = topic_filter.split("/")
        stack: list[Iterator[tuple[_Node, int]]] = [iter([(self._root, 0)])]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                continue
            node, depth = step
            wanted = levels[depth] if depth < len(levels) else None
            yield node.message if wanted is None or wanted == "#" else None  # "sport/#" matches "sport" [MQTT-4.7.1-2]
            if wanted is not None and node.children:
                stack.append(self._below(node, wanted, depth))

    def _below(self, node: _Node, wanted: str, depth: int) -> Iterator[tuple[_Node, int]]:
        following = depth if wanted == "#" else depth + 1
        if wanted not in ("+", "#"):
            child = node.children.get(wanted)
            if child is not None:
                yield child, following
            return
        if node.names is None:
            node.names = tuple(node.children)
        for name in node.names:
            if depth == 0 and node is self._root and name.startswith("$"):  # [MQTT-4.7.2-1]
                continue
            child = node.children.get(name)
            if child is not None:
                yield child, following
