"""What enters the inbox by itself, and in which words. Pure."""

from bridge.inbox.settings import InboxSettings
from bridge.model.message import Status
from bridge.model.notification import Importance, Kind, Notice, Occurrence

MOST_SHOWN = 1000
"""Characters of what a device said. The whole of it is in its report, not in the sentence about it."""
_UNREADABLE = "\ufffd"


class Rules:
    def __init__(self, settings: InboxSettings) -> None:
        self._wanted = frozenset(kind for kind in Kind if getattr(settings, kind.value))

    @property
    def statuses(self) -> frozenset[Status]:
        """Ends of messages that enter."""
        return frozenset(status for status in Status if status is not Status.PENDING and self.wants(_kind(status)))

    @property
    def connections(self) -> frozenset[Kind]:
        """What enters of devices that come and go."""
        return self._wanted & {Kind.ONLINE, Kind.OFFLINE}

    def wants(self, kind: Kind) -> bool:
        return kind in self._wanted

    def notice_of(self, occurrence: Occurrence) -> Notice | None:
        """None: it does not enter."""
        if occurrence.kind not in self._wanted:
            return None
        urgent = occurrence.kind in {Kind.FAILED, Kind.TIMEOUT}
        return Notice(
            occurrence.project,
            occurrence.device_id,
            Importance.IMPORTANT if urgent else Importance.INFORMATION,
            sentence(occurrence),
            occurrence.message_id,
        )


def sentence(occurrence: Occurrence) -> str:
    device, message = occurrence.device_id, occurrence.message_id
    match occurrence.kind:
        case Kind.DELIVERED:
            return f"Message {message} was delivered to device {device}."
        case Kind.FAILED:
            why = f": {occurrence.detail}" if occurrence.detail else ""
            return f"Message {message} for device {device} failed{why}."
        case Kind.TIMEOUT:
            return f"Message {message} for device {device} timed out: its ttl passed before the device took it."
        case Kind.ONLINE:
            return f"Device {device} is online."
        case Kind.OFFLINE:
            return f"Device {device} is offline."
        case Kind.REPORT:
            return f"Device {device} reported on {occurrence.topic}: {shown(occurrence.detail or '')}"


def shown(content: str) -> str:
    return content if len(content) <= MOST_SHOWN else content[: MOST_SHOWN - 1] + "…"


def readable(payload: bytes) -> str:
    """What a device said, for people: as text, or how much it was."""
    text = payload[: 4 * MOST_SHOWN].decode("utf-8", "replace").rstrip(_UNREADABLE)
    if _UNREADABLE in text or "\x00" in text:
        return f"{len(payload)} bytes"
    return text


def _kind(status: Status) -> Kind:
    return Kind(status.lower())
