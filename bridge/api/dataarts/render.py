"""What the core speaks → JSON of the dialect. Pure.

The vendor's record describes an application for an API; what of it has a meaning here is filled, the rest is left out.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from bridge.model.notification import Notification

OPEN = "STATUS_TYPE_PENDING_CHECK"
"""Not confirmed yet."""
SCHEDULED = "STATUS_TYPE_PENDING_EXECUTE"
PROCESSED = "STATUS_TYPE_PASSED"


class Record(msgspec.Struct, omit_defaults=True):
    """What `record` makes, for the description of the API."""

    id: str
    api_apply_status: Literal["STATUS_TYPE_PENDING_CHECK", "STATUS_TYPE_PENDING_EXECUTE", "STATUS_TYPE_PASSED"]
    api_name: str
    apply_time: int
    comment: str
    user_name: str
    api_id: str | None = None
    api_using_time: int | None = None
    approval_time: int | None = None
    approver_name: str | None = None


class RecordList(msgspec.Struct):
    """What `render_records` makes."""

    total: int
    records: list[Record]


_encode = msgspec.json.Encoder().encode


def render_records(total: int, notifications: Sequence[Notification]) -> bytes:
    return _encode({"total": total, "records": [record(notification) for notification in notifications]})


def render_record(notification: Notification) -> bytes:
    return _encode(record(notification))


def record(notification: Notification) -> dict[str, Any]:
    notice = notification.notice
    shown = {
        "id": notification.id,
        "api_apply_status": status(notification),
        "api_id": notice.message_id,
        "api_name": notice.about,
        "api_using_time": notification.process_at,
        "apply_time": notification.at,
        "approval_time": notification.processed_at,
        "approver_name": notification.confirmed_by,
        "comment": notice.text,
        "user_name": notice.about,
    }
    return {name: value for name, value in shown.items() if value is not None}


def status(notification: Notification) -> str:
    if notification.processed_at is not None:
        return PROCESSED
    return OPEN if notification.process_at is None else SCHEDULED
