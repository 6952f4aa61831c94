"""SUBSCRIBE and UNSUBSCRIBE: what is granted, and what is answered when."""

from collections.abc import Sequence
from functools import partial

from bridge.broker import explanations
from bridge.broker.base import DownlinkListener
from bridge.broker.plugins import Plugins
from bridge.broker.retained_feed import Feeds
from bridge.broker.router import Router
from bridge.broker.session import Line, Session
from bridge.mqtt import Properties, ReasonCode, Suback, Subscribe, Unsuback, Unsubscribe, Version

_NO_IDENTIFIER = [0]


class Subscribing:
    """`listener` is set before the first connection."""

    listener: DownlinkListener

    def __init__(self, router: Router, feeds: Feeds, plugins: Plugins) -> None:
        self._router = router
        self._feeds = feeds
        self._plugins = plugins

    def subscribe(self, line: Line, session: Session, packet: Subscribe, *, in_use: bool) -> None:
        """`in_use`: the packet identifier belongs to a message of the client that is not done."""
        grant = partial(self._grant_all, line, session, packet, in_use)
        topics = self._plugins.topics
        if topics is None:
            grant(None)
        else:
            filters = [subscription.filter for subscription in packet.subscriptions]
            topics.subscribe(line, session, filters, grant)

    def unsubscribe(self, line: Line, session: Session, packet: Unsubscribe, *, in_use: bool) -> None:
        """`in_use`: as above."""
        if in_use:
            codes: list[int] = [ReasonCode.PACKET_IDENTIFIER_IN_USE] * len(packet.filters)
        else:
            # [MQTT-3.10.4-6]
            codes = [self._router.unsubscribe(session, topic_filter) for topic_filter in packet.filters]
        _complain(line, "unsubscribe refused", packet.filters, codes)
        if line.version is Version.V5:
            # [MQTT-3.10.4-4] [MQTT-3.10.4-5]
            unsuback = Unsuback(packet.packet_id, codes, explanations.of_filters(packet.filters, codes))
        else:
            unsuback = Unsuback(packet.packet_id, [])
        if session.kept is None:
            line.send(unsuback)
        else:
            session.kept.keeping.after_losses(partial(line.send, unsuback))

    def _grant_all(
        self, line: Line, session: Session, packet: Subscribe, in_use: bool, allowed: list[bool] | None
    ) -> None:
        """`allowed`: what the topic plug-ins say, if there are any."""
        if line.closing:
            return
        (identifier,) = packet.properties.get("subscription_identifiers", _NO_IDENTIFIER)
        codes: list[int] = []
        granted: list[tuple[str, bool]] = []
        for index, subscription in enumerate(packet.subscriptions):  # [MQTT-3.8.4-5] in this order
            if in_use:
                codes.append(ReasonCode.PACKET_IDENTIFIER_IN_USE)
            elif allowed is not None and not allowed[index]:
                codes.append(ReasonCode.NOT_AUTHORIZED)
            else:
                new = subscription.filter not in session.subscriptions
                codes.append(self._router.subscribe(session, subscription, identifier))
                if codes[-1] < 0x80:
                    granted.append((subscription.filter, new))
        filters = [subscription.filter for subscription in packet.subscriptions]
        _complain(line, "subscribe refused", filters, codes)
        if line.version is Version.V5:
            why = explanations.of_filters(filters, codes)
        else:
            codes = [min(code, 0x80) for code in codes]  # [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT3-3.8.4-5]
            why = Properties()
        suback = Suback(packet.packet_id, codes, why)  # [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.2.1-6]
        if session.kept is None:
            self._granted(line, session, suback, granted)
        else:  # what is granted outlives the daemon from then on
            session.kept.keeping.after_gains(partial(self._stored, line, session, suback, granted))

    def _stored(
        self, line: Line, session: Session, suback: Suback, granted: list[tuple[str, bool]], stored: bool
    ) -> None:
        if session.line is not line:
            return
        if stored:
            self._granted(line, session, suback, [each for each in granted if each[0] in session.subscriptions])
        else:
            line.refuse(ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, "a subscription cannot be stored now")

    def _granted(self, line: Line, session: Session, suback: Suback, granted: list[tuple[str, bool]]) -> None:
        line.send(suback)
        self._feeds.subscribed(session, granted)
        if session.identity.device is not None and min(suback.reason_codes) < 0x80:
            self.listener.subscribed(session.identity.device.key)


def _complain(line: Line, title: str, filters: Sequence[str], codes: Sequence[int]) -> None:
    """One line about all that are refused in one packet."""
    refused = [(each, code) for each, code in zip(filters, codes, strict=True) if code >= 0x80]
    if refused:
        line.complain(title, refused[0][1], explanations.of_refused(refused), count=len(refused))
