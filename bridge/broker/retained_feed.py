"""Retained messages on their way to a new subscription, at the pace of its client [MQTT5 3.3.1.3]."""

import asyncio
from collections.abc import Iterable
from functools import partial

from bridge.broker.grant import Grant
from bridge.broker.identity import TopicAccess
from bridge.broker.outbound import Outbound
from bridge.broker.plugins import Plugins
from bridge.broker.retained import Retained
from bridge.broker.retained_tree import Found
from bridge.broker.session import Session
from bridge.model.clock import Clock, Timekeeper
from bridge.model.retained import RetainedMessage
from bridge.mqtt import Properties, Publish

_STEPS = 200
"""Of one walk in one turn of the loop; others get theirs in between."""


class Feeds:
    """Of all sessions."""

    def __init__(
        self, retained: Retained, outbound: Outbound, access: TopicAccess, plugins: Plugins, clock: Clock
    ) -> None:
        self.retained = retained
        self.outbound = outbound
        self.access = access
        self.plugins = plugins
        self.steady = Timekeeper.of(clock).steady
        self.loop = asyncio.get_running_loop()

    def subscribed(self, session: Session, granted: Iterable[tuple[str, bool]]) -> None:
        """The SUBACK is on its way. Each topic filter comes with whether the subscription is new; what it
        matches is sent to the client from now on."""
        if not self.retained:
            return
        for topic_filter, new in granted:
            subscription = session.subscriptions[topic_filter]
            handling = subscription.retain_handling
            # [MQTT-3.8.4-4] [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]
            wanted = handling == 0 or (handling == 1 and new)
            if wanted and not subscription.shared:  # whose they would be, nobody could say [MQTT5 4.8.2]
                self._begin(session, topic_filter)

    def _begin(self, session: Session, topic_filter: str) -> None:
        feed = session.feed
        if not isinstance(feed, Feed):
            session.feed = feed = Feed(self, session)
        feed.begin(topic_filter)


class Feed:
    """To one session: a walk for each subscription, which advances as the client takes what it is sent. It costs no
    memory for messages, and outlives the connection as its session does."""

    __slots__ = ("_feeds", "_judged", "_scheduled", "_session", "_walks")

    def __init__(self, feeds: Feeds, session: Session) -> None:
        self._feeds = feeds
        self._session = session
        self._walks: dict[str, Found] = {}
        self._scheduled = False
        self._judged = False
        """A topic plug-in is asked about the next message."""

    def begin(self, topic_filter: str) -> None:
        """From the start, if there is one already."""
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
            if self._judged or line is None or line.congested or session.queue:
                return  # goes on when the client is back, has read, or acknowledged
            topic_filter = next(iter(self._walks), None)
            if topic_filter is None:
                session.feed = None
                return
            subscription = session.subscriptions.get(topic_filter)
            if subscription is None:  # unsubscribed
                del self._walks[topic_filter]
                continue
            if subscription.qos and not session.room_between_clients:
                return
            self._step(subscription, self._walks[topic_filter])
        self._later()

    def _step(self, subscription: Grant, walk: Found) -> None:
        try:
            message = next(walk)
        except StopIteration:
            del self._walks[subscription.filter]
            return
        if message is not None:
            self._send(subscription, message)

    def _send(self, subscription: Grant, message: RetainedMessage) -> None:
        feeds, session = self._feeds, self._session
        if feeds.access.is_withheld(message.topic):
            return
        if subscription.no_local and message.sender == session.client_id:  # [MQTT-3.8.3-3]
            return
        publish = Publish(message.topic, message.payload, message.qos)
        expires = 0.0
        if message.properties:
            publish.properties = Properties(**message.properties)  # type: ignore[typeddict-item]
        if message.expires_at is not None:
            left = message.expires_at - feeds.steady()
            if left <= 0:  # [MQTT-3.3.2-5]
                return
            publish.properties["message_expiry_interval"] = -(-left // 1000)  # [MQTT-3.3.2-6]
            expires = feeds.loop.time() + left / 1000
        topics = feeds.plugins.topics
        if topics is not None and topics.decide(session.identity, publish.topic):
            self._judged = True
            topics.judge(session, publish.topic, partial(self._answered, subscription, publish, expires))
        else:
            self._forward(subscription, publish, expires)

    def _answered(self, subscription: Grant, publish: Publish, expires: float, allowed: bool) -> None:
        self._judged = False
        late = expires and expires <= self._feeds.loop.time()  # [MQTT-3.3.2-5]
        if allowed and not late and self._session.subscriptions.get(subscription.filter) is subscription:
            self._forward(subscription, publish, expires)
        self._later()

    def _forward(self, subscription: Grant, publish: Publish, expires: float) -> None:
        # [MQTT-3.3.1-8] [MQTT-3.3.4-3]
        self._feeds.outbound.forward(
            self._session,
            publish,
            subscription.qos,
            expires,
            retain=True,  # [MQTT3-3.3.1-8]
            identifiers=subscription.identifiers,
            allowed=True,
        )
