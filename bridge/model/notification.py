"""Notifications: what people and services are told in the inbox of a project, and what they confirm."""

import re
from dataclasses import dataclass
from enum import Enum, StrEnum

MOST_TEXT = 65_536
"""Characters in the text of one notification."""
ID = re.compile(r"[0-9A-Fa-f]{24}")


class Importance(StrEnum):
    INFORMATION = "information"
    IMPORTANT = "important"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to enter the inbox of a project."""

    project: str
    about: str
    """The object it is about: nearly always a device id, but nothing has to be registered under it."""
    importance: Importance
    text: str
    message_id: str | None = None
    """The device message it is about."""


@dataclass(frozen=True, slots=True)
class Notification:
    key: int
    """Assigned by the store, never used again. Of the notifications of a project the later one has the greater key."""
    at: int
    """When it entered, milliseconds since the epoch; in a project never less than that of the one before it."""
    notice: Notice
    read: bool = False
    confirmed_at: int | None = None
    confirmed_by: str | None = None
    """The name of the token or access key."""
    process_at: int | None = None
    """When it is, or was, to be processed; None: at once, or not confirmed. Wall time, in the store steady time."""
    processed_at: int | None = None

    @property
    def id(self) -> str:
        """24 hexadecimal digits: the second in which it entered, and its key."""
        return f"{self.at // 1000 & 0xFFFFFFFF:08x}{self.key:016x}"


def key_of(text: str) -> int | None:
    """The key in what may be the id of a notification; whether there is one with this id, `Notification.id` tells."""
    key = int(text[8:], 16) if ID.fullmatch(text) else 0
    return key if 0 < key < 1 << 63 else None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which notifications of a project, newest first. None: no matter."""

    begin: int = 0
    """Entered then or later, milliseconds since the epoch."""
    end: int | None = None
    """Entered then or earlier."""
    offset: int = 0
    """How many of them to pass over."""
    limit: int = 100
    about: str | None = None
    importance: Importance | None = None
    read: bool | None = None
    search: str | None = None
    """What the text contains, in whatever case."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many notifications there are, and the first and the last of them; both None when there is none."""

    count: int
    oldest: Notification | None = None
    newest: Notification | None = None


class Kind(Enum):
    """What can happen that enters the inbox by itself."""

    DELIVERED = "delivered"
    FAILED = "failed"
    TIMEOUT = "timeout"
    ONLINE = "online"
    OFFLINE = "offline"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened to a device or to a message for it."""

    kind: Kind
    project: str
    device_id: str
    message_id: str | None = None
    """The device message that ended."""
    topic: str | None = None
    """Of a report."""
    detail: str | None = None
    """Why a message failed; the content of a report."""
