"""Messages between clients: who may send them, and who subscribed."""

import asyncio

from bridge.broker.base import UplinkKeeper, UplinkListener
from bridge.broker.commitment import Commitment, Kept
from bridge.broker.fanout import Fanout
from bridge.broker.grant import Grant
from bridge.broker.identity import TopicAccess
from bridge.broker.keeping import Keeping
from bridge.broker.limits import MOST_SLASHES
from bridge.broker.outbound import Outbound
from bridge.broker.retained import Retained
from bridge.broker.session import Session
from bridge.broker.settings import MqttSettings
from bridge.broker.shared import Share
from bridge.broker.subscriptions import SubscriptionTree
from bridge.model.topics import device_of, is_system_downlink
from bridge.mqtt import Publish, ReasonCode, Subscription, split_shared


class Router:
    """Each project has topics of its own."""

    def __init__(self, settings: MqttSettings, access: TopicAccess, outbound: Outbound, retained: Retained) -> None:
        self._loop = asyncio.get_running_loop()
        self._outbound = outbound
        outbound.pass_on = self._pass_on_late
        self._retained = retained
        self._settings = settings
        self._limits = outbound.limits
        self._access = access
        self._trees: dict[str, SubscriptionTree] = {}
        self.uplinks: list[UplinkListener] = []
        self.keeper: UplinkKeeper | None = None
        self._devices: dict[tuple[str, str], Session] = {}
        self.keeping: Keeping | None = None
        self.closing = False
        """All connections are about to end: nothing is passed on from one to the next."""

    def device_connected(self, session: Session, device_id: str) -> None:
        """From now on the session gets what is published to the device's system topics."""
        self._devices[session.identity.project, device_id] = session

    def device_disconnected(self, session: Session, device_id: str) -> None:
        del self._devices[session.identity.project, device_id]

    def subscribe(self, session: Session, subscription: Subscription, identifier: int = 0) -> int:
        """Returns the granted QoS or the reason code of the refusal. `identifier`: the Subscription Identifier of the
        SUBSCRIBE, 0 for none."""
        grant = Grant.of(subscription, identifier)
        if not self._access.may_subscribe(session.identity, grant.topics):
            return int(self._settings.deny_subscribe_code, 16)
        if grant.topics.count("/") > MOST_SLASHES:
            return ReasonCode.TOPIC_FILTER_INVALID
        known = session.subscriptions
        if grant.filter not in known and len(known) >= self._limits.of(session.identity).subscriptions:
            return ReasonCode.QUOTA_EXCEEDED
        self.restore(session, grant)
        if session.kept is not None:
            session.kept.subscribe(grant)
        return grant.qos  # [MQTT-3.8.4-7]

    def restore(self, session: Session, grant: Grant) -> None:
        """A subscription that was granted already."""
        session.subscriptions[grant.filter] = grant
        self._tree(session.identity.project).add(session, grant)

    def review(self, session: Session) -> None:
        """The client of a restored session is back: what the settings do not open to it any more is unsubscribed."""
        for grant in list(session.subscriptions.values()):
            if not self._access.may_subscribe(session.identity, grant.topics):
                self.unsubscribe(session, grant.filter)

    def unsubscribe(self, session: Session, topic_filter: str) -> ReasonCode:
        """What the session was already chosen for still reaches it [MQTT-3.10.4-3]."""
        grant = session.subscriptions.pop(topic_filter, None)  # [MQTT-3.10.4-1]
        if session.kept is not None:  # without a grant as well: an earlier end of it may not be durable yet
            session.kept.unsubscribe(topic_filter)
        if grant is None:
            return ReasonCode.NO_SUBSCRIPTION_EXISTED
        self._tree(session.identity.project).remove(session, grant)  # [MQTT-3.10.4-2]
        return ReasonCode.SUCCESS

    def unsubscribe_all(self, session: Session) -> None:
        """The session ends. What it did not acknowledge of shared subscriptions goes to other members, also to those
        that are away."""
        tree = self._tree(session.identity.project)
        for grant in session.subscriptions.values():
            tree.remove(session, grant)
        session.subscriptions = {}
        shares = {flight.share for flight in session.flights.values()} | {queued.share for queued in session.queue}
        self._pass_on(session, shares - {""})

    def connection_lost(self, session: Session) -> None:
        """What the session did not acknowledge of shared subscriptions goes to members that are connected
        [MQTT5 4.8.2]."""
        for share in session.shares:
            share.place(session)
        if not self.closing:
            self._pass_on(session, {share.filter for share in session.shares if share.connected})

    def _pass_on(self, session: Session, shares: set[str]) -> None:
        if not shares:
            return
        tree = self._tree(session.identity.project)
        for owed in self._outbound.take_back(session, shares):
            share = tree.share(owed.share, split_shared(owed.share)[1])
            if share is not None:
                self._share_out(share, Fanout(owed.publish, owed.expires), owed.publish)

    def _pass_on_late(self, session: Session, name: str, publish: Publish, expires: float) -> bool:
        """The connection of the session has ended since it was chosen for the message."""
        share = self._tree(session.identity.project).share(name, split_shared(name)[1])
        if share is None or not share.connected:
            return False
        self._share_out(share, Fanout(publish, expires), publish)
        return True

    def _share_out(self, share: Share, fanout: Fanout, publish: Publish, *, connected_only: bool = False) -> bool:
        """To one member, at its own QoS [MQTT-4.8.2-3]."""
        session = share.choose(kept=publish.qos > 0 and not connected_only)
        if session is None:
            return not connected_only
        grant = share.members[session]
        copy = fanout.copy(grant.qos, publish.retain and grant.retain_as_published, grant.identifiers)
        self._outbound.hand(session, copy, fanout.expires, share.filter)
        return True

    def accept(self, session: Session, publish: Publish, kept: Kept) -> ReasonCode | None:
        """A PUBLISH from a client. Returns the reason code for its acknowledgement; before 5 a client is not told that
        its message went nowhere [MQTT3-3.3.5-2]. None: `kept` is called with it later."""
        if not self._access.may_publish(session.identity, publish.topic):
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
        reached = self._spread(session, publish, commitment)
        heard = reached or publish.qos == 0 or _has_reader(session, publish.topic)
        return commitment.close(ReasonCode.SUCCESS if heard else ReasonCode.NO_MATCHING_SUBSCRIBERS)

    def _spread(self, session: Session, publish: Publish, commitment: Commitment) -> int:
        """To all subscribers. What sessions that are kept come to owe by it is durable before it is acknowledged."""
        keeping = self.keeping
        owed = keeping.owed if keeping is not None else 0
        if publish.qos == 2 and session.kept is not None:  # [MQTT-4.3.3-10]
            session.kept.receive(publish.packet_id)
        reached = self.route(session.identity.project, publish, session)
        if keeping is not None and keeping.owed != owed and publish.qos:
            joined = publish.qos == 2 and commitment.waiting  # its event, and that it came: both or neither
            commitment.add(None)
            keeping.commit(publish, commitment.settle, joined=joined)
        return reached

    def route(
        self, project: str, publish: Publish, sender: Session | None = None, *, connected_only: bool = False
    ) -> int:
        """Hand a message to every subscriber, or every one that is connected, and to one member of each shared
        subscription. Returns how many there are."""
        if self._access.is_withheld(publish.topic):
            return 0
        expiry = publish.properties.get("message_expiry_interval")
        expires = self._loop.time() + expiry if expiry is not None else 0.0
        fanout = Fanout(publish, expires)
        hand, copy, retain = self._outbound.hand, fanout.copy, publish.retain
        reached = 0
        tree = self._tree(project)
        subscribers = tree.match(publish.topic, sender)  # [MQTT-3.3.2-3] [MQTT-4.5.0-1] [MQTT-4.6.0-6]
        for session, grant in list(subscribers.items()):
            if grant.no_local and session is sender:  # [MQTT-3.8.3-3]
                continue
            if connected_only and session.line is None:
                continue
            # [MQTT-3.3.1-12] [MQTT-3.3.1-13]
            hand(session, copy(grant.qos, retain and grant.retain_as_published, grant.identifiers), expires)

            reached += 1
        for share in tree.shares(publish.topic):
            reached += self._share_out(share, fanout, publish, connected_only=connected_only)
        unasked = self._unasked(project, publish.topic)
        if unasked is not None and unasked not in subscribers:
            hand(unasked, copy(self._settings.downlink_qos, False, ()), expires)
            reached += 1
        return reached

    def publish(self, project: str, publish: Publish, sender: Session | None = None) -> None:
        """A message for whose acknowledgement nobody waits: retained if it says so [MQTT-3.1.2-14] [MQTT-3.1.2-15], and
        handed to every subscriber."""
        if publish.retain:
            self._retained.keep(project, publish, sender.client_id if sender is not None else "")
        self.route(project, publish, sender)

    def _unasked(self, project: str, topic: str) -> Session | None:
        """The connected device that is subscribed to the topic without having asked."""
        device_id = device_of(topic)
        if not device_id:
            return None
        return self._devices.get((project, device_id)) if is_system_downlink(device_id, topic) else None

    def _tree(self, project: str) -> SubscriptionTree:
        tree = self._trees.get(project)
        if tree is None:
            tree = self._trees[project] = SubscriptionTree()
        return tree


def _has_reader(sender: Session, topic: str) -> bool:
    """Whether there is one although the message reached nobody. The vendor's tree is the platform's own: what a device
    says there is always read. And who wants no message of its own back is a subscriber all the same."""
    return topic.startswith("$") or sender.granted(topic, 0) is not None
