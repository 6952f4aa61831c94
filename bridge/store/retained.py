"""Retained messages, as rows. Contract: `bridge.broker.base.RetainedStore`."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bridge.model.errors import BridgeError
from bridge.model.retained import RetainedMessage
from bridge.store.connection import refusing
from bridge.store.rows import Row
from bridge.store.writer import Other, Writer

PAGE = 200
"""Rows read in one go at the start."""
ALL = """
    SELECT key, project, topic, qos, sender, expires_at, payload_format, content_type, response_topic, correlation_data,
        user_properties, payload
    FROM retained WHERE key > ? ORDER BY key LIMIT ?
"""
EXPIRED = "SELECT project, topic FROM retained WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
RETAIN = """
    INSERT INTO retained (project, topic, qos, sender, expires_at, payload_format, content_type, response_topic,
        correlation_data, user_properties, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (project, topic) DO UPDATE SET qos = excluded.qos, sender = excluded.sender,
        expires_at = excluded.expires_at, payload_format = excluded.payload_format,
        content_type = excluded.content_type, response_topic = excluded.response_topic,
        correlation_data = excluded.correlation_data, user_properties = excluded.user_properties,
        payload = excluded.payload
"""
DROP = "DELETE FROM retained WHERE project = ? AND topic = ?"
DROP_TREE = "DELETE FROM retained WHERE project = ? AND topic >= ? AND topic < ?"

_NOTHING: dict[str, Any] = {}


class Retained:
    """They share the writer's commits with the messages."""

    _reader: sqlite3.Connection
    _writer: Writer

    def retained_messages(self) -> Iterator[tuple[str, RetainedMessage]]:
        """All there are, with their projects; for the start. Raises StoreUnavailable."""
        after = 0
        while True:
            with refusing():
                rows = self._reader.execute(ALL, (after, PAGE)).fetchall()
            for row in rows:
                yield row[1], read_retained(row)
            if len(rows) < PAGE:
                return
            after = rows[-1][0]

    def expired_retained(self, now: int, limit: int) -> list[tuple[str, str]]:
        """Projects and topics of those that have expired, the oldest first. Raises StoreUnavailable."""
        with refusing():
            return self._reader.execute(EXPIRED, (now, limit)).fetchall()

    def retain(
        self, changes: Sequence[tuple[str, str, RetainedMessage | None]], done: Callable[[BridgeError | None], None]
    ) -> None:
        """Project, topic, and what is retained there from now on. All or nothing. With None alone it needs no room."""
        rows = [retained_row(project, message) for project, _, message in changes if message is not None]
        dropped = [(project, topic) for project, topic, message in changes if message is None]

        def run(connection: sqlite3.Connection) -> None:
            connection.executemany(DROP, dropped)
            connection.executemany(RETAIN, rows)

        self._writer.put(Other(run, done, grows=bool(rows)))


def retained_row(project: str, message: RetainedMessage) -> Row:
    """In the order of `RETAIN`."""
    get = message.properties.get
    user_properties = get("user_properties")
    return (
        project,
        message.topic,
        message.qos,
        message.sender,
        message.expires_at,
        get("payload_format_indicator"),
        get("content_type"),
        get("response_topic"),
        get("correlation_data"),
        json.dumps(user_properties, ensure_ascii=False) if user_properties else None,
        message.payload,
    )


def read_retained(row: Row) -> RetainedMessage:
    """From `ALL`."""
    topic, qos, sender, expires_at, payload_format, content_type, response_topic, correlation_data, *rest = row[2:]
    user_properties, payload = rest
    found = {
        "payload_format_indicator": payload_format,
        "content_type": content_type,
        "response_topic": response_topic,
        "correlation_data": correlation_data,
        "user_properties": user_properties and [(name, value) for name, value in json.loads(user_properties)],
    }
    properties = {name: value for name, value in found.items() if value is not None}
    return RetainedMessage(topic, payload, qos, sender, expires_at, properties or _NOTHING)


def tree_bounds(prefix: str) -> tuple[str, str]:
    """For `DROP_TREE`: the topics that begin with the prefix, which ends with a slash."""
    return prefix, f"{prefix[:-1]}0"  # 0 is the character behind the slash
