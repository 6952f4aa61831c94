"""Who subscribed to what: found at a cost that depends on the topic's depth, not on the number of subscriptions."""

from collections.abc import Iterator
from typing import TypeAlias

from bridge.broker.session import Session
from bridge.mqtt import Subscription

Subscribers: TypeAlias = dict[Session, Subscription]


class _Node:
    __slots__ = ("children", "subscribers")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.subscribers: Subscribers = {}


class SubscriptionTree:
    """Filters without wildcards are looked up whole; the others stand in a trie of topic levels."""

    def __init__(self) -> None:
        self._exact: dict[str, Subscribers] = {}
        self._root = _Node()

    def add(self, session: Session, subscription: Subscription) -> None:
        """A second subscription of the session to the same filter replaces the first [MQTT-3.8.4-3]."""
        self._subscribers(subscription.filter)[session] = subscription

    def remove(self, session: Session, topic_filter: str) -> None:
        """Nothing happens if there is no such subscription."""
        if not _has_wildcard(topic_filter):
            subscribers = self._exact.get(topic_filter, {})
            subscribers.pop(session, None)
            if not subscribers:
                self._exact.pop(topic_filter, None)
            return
        path = [self._root]
        levels = topic_filter.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return
            path.append(child)
        path[-1].subscribers.pop(session, None)
        for parent, level in zip(reversed(path[:-1]), reversed(levels), strict=True):
            child = parent.children[level]
            if child.subscribers or child.children:
                break
            del parent.children[level]

    def match(self, topic: str) -> Subscribers:
        """The subscribers of a topic, each once, with the matching filter of the highest QoS [MQTT-3.3.4-2].

        Not to be changed by the caller: without wildcards it is the tree's own."""
        found = self._exact.get(topic, {})
        if not self._root.children:
            return found
        found = dict(found)
        for node in self._matching(topic.split("/"), topic.startswith("$")):
            for session, subscription in node.subscribers.items():
                other = found.get(session)
                if other is None or other.qos < subscription.qos:
                    found[session] = subscription
        return found

    def _subscribers(self, topic_filter: str) -> Subscribers:
        if not _has_wildcard(topic_filter):
            return self._exact.setdefault(topic_filter, {})
        node = self._root
        for level in topic_filter.split("/"):
            node = node.children.setdefault(level, _Node())
        return node.subscribers

    def _matching(self, levels: list[str], reserved: bool) -> Iterator[_Node]:
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
