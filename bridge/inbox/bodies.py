"""The event of a notification that was confirmed and is processed now, in the form of all events. Pure."""

import json

from bridge.model.notification import Notification
from bridge.model.times import compact, precise


def processed_text(notification: Notification, position: int) -> str:
    """`position`: of the event in its channel; as `request_id` it tells one event from another."""
    notice, at = notification.notice, notification.processed_at or notification.at
    body = {
        "notification_id": notification.id,
        "message_id": notice.message_id,
        "importance": notice.importance.value,
        "text": notice.text,
        "confirmed_by": notification.confirmed_by,
        "action": 0 if notification.process_at is None else 1,
        "process_time": None if notification.process_at is None else precise(notification.process_at),
        "processed_time": precise(at),
    }
    return json.dumps(
        {
            "resource": "service-message",
            "event": "processed",
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
