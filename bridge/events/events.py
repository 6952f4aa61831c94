"""The event core as the daemon starts and stops it."""

from collections.abc import Mapping

from bridge.events.base import Devices, EventStore
from bridge.events.connections import ConnectionEvents
from bridge.events.polling import PollingSubscribers
from bridge.events.register import Register
from bridge.events.settings import ChannelSettings
from bridge.events.upkeep import Upkeep
from bridge.events.uplinks import Uplinks
from bridge.model.clock import Clock
from bridge.model.event import MESSAGE_STATUS


class Events:
    """`channels` is for applications, `connections` and `uplinks` listen to a broker."""

    def __init__(self, store: EventStore, devices: Devices, settings: ChannelSettings, clock: Clock) -> None:
        """To be made before anything is written. Raises StoreUnavailable."""
        self.register = Register(store, settings, clock)
        self.channels = PollingSubscribers(store, self.register, clock)
        self.connections = ConnectionEvents(store, devices, self.register, clock)
        self.uplinks = Uplinks(store, devices, self.register, clock)
        self._upkeep = Upkeep(store, self.register, clock)

    @property
    def message_status(self) -> Mapping[str, int]:
        """By project, the channel that wants to know what becomes of messages; kept up to date."""
        return self.register.wanting(MESSAGE_STATUS)

    def start(self) -> None:
        self._upkeep.start()

    def stop(self) -> None:
        """To be called before the store is closed."""
        self.channels.close()
        self._upkeep.stop()
