"""Who subscribed to what, in one project."""

from typing import TypeAlias

from bridge.broker.grant import Grant
from bridge.broker.session import Session
from bridge.broker.shared import Share
from bridge.broker.topic_tree import TopicTree

Subscribers: TypeAlias = dict[Session, Grant]


class SubscriptionTree:
    """A shared subscription and one that is not are two, also with the same topic filter [MQTT5 4.8.2]."""

    def __init__(self) -> None:
        self._own: TopicTree[Session, Grant] = TopicTree()
        self._shared: TopicTree[str, Share] = TopicTree()

    def add(self, session: Session, grant: Grant) -> None:
        """A second subscription of the session to the same filter replaces the first [MQTT-3.8.4-3]."""
        if not grant.shared:
            self._own.put(grant.topics, session, grant)
            return
        share = self._shared.entries(grant.topics).get(grant.filter)
        if share is None:
            share = Share(grant.filter)
            self._shared.put(grant.topics, grant.filter, share)
        share.join(session, grant)

    def remove(self, session: Session, grant: Grant) -> None:
        """Nothing happens if there is no such subscription."""
        if not grant.shared:
            self._own.remove(grant.topics, session)
            return
        share = self._shared.entries(grant.topics).get(grant.filter)
        if share is not None and not share.leave(session):
            self._shared.remove(grant.topics, grant.filter)

    def match(self, topic: str, sender: Session | None = None) -> Subscribers:
        """The subscribers of a topic, shared subscriptions aside: each once, with what its subscriptions that match
        come to. Where that is one alone, it is the subscription itself, and its No Local is for the caller to see.

        Not to be changed by the caller: where only one filter matches it is the tree's own."""
        found = self._own.find(topic)
        if not found:
            return {}
        if len(found) == 1:
            return found[0]
        first, *others = sorted(found, key=len, reverse=True)
        merged = dict(first)
        if sender is not None and (own := merged.get(sender)) is not None and own.no_local:
            del merged[sender]  # [MQTT-3.8.3-3]
        for subscribers in others:
            for session, grant in subscribers.items():
                if grant.no_local and session is sender:  # [MQTT-3.8.3-3]
                    continue
                known = merged.get(session)
                merged[session] = grant if known is None else known.with_(grant)
        return merged

    def shares(self, topic: str) -> list[Share]:
        """The shared subscriptions that match the topic."""
        if not self._shared:
            return []
        return [share for shares in self._shared.find(topic) for share in shares.values()]

    def share(self, topic_filter: str, topics: str) -> Share | None:
        """The shared subscription `topic_filter`, which is `$share/name/` and `topics`, as long as it has members."""
        return self._shared.entries(topics).get(topic_filter)
