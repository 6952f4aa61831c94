"""Who is connected, and which topics that opens."""

from dataclasses import dataclass, field

from bridge.broker.base import Directory
from bridge.broker.settings import MqttSettings
from bridge.model.device import Device
from bridge.model.errors import StoreUnavailable
from bridge.model.topics import device_of, device_tree
from bridge.mqtt import covers, matches

_OPEN_TOPICS = ("#", "$SYS/#")
"""What a client that is no device may read: everything outside the reserved `$` trees [MQTT-4.7.2-1], and the figures
of the daemon, if a plug-in publishes any."""


@dataclass(frozen=True, slots=True)
class Identity:
    project: str
    """Clients of different projects never meet: each project has its own topics, sessions and client identifiers."""
    device: Device | None = None
    """None: an application, an admin, or a client that a plug-in vouched for."""
    unrestricted: bool = False
    """May use every topic of its project, also the devices' trees."""
    absent: int | None = None
    """The key of the device of a session that was restored: more is not known before its client is back."""
    token: str = field(default="", repr=False)
    """The access token that an admin showed; empty: none."""

    @property
    def device_key(self) -> int | None:
        return self.absent if self.device is None else self.device.key

    def is_same(self, other: "Identity") -> bool:
        """Whether it is the same client, also when its device got another secret meanwhile."""
        ours = (self.project, self.device_key, self.unrestricted)
        return ours == (other.project, other.device_key, other.unrestricted)

    @property
    def name(self) -> str:
        return self.device.device_id if self.device else "-"


class TopicAccess:
    """Devices are isolated: each has its own tree and what the configuration opens to all of them. A gateway has the
    trees of the devices behind it, too."""

    def __init__(self, settings: MqttSettings, directory: Directory) -> None:
        self._directory = directory
        self._publish = settings.device_publish
        self._subscribe = settings.device_subscribe
        self._deny_publish = settings.deny_publish
        self._deny_subscribe = settings.deny_subscribe

    def may_publish(self, identity: Identity, topic: str) -> bool:
        if self._deny_publish and any(matches(rule, topic) for rule in self._deny_publish):
            return False
        if identity.unrestricted:
            return not _is_figure(topic)
        if identity.device is None:
            return not topic.startswith("$")
        return (
            topic.startswith(device_tree(identity.device.device_id))
            or (any(matches(rule, topic) for rule in self._publish) and not _is_figure(topic))
            or self._carries(identity.device, topic)
        )

    def may_subscribe(self, identity: Identity, topic_filter: str) -> bool:
        """Whether every topic that the filter matches is open. What matches some that are denied is granted without
        these, see `is_withheld`."""
        if any(covers(rule, topic_filter) for rule in self._deny_subscribe):
            return False
        if identity.unrestricted:
            return True
        if identity.device is None:
            return any(covers(rule, topic_filter) for rule in _OPEN_TOPICS)
        own = f"{device_tree(identity.device.device_id)}#"
        return any(covers(rule, topic_filter) for rule in (own, *self._subscribe)) or self._carries(
            identity.device, topic_filter
        )

    def is_withheld(self, topic: str) -> bool:
        """Whether nobody may be subscribed to the topic, however wide the filter."""
        return bool(self._deny_subscribe) and any(matches(rule, topic) for rule in self._deny_subscribe)

    def _carries(self, gateway: Device, topic: str) -> bool:
        """Whether the topic, or topic filter, lies in the tree of a device behind this one."""
        device_id = device_of(topic)
        if not topic.startswith(device_tree(device_id)):
            return False
        try:
            named = self._directory.devices_called(device_id)
        except StoreUnavailable:  # what cannot be read opens nothing
            return False
        return any(device.carrier == gateway.key for device in named)


def _is_figure(topic: str) -> bool:
    """Whether only the daemon itself publishes there, whatever the configuration opens."""
    return topic.startswith("$SYS") and (len(topic) == 4 or topic[4] == "/")
