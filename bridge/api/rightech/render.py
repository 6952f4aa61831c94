"""What the core speaks → JSON of the dialect. Pure."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from bridge.model.notification import Bounds, Importance, Notification

Paths = tuple[tuple[str, ...], ...]
"""Of `only`: (("a",), ("b", "c")) for `a,b.c`; empty: everything."""
_encode = msgspec.json.Encoder().encode


class NoticeText(msgspec.Struct):
    text: str
    type: Literal["text"]


class Entity(msgspec.Struct, omit_defaults=True):
    """What `entity` makes. This and the types below are for the description of the API."""

    id: str
    time: int
    importance: Importance
    read: bool
    body: NoticeText
    type: Literal["object"]
    key: str = msgspec.field(name="_id")
    process_time: int | None = None
    processed_time: int | None = None


class PartOfText(msgspec.Struct, omit_defaults=True):
    text: str | None = None
    type: Literal["text"] | None = None


class PartOfEntity(msgspec.Struct, omit_defaults=True):
    """What `only` leaves of it; without `only`, all of it."""

    id: str | None = None
    time: int | None = None
    importance: Importance | None = None
    read: bool | None = None
    body: PartOfText | None = None
    type: Literal["object"] | None = None
    key: str | None = msgspec.field(name="_id", default=None)
    process_time: int | None = None
    processed_time: int | None = None


class PartOfBounds(msgspec.Struct):
    """The oldest and the newest notification, null when there is none; `only` may leave out any of it."""

    count: int = 0
    min: PartOfEntity | None = None
    max: PartOfEntity | None = None
    success: bool = True


class Success(msgspec.Struct):
    success: bool


SUCCESS = b'{"success":true}'


def render_entity(notification: Notification) -> bytes:
    return _encode(entity(notification))


def render_list(notifications: Sequence[Notification], only: Paths) -> bytes:
    return _encode([keep(entity(notification), only) for notification in notifications])


def render_bounds(bounds: Bounds, only: Paths) -> bytes:
    oldest, newest = (None if each is None else entity(each) for each in (bounds.oldest, bounds.newest))
    return _encode(keep({"count": bounds.count, "min": oldest, "max": newest, "success": True}, _in_bounds(only)))


def _in_bounds(only: Paths) -> Paths:
    """`min.time` names a field of the bounds; `time`, a field of both notifications beside the other bounds."""
    own = tuple(path for path in only if path[0] in PartOfBounds.__struct_fields__)
    of_notifications = tuple((end, *path) for path in only if path not in own for end in ("min", "max"))
    return own + of_notifications + ((("count",), ("success",)) if only and not own else ())


def entity(notification: Notification) -> dict[str, Any]:
    notice = notification.notice
    shown: dict[str, Any] = {
        "_id": notification.id,
        "type": "object",
        "time": notification.at,
        "id": notice.about,
        "body": {"text": notice.text, "type": "text"},
        "importance": notice.importance.value,
        "read": notification.read,
    }
    if notification.process_at is not None:
        shown["process_time"] = notification.process_at
    if notification.processed_at is not None:
        shown["processed_time"] = notification.processed_at
    return shown


def keep(value: dict[str, Any], paths: Paths) -> dict[str, Any]:
    """What the paths name, nested as it was; what is not there is left out. null has no fields, and stays."""
    if not paths:
        return value
    kept: dict[str, Any] = {}
    for name, below in value.items():
        deeper = tuple(path[1:] for path in paths if path[0] == name)
        if () in deeper or (deeper and below is None):
            kept[name] = below
        elif deeper and isinstance(below, dict) and (part := keep(below, deeper)):
            kept[name] = part
    return kept
