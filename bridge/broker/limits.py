"""What one client may have, by what it is: a device, or anything else."""

from dataclasses import dataclass

from bridge.broker.identity import Identity
from bridge.broker.settings import MqttSettings

MOST_SLASHES = 200
"""In a topic filter, whoever asks. Each level costs a node of the tree, and 64 KB can spell 32,000 of them."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The bounds of one session; see the settings of the same names."""

    subscriptions: int
    inflight: int
    queued_messages: int
    queued_bytes: int
    publish_rate: int


class Limits:
    """A device has a few topics of its own. Home Assistant, Node-RED or the bridge of another broker speaks for
    hundreds of them."""

    def __init__(self, settings: MqttSettings) -> None:
        self._device = ClientLimits(
            settings.max_subscriptions,
            settings.max_inflight,
            settings.max_queued_messages,
            settings.max_queued_bytes,
            settings.max_publish_rate,
        )
        self._other = ClientLimits(
            settings.max_client_subscriptions,
            settings.max_client_inflight,
            settings.max_client_queued_messages,
            settings.max_client_queued_bytes,
            settings.max_client_publish_rate,
        )

    def of(self, identity: Identity) -> ClientLimits:
        """Those of a client."""
        return self._other if identity.device_key is None else self._device
