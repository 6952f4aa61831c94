"""The inbox of a project: notifications, their history, and their confirmation."""

from bridge.inbox.inbox import Inbox
from bridge.inbox.reports import Reports
from bridge.inbox.settings import InboxSettings

__all__ = ["Inbox", "InboxSettings", "Reports"]
