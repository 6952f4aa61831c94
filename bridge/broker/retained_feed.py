"""Retained messages on their way to a new subscription, at the pace of its client [MQTT5 3.3.1.3]."""

import asyncio
from collections.abc import Iterable

from bridge.broker.outbound import Outbound
from bridge.broker.retained import Retained
from bridge.broker.retained_tree import Found
from bridge.broker.session import Line, Session
from bridge.model.clock import Clock
from bridge.model.retained import RetainedMessage
from bridge.mqtt import Properties, Publish, Subscription, split_shared

_STEPS = 200
"""Of one walk in one turn of the loop; others get theirs in between."""


class Feeds:
    """Of all sessions."""

    def __init__(self, retained: Retained, outbound: Outbound, clock: Clock) -> None:
        self.retained = retained
        self.outbound = outbound
        self.clock = clock
        self.loop = asyncio.get_running_loop()

    def subscribed(self, session: Session, granted: Iterable[tuple[Subscription, bool]]) -> None:
        """The SUBACK is on its way. Each subscription comes with whether it is new; what it matches is sent to the
        client from now on."""
        if not self.retained:
            return
        for subscription, new in granted:
            handling = subscription.retain_handling
            # [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]
            if handling == 0 or (handling == 1 and new):
                self._begin(session, subscription)

    def _begin(self, session: Session, subscription: Subscription) -> None:
        if split_shared(subscription.filter)[0] is not None:  # whose they would be, nobody could say [MQTT5 4.8.2]
            return
        feed = session.feed
        if not isinstance(feed, Feed):
            session.feed = feed = Feed(self, session)
        feed.begin(subscription.filter)


class Feed:
    """To one session: a walk for each subscription, which advances as the client takes what it is sent. It costs no
    memory for messages, and outlives the connection as its session does."""

    __slots__ = ("_feeds", "_scheduled", "_session", "_walks")

    def __init__(self, feeds: Feeds, session: Session) -> None:
        self._feeds = feeds
        self._session = session
        self._walks: dict[str, Found] = {}
        self._scheduled = False

    def begin(self, topic_filter: str) -> None:
        """From the start, if there is one already; behind those of the other filters."""
        self._walks.pop(topic_filter, None)
        self._walks[topic_filter] = self._feeds.retained.walk(self._session.identity.project, topic_filter)
        self._later()

    def go_on(self) -> None:
        """Send what the connection takes now, but not much in one turn. What it is owed from before goes first."""
        if not self._scheduled:
            self._advance()

    def _later(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._feeds.loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._advance()

    def _advance(self) -> None:
        session = self._session
        line = session.line
        for _ in range(_STEPS):
            if line is None or line.congested or session.queue or session.unsent:
                return  # goes on when the client is back, has read, or acknowledged
            topic_filter = next(iter(self._walks), None)
            if topic_filter is None:
                session.feed = None
                return
            subscription = session.subscriptions.get(topic_filter)
            if subscription is None:  # unsubscribed
                del self._walks[topic_filter]
                continue
            if subscription.qos and not self._feeds.outbound.has_room(session):
                return
            self._step(line, subscription, self._walks[topic_filter])
        self._later()

    def _step(self, line: Line, subscription: Subscription, walk: Found) -> None:
        try:
            message = next(walk)
        except StopIteration:
            del self._walks[subscription.filter]
            return
        if message is not None:
            self._send(line, subscription, message)

    def _send(self, line: Line, subscription: Subscription, message: RetainedMessage) -> None:
        left = None
        if message.expires_at is not None:
            left = message.expires_at - self._feeds.clock()
            if left <= 0:  # [MQTT-3.3.2-5]
                return
        if subscription.no_local and message.sender == self._session.client_id:  # [MQTT-3.8.3-3]
            return
        properties = Properties(**message.properties)  # type: ignore[typeddict-item]
        if left is not None:  # [MQTT-3.3.2-6]
            properties["message_expiry_interval"] = max(1, left // 1000)
        qos = min(message.qos, subscription.qos)  # [MQTT-3.8.4-8]
        publish = Publish(message.topic, message.payload, qos, True, properties=properties)  # [MQTT-3.3.1-8]
        self._feeds.outbound.give(line, self._session, publish)
