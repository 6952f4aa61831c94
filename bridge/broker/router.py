"""Messages between clients: who may send them, and who subscribed."""

import asyncio
import logging

from bridge.broker.base import UplinkKeeper, UplinkListener
from bridge.broker.commitment import Commitment, Kept
from bridge.broker.identity import TopicAccess
from bridge.broker.outbound import Outbound
from bridge.broker.retained import Retained
from bridge.broker.session import Session
from bridge.broker.settings import MqttSettings
from bridge.broker.subscriptions import SubscriptionTree
from bridge.model.topics import device_of, is_system_downlink
from bridge.mqtt import Publish, ReasonCode, Subscription

_log = logging.getLogger(__name__)
_MOST_LEVELS = 200
"""Of a topic filter. Each level costs a node of the tree, and 64 KB can spell 32,000 of them."""


class Router:
    """Each project has topics of its own."""

    def __init__(self, settings: MqttSettings, access: TopicAccess, outbound: Outbound, retained: Retained) -> None:
        self._loop = asyncio.get_running_loop()
        self._outbound = outbound
        self._retained = retained
        self._settings = settings
        self._access = access
        self._trees: dict[str, SubscriptionTree] = {}
        self.uplinks: list[UplinkListener] = []
        self.keeper: UplinkKeeper | None = None
        self._devices: dict[tuple[str, str], Session] = {}

    def device_connected(self, session: Session, device_id: str) -> None:
        """From now on the session gets what is published to the device's system topics."""
        self._devices[session.identity.project, device_id] = session

    def device_disconnected(self, session: Session, device_id: str) -> None:
        del self._devices[session.identity.project, device_id]

    def subscribe(self, session: Session, subscription: Subscription) -> int:
        """Returns the granted QoS or the reason code of the refusal."""
        if not self._access.may_subscribe(session.identity, subscription.filter):
            return ReasonCode.NOT_AUTHORIZED
        if subscription.filter.count("/") >= _MOST_LEVELS:
            return ReasonCode.TOPIC_FILTER_INVALID
        known = session.subscriptions
        if subscription.filter not in known and len(known) >= self._settings.max_subscriptions:
            return ReasonCode.QUOTA_EXCEEDED
        known[subscription.filter] = subscription
        self._tree(session.identity.project).add(session, subscription)
        return subscription.qos

    def unsubscribe(self, session: Session, topic_filter: str) -> ReasonCode:
        if session.subscriptions.pop(topic_filter, None) is None:
            return ReasonCode.NO_SUBSCRIPTION_EXISTED
        self._tree(session.identity.project).remove(session, topic_filter)
        return ReasonCode.SUCCESS

    def unsubscribe_all(self, session: Session) -> None:
        tree = self._tree(session.identity.project)
        for topic_filter in session.subscriptions:
            tree.remove(session, topic_filter)
        session.subscriptions = {}

    def accept(self, session: Session, publish: Publish, kept: Kept) -> ReasonCode | None:
        """A PUBLISH from a client. Returns the reason code for its acknowledgement; before 5 a client is not told that
        its message went nowhere [MQTT-3.3.5-2]. None: `kept` is called with it later."""
        if not self._access.may_publish(session.identity, publish.topic):
            _log.warning("publish not allowed", extra={"client": session.client_id, "topic": publish.topic})
            return ReasonCode.NOT_AUTHORIZED
        if publish.retain and session.line is not None:
            full = self._retained.refusal(session.identity.project, publish, version=session.line.version)
            if full:
                return full
        device = session.identity.device
        commitment = Commitment(publish, kept)
        if device is not None:
            if self.keeper is not None:
                refusal = commitment.add(self.keeper.keep(device, publish, commitment.settle))
                if refusal:  # a client that sends it again must not be heard twice
                    return refusal
            for listener in self.uplinks:
                listener.published(device, publish)
        if publish.retain:
            done = commitment.settle if publish.qos else None
            commitment.add(self._retained.keep(session.identity.project, publish, session.client_id, done))
        reached = self.route(session.identity.project, publish, session)
        # The vendor's tree is the platform's own: what a device says there always has a reader.
        heard = reached or publish.topic.startswith("$")
        return commitment.close(ReasonCode.SUCCESS if heard else ReasonCode.NO_MATCHING_SUBSCRIBERS)

    def route(
        self, project: str, publish: Publish, sender: Session | None = None, *, connected_only: bool = False
    ) -> int:
        """Hand a message to every subscriber, or every one that is connected. Returns how many there are."""
        expiry = publish.properties.get("message_expiry_interval")
        expires = self._loop.time() + expiry if expiry is not None else 0.0
        reached = 0
        subscribers = self._tree(project).match(publish.topic)
        for session, subscription in list(subscribers.items()):
            if subscription.no_local and session is sender:  # [MQTT-3.8.3-3]
                continue
            if connected_only and session.line is None:
                continue
            qos = min(publish.qos, subscription.qos)  # [MQTT-3.8.4-8]
            retain = publish.retain and subscription.retain_as_published  # [MQTT-3.3.1-12] [MQTT-3.3.1-13]
            self._outbound.forward(session, publish, qos, expires, retain=retain)
            reached += 1
        unasked = self._unasked(project, publish.topic)
        if unasked is not None and unasked not in subscribers:
            self._outbound.forward(unasked, publish, min(publish.qos, self._settings.downlink_qos), expires)
            reached += 1
        return reached

    def send_will(self, session: Session) -> None:
        """[MQTT-3.1.2-8]"""
        will, session.will = session.will, None
        if will is not None:
            publish = Publish(will.topic, will.payload, will.qos, will.retain, properties=will.properties)
            self.publish(session.identity.project, publish, session.client_id)

    def publish(self, project: str, publish: Publish, sender: str = "") -> None:
        """A message for whose acknowledgement nobody waits: retained if it says so [MQTT-3.1.2-14] [MQTT-3.1.2-15], and
        handed to every subscriber."""
        if publish.retain:
            self._retained.keep(project, publish, sender)
        self.route(project, publish)

    def _unasked(self, project: str, topic: str) -> Session | None:
        """The connected device that is subscribed to the topic without having asked."""
        device_id = device_of(topic)
        return self._devices.get((project, device_id)) if is_system_downlink(device_id, topic) else None

    def _tree(self, project: str) -> SubscriptionTree:
        tree = self._trees.get(project)
        if tree is None:
            tree = self._trees[project] = SubscriptionTree()
        return tree
