"""What a session subscribed to, as it was granted."""

from dataclasses import dataclass
from typing import Self

from bridge.mqtt import Subscription, split_shared


@dataclass(slots=True)
class Grant(Subscription):
    """One subscription, or what several that match one topic come to for one copy of the message."""

    identifiers: tuple[int, ...] = ()
    """Subscription Identifiers: of the one SUBSCRIBE, or of all the subscriptions that match."""
    topics: str = ""
    """The topic filter without its `$share/name/`."""

    @classmethod
    def of(cls, asked: Subscription, identifier: int = 0) -> Self:
        """`identifier`: 0 for none [MQTT5 3.8.2.1.2]."""
        return cls(
            asked.filter,
            asked.qos,
            asked.no_local,
            asked.retain_as_published,
            asked.retain_handling,
            (identifier,) if identifier else (),
            split_shared(asked.filter)[1],
        )

    @property
    def shared(self) -> bool:
        return self.topics != self.filter

    def with_(self, other: "Grant") -> "Grant":
        """Both in one copy: at the higher QoS [MQTT-3.3.4-2], with all identifiers [MQTT-3.3.4-4], and with RETAIN as
        published if one of them asks for it [MQTT-3.3.1-13]."""
        higher = self if self.qos >= other.qos else other
        return Grant(
            higher.filter,
            higher.qos,
            retain_as_published=self.retain_as_published or other.retain_as_published,
            identifiers=self.identifiers + other.identifiers,
            topics=higher.topics,
        )


UNASKED = tuple(Grant("", qos) for qos in range(3))
"""By QoS: what a device is granted without asking."""
