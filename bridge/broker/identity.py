"""Who is connected, and which topics that opens."""

from dataclasses import dataclass

from bridge.broker.settings import MqttSettings
from bridge.model.device import Device
from bridge.model.topics import device_tree
from bridge.mqtt import covers, matches

_OPEN_TOPICS = ("#",)
"""Everything outside the reserved `$` trees [MQTT-4.7.2-1]."""


@dataclass(frozen=True, slots=True)
class Identity:
    project: str
    """Clients of different projects never meet: each project has its own topics, sessions and client identifiers."""
    device: Device | None = None
    """None: an application, an admin, or a client that a plug-in vouched for."""
    unrestricted: bool = False
    """May use every topic of its project, also the devices' trees."""

    @property
    def name(self) -> str:
        return self.device.device_id if self.device else "-"


class TopicAccess:
    """Devices are isolated: each has its own tree and what the configuration opens to all of them."""

    def __init__(self, settings: MqttSettings) -> None:
        self._publish = settings.device_publish
        self._subscribe = settings.device_subscribe

    def may_publish(self, identity: Identity, topic: str) -> bool:
        if identity.unrestricted:
            return True
        if identity.device is None:
            return not topic.startswith("$")
        return topic.startswith(device_tree(identity.device.device_id)) or any(
            matches(rule, topic) for rule in self._publish
        )

    def may_subscribe(self, identity: Identity, topic_filter: str) -> bool:
        """Whether every topic that the filter matches is open."""
        if identity.unrestricted:
            return True
        if identity.device is None:
            return any(covers(rule, topic_filter) for rule in _OPEN_TOPICS)
        own = f"{device_tree(identity.device.device_id)}#"
        return any(covers(rule, topic_filter) for rule in (own, *self._subscribe))
