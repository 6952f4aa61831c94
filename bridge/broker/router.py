"""Messages between clients: who may send them, and who subscribed."""

import asyncio
import logging
from collections.abc import Callable

from bridge.broker.base import UplinkKeeper, UplinkListener
from bridge.broker.identity import TopicAccess
from bridge.broker.outbound import Outbound
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

    def __init__(self, settings: MqttSettings, access: TopicAccess, outbound: Outbound) -> None:
        self._loop = asyncio.get_running_loop()
        self._outbound = outbound
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
            return int(self._settings.deny_subscribe_code, 16)
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

    def accept(
        self, session: Session, publish: Publish, kept: Callable[[Publish, ReasonCode], None]
    ) -> ReasonCode | None:
        """A PUBLISH from a client. Returns the reason code for its acknowledgement; before 5 a client is not told that
        its message went nowhere [MQTT3-3.3.5-2]. None: `kept` is called with it later."""
        if not self._access.may_publish(session.identity, publish.topic):
            _log.warning("publish not allowed", extra={"client": session.client_id, "topic": publish.topic})
            return ReasonCode.NOT_AUTHORIZED
        device = session.identity.device
        waits = False
        if device is not None:
            if self.keeper is not None:
                reason = self.keeper.keep(device, publish, kept)
                waits = reason is None
                if reason:  # a client that sends it again must not be heard twice
                    return reason
            for listener in self.uplinks:
                listener.published(device, publish)
        reached = self.route(session.identity.project, publish, session)
        if waits:
            return None
        # The vendor's tree is the platform's own: what a device says there always has a reader.
        return ReasonCode.SUCCESS if reached or publish.topic.startswith("$") else ReasonCode.NO_MATCHING_SUBSCRIBERS

    def route(
        self, project: str, publish: Publish, sender: Session | None = None, *, connected_only: bool = False
    ) -> int:
        """Hand a message to every subscriber, or every one that is connected. Returns how many there are."""
        if self._access.is_withheld(publish.topic):
            return 0
        expiry = publish.properties.get("message_expiry_interval")
        expires = self._loop.time() + expiry if expiry is not None else 0.0
        reached = 0
        subscribers = self._tree(project).match(publish.topic)
        for session, subscription in list(subscribers.items()):
            if subscription.no_local and session is sender:  # [MQTT-3.8.3-3]
                continue
            if connected_only and session.line is None:
                continue
            self._outbound.forward(session, publish, min(publish.qos, subscription.qos), expires)  # [MQTT-3.8.4-8]
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
            self.route(
                session.identity.project, Publish(will.topic, will.payload, will.qos, properties=will.properties)
            )

    def _unasked(self, project: str, topic: str) -> Session | None:
        """The connected device that is subscribed to the topic without having asked."""
        device_id = device_of(topic)
        return self._devices.get((project, device_id)) if is_system_downlink(device_id, topic) else None

    def _tree(self, project: str) -> SubscriptionTree:
        tree = self._trees.get(project)
        if tree is None:
            tree = self._trees[project] = SubscriptionTree()
        return tree
