"""The inbox of a project: notifications, their history, and their confirmation."""

from bridge.inbox.ears import Ears
from bridge.inbox.inbox import Inbox
from bridge.inbox.settings import InboxSettings

__all__ = ["Ears", "Inbox", "InboxSettings"]
