"""The events about notifications, in the form of all events. Pure.

`position`: of the event in its channel; as `request_id` it tells one event from another.
"""

import json
from collections.abc import Mapping
from typing import Any

from bridge.model.notification import Notification
from bridge.model.times import compact, precise


def posted_text(notification: Notification, position: int) -> str:
    """An application has posted a notification."""
    return _event("posted", notification.at, notification, position, {"created_time": precise(notification.at)})


def processed_text(notification: Notification, position: int) -> str:
    """A notification that was confirmed is processed now."""
    at = notification.processed_at or notification.at
    body = {
        "confirmed_by": notification.confirmed_by,
        "action": 0 if notification.process_at is None else 1,
        "process_time": None if notification.process_at is None else precise(notification.process_at),
        "processed_time": precise(at),
    }
    return _event("processed", at, notification, position, body)


def _event(event: str, at: int, notification: Notification, position: int, more: Mapping[str, Any]) -> str:
    notice = notification.notice
    body = {
        "notification_id": notification.id,
        "message_id": notice.message_id,
        "importance": notice.importance.value,
        "text": notice.text,
        **more,
    }
    return json.dumps(
        {
            "resource": "service-message",
            "event": event,
            "event_time": compact(at),
            "event_time_ms": precise(at),
            "request_id": str(position),
            "notify_data": {
                "header": {"device_id": notice.about},
                "body": {name: value for name, value in body.items() if value is not None},
            },
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
