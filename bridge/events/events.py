"""The event core as the daemon starts and stops it."""

from collections.abc import Mapping

from bridge.events.base import Devices, EventStore
from bridge.events.bodies import presence_text
from bridge.events.channel import OWN
from bridge.events.cursor import Cursor
from bridge.events.polling import PollingSubscribers
from bridge.events.register import Register
from bridge.events.settings import ChannelSettings
from bridge.events.upkeep import Upkeep
from bridge.events.uplinks import Uplinks
from bridge.model.clock import Clock
from bridge.model.event import DEVICE_STATUS, MESSAGE_STATUS


class Events:
    """`channels` is for applications, `uplinks` listens to a broker."""

    def __init__(self, store: EventStore, devices: Devices, settings: ChannelSettings, clock: Clock) -> None:
        """To be made before anything is written. Raises StoreUnavailable."""
        self._store = store
        self._clock = clock
        self.register = Register(store, settings, clock)
        self.channels = PollingSubscribers(store, self.register, clock)
        self.uplinks = Uplinks(store, devices, self.register, clock)
        store.tell_connections_with(self.register.wanting(DEVICE_STATUS), presence_text)
        self._upkeep = Upkeep(store, self.register, clock)

    @property
    def message_status(self) -> Mapping[str, int]:
        """By project, the channel that wants to know what becomes of messages; kept up to date."""
        return self.register.wanting(MESSAGE_STATUS)

    def cursor(self, project: str, channel: str, who: str) -> Cursor:
        """A reader within the daemon, not open yet unless it was so before."""
        return Cursor(self._store, self.register, self._clock, project=project, channel=channel, who=who)

    def cursors(self, who: str) -> list[tuple[str, str]]:
        """(project, channel) of the open ones."""
        name = OWN + who
        return [(log.project, log.name) for log in self.register.channels() if name in log.subscribers]

    def start(self) -> None:
        self._upkeep.start()

    def stop(self) -> None:
        """To be called before the store is closed."""
        self.channels.close()
        self._upkeep.stop()
