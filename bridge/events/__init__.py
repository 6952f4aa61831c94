"""What happened, for applications: channels of events, and who polls them."""

from bridge.events.events import Events
from bridge.events.settings import ChannelSettings

__all__ = ["ChannelSettings", "Events"]
