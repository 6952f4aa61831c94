"""Every statement on a hot path, named. Texts are constants, so that each connection compiles each of them once.

A test holds every statement of this file to a plan that scans no table. Needs SQLite 3.33 (UPDATE … FROM).
"""

# ruff: noqa: S608 - the texts are put together from constants of this file, and values are always parameters

from bridge.model.message import Status
from bridge.model.topics import default_downlink

MOST_ROWS = 64
"""Rows in one merged statement. There is a text for each number up to it: a batch is one step, not a chain of sizes."""

ADDED = (
    "seq, device, message_id, ttl, name, encoding, payload_format, topic, correlation_data, response_topic, "
    "user_properties, created_at, expires_at, content"
)
ADDED_WIDTH = 14
FINISHED_WIDTH = 6
SIGHTED_WIDTH = 4
SIZES = (64, 8, 1)
"""Rows in one merged statement that is not as hot as the others: few sizes, because they share a cache."""
SIGHTED_AT_ONCE = SIZES
EVENT_COLUMNS = "channel, position, at, message_id, content"
SUBJECT_COLUMNS = "device.device_id, device.node_id, device.product_id, device.gateway_id, device.app_id, device.tags"
_GATEWAY = "' || (SELECT line.device_id FROM device AS line WHERE line.key = device.carrier) || '"
TOLD_TOPIC = f"ifnull(message.topic, '{default_downlink(_GATEWAY)}')"
"""NULL: the default downlink topic of a device that connects itself."""
WHOLE = (
    "seq, device, message_id, content, ttl, name, encoding, payload_format, topic, correlation_data, response_topic, "
    "user_properties, send_at, created_at, expires_at, status, finished_at, acknowledged_by, failure, detail"
)
QUEUED = "device = ? AND status = 'PENDING' AND held IS NULL"
"""What may be sent to a device."""
HELD = "device = ? AND status = 'PENDING' AND held = 1"
"""What may be sent later."""
SCHEDULED = "held = 1 AND status = 'PENDING'"


def _rows(count: int, width: int) -> str:
    return ", ".join([f"({', '.join('?' * width)})"] * count)


def _add(count: int) -> str:
    return f"INSERT INTO message ({ADDED}) VALUES {_rows(count, ADDED_WIDTH)}"


def _finish(count: int) -> str:
    return f"""
        UPDATE message SET status = v.column2, finished_at = v.column3, acknowledged_by = v.column4,
            failure = v.column5, detail = v.column6
        FROM (VALUES {_rows(count, FINISHED_WIDTH)}) AS v
        WHERE message.seq = v.column1 AND message.status = 'PENDING'
    """


def _sight(count: int) -> str:
    return f"""
        UPDATE device SET online = v.column2, changed_at = v.column3, active_at = ifnull(active_at, v.column4)
        FROM (VALUES {_rows(count, SIGHTED_WIDTH)}) AS v WHERE device.key = v.column1
    """


def _told(count: int) -> str:
    """What an event says about messages, by seq."""
    return f"""
        SELECT message.seq, message.message_id, message.name, {TOLD_TOPIC}, {SUBJECT_COLUMNS}
        FROM message JOIN device ON device.key = message.device WHERE message.seq IN ({", ".join("?" * count)})
    """


def _list(where: str) -> str:
    return f"SELECT {WHOLE} FROM message WHERE {where} AND seq < ? ORDER BY seq DESC LIMIT ?"


def _list_pending() -> str:
    """The two parts are each in order already, and are merged."""
    parts = (f"SELECT {WHOLE} FROM message WHERE {where} AND seq < ?" for where in (QUEUED, HELD))
    return f"{' UNION ALL '.join(parts)} ORDER BY seq DESC LIMIT ?"


ADD = {count: _add(count) for count in range(1, MOST_ROWS + 1)}
FINISH = {count: _finish(count) for count in range(1, MOST_ROWS + 1)}
FAIL_UNCACHED = """
    UPDATE message SET status = ?, finished_at = ?, acknowledged_by = ?, failure = ?, detail = ?
    WHERE ttl = 0 AND status = 'PENDING'
"""
ADD_SCHEDULED = f"INSERT INTO message ({ADDED}, send_at, held) VALUES ({', '.join('?' * (ADDED_WIDTH + 1))}, 1)"
STATUS = "SELECT status FROM message WHERE seq = ?"
REMOVE = "DELETE FROM message WHERE seq = ?"
KEEP_PLACE = """
    INSERT OR REPLACE INTO removed_message (device, message_id, seq, removed_at)
    SELECT device, message_id, seq, ? FROM message WHERE seq = ?
"""
PLACE = """
    SELECT seq FROM message WHERE message_id = ? AND device = ?
    UNION ALL SELECT seq FROM removed_message WHERE device = ? AND message_id = ?
"""
"""Of a message, and behind it, of one of the same id that was removed."""
FORGET_PLACES = """
    DELETE FROM removed_message WHERE (device, message_id) IN (
        SELECT device, message_id FROM removed_message WHERE removed_at <= ? ORDER BY removed_at LIMIT ?
    )
"""

MESSAGE = f"SELECT {WHOLE} FROM message WHERE message_id = ? AND device = ?"
# The status is part of the text: SQLite uses a partial index only if it can see the condition when it compiles.
MESSAGES = {status: _list(f"device = ? AND status = '{status}'") for status in (Status.FAILED, Status.TIMEOUT)}
MESSAGES_PENDING = _list_pending()
MESSAGES_IN_BLOCK = {
    None: _list("seq >> 12 = ? AND device = ?"),
    Status.DELIVERED: _list("seq >> 12 = ? AND device = ? AND status = 'DELIVERED'"),
}
BLOCKS = """
    WITH RECURSIVE block (n) AS (SELECT ? UNION ALL SELECT n - 1 FROM block WHERE n > ?)
    SELECT n FROM block WHERE EXISTS (SELECT 1 FROM message WHERE seq >> 12 = n AND device = ?)
"""
PENDING = f"SELECT {WHOLE} FROM message WHERE {QUEUED} AND seq > ? ORDER BY seq LIMIT ?"
COUNT_PENDING = f"""
    SELECT count(*) FROM (
        SELECT 1 FROM message WHERE {QUEUED} UNION ALL SELECT 1 FROM message WHERE {HELD} LIMIT ?
    )
"""
DUE = """
    SELECT seq, device, expires_at FROM message
    WHERE status = 'PENDING' AND expires_at <= ? ORDER BY expires_at LIMIT ?
"""
NEXT_SCHEDULED = f"SELECT send_at FROM message WHERE {SCHEDULED} AND send_at > 0 ORDER BY send_at LIMIT 1"
TO_RELEASE = f"SELECT seq, device FROM message WHERE {SCHEDULED} AND send_at <= ? ORDER BY send_at LIMIT ?"
RELEASE = f"""
    UPDATE message SET held = NULL
    WHERE seq IN (SELECT seq FROM message WHERE {SCHEDULED} AND send_at <= ? ORDER BY send_at LIMIT ?)
"""
# Each looks at one block (see search.py), so it costs little whatever it finds; + keeps the status off its indexes.
SEARCH_DEVICE = f"""
    SELECT {WHOLE}, ? FROM message WHERE seq >> 12 = ? AND device = ? AND seq < ?
        AND created_at >= ? AND created_at <= ? AND +status = ifnull(?, status) ORDER BY seq DESC LIMIT ?
"""
SEARCH_PROJECT = f"""
    SELECT message.{WHOLE.replace(", ", ", message.")}, device.device_id
    FROM message CROSS JOIN device ON device.key = message.device AND device.project = ?
    WHERE seq >= ? AND seq < ? AND message.created_at >= ? AND message.created_at <= ?
        AND +status = ifnull(?, status) ORDER BY seq DESC LIMIT ?
"""
BOUNDS = "SELECT min(created_at), max(created_at) FROM message WHERE seq >= ? AND seq < ?"
FIRST_SEQ = "SELECT min(seq) FROM message"
LAST_SEQ = "SELECT max(seq) FROM message"

# Retention walks the primary key instead of an index on finished_at, which every message would pay for.
OLDEST = """
    SELECT max(seq), max(created_at)
    FROM (SELECT seq, created_at FROM message WHERE seq > ? ORDER BY seq LIMIT ?)
"""
PRUNE = "DELETE FROM message WHERE seq > ? AND seq <= ? AND status <> 'PENDING' AND finished_at < ?"

REMEMBER = """
    INSERT INTO idempotency_key (device, key, digest, seq, message_id, created_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (device, key) DO UPDATE SET digest = excluded.digest, seq = excluded.seq,
        message_id = excluded.message_id, created_at = excluded.created_at
"""
REMEMBERED = """
    SELECT digest, seq, message_id, created_at FROM idempotency_key WHERE device = ? AND key = ? AND created_at > ?
"""
FORGET = """
    DELETE FROM idempotency_key
    WHERE id IN (SELECT id FROM idempotency_key WHERE created_at <= ? ORDER BY created_at LIMIT ?)
"""

REMOVE_BLOCK = "DELETE FROM message WHERE seq >> 12 = ? AND device = ?"

DEVICE_COLUMNS = (
    "device.key, device.project, device.device_id, device.secret, device.frozen, device.created_at, "
    "device.secondary_secret, device.auth_type, device.fingerprint, device.secondary_fingerprint, "
    "device.secure_access, device.gateway_id, device.carrier"
)
PROFILE_COLUMNS = (
    "device.node_id, device.product_id, device.name, device.description, device.app_id, device.extension_info, "
    "device.tags, device.fw_version, device.sw_version, device.timeout"
)
LINE_COLUMNS = "line.online, line.changed_at, line.active_at"


def records(where: str) -> str:
    """Devices with what is known of the connection that carries their messages."""
    return f"""
        SELECT {DEVICE_COLUMNS}, {PROFILE_COLUMNS}, {LINE_COLUMNS}
        FROM device LEFT JOIN device AS line ON line.key = ifnull(device.carrier, device.key)
        WHERE {where}
    """


DEVICE = f"SELECT {DEVICE_COLUMNS} FROM device WHERE project = ? AND device_id = ?"
DEVICE_BY_KEY = f"SELECT {DEVICE_COLUMNS} FROM device WHERE key = ?"
DEVICES = f"SELECT {DEVICE_COLUMNS} FROM device WHERE key > ? ORDER BY key LIMIT ?"
DEVICES_OF_PROJECT = f"SELECT {DEVICE_COLUMNS} FROM device WHERE project = ? AND key > ? ORDER BY key LIMIT ?"
DEVICES_CALLED = f"SELECT {DEVICE_COLUMNS} FROM device WHERE device_id = ? ORDER BY key"
RECORD = records("device.project = ? AND device.device_id = ?")
RECORDS = records("device.project = ? AND device.key > ? ORDER BY device.key LIMIT ?")
SUB_DEVICE = "SELECT 1 FROM device WHERE project = ? AND gateway_id = ? LIMIT 1"
CARRIED_PENDING = f"""
    SELECT {DEVICE_COLUMNS} FROM device
    WHERE carrier = ? AND EXISTS (
        SELECT 1 FROM message WHERE message.device = device.key AND status = 'PENDING' AND held IS NULL
    )
"""
SIGHT = {count: _sight(count) for count in SIGHTED_AT_ONCE}
PRINCIPAL = "SELECT name, project, scopes FROM token WHERE hash = ?"
REVOKED_JWT = "SELECT 1 FROM revoked_jwt WHERE jti = ?"
ACCESS_KEY = "SELECT sk, name, project, scopes FROM access_key WHERE ak = ?"

CHANGES = "SELECT seq, kind, device, project, name FROM change WHERE seq > ? ORDER BY seq LIMIT ?"
LAST_CHANGE = "SELECT max(seq) FROM change"


CHANNEL = """
    INSERT INTO channel (project, name, last)
    VALUES (?, ?, (SELECT ifnull(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'channel') << 32)
    ON CONFLICT DO NOTHING
"""
CHANNEL = "SELECT key, last FROM channel WHERE project = ? AND name = ?"
CHANNEL_LAST = "SELECT last FROM channel WHERE key = ?"
MOVE_LAST = "UPDATE channel SET last = ?, size = size + ? WHERE key = ?"
CHANNEL_SIZE = "SELECT last, size FROM channel WHERE key = ?"
SHRINK_CHANNEL = "UPDATE channel SET size = size - ?, dropped = dropped + ? WHERE key = ?"
DROP_CHANNEL = """
    DELETE FROM channel WHERE key = ? AND NOT EXISTS (SELECT 1 FROM subscriber WHERE subscriber.channel = channel.key)
"""
SUBSCRIBE = "INSERT INTO subscriber (channel, name, position, seen) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
UNSUBSCRIBE = "DELETE FROM subscriber WHERE channel = ? AND name = ?"
SUBSCRIBER_POSITION = "SELECT position FROM subscriber WHERE channel = ? AND name = ?"
ACKNOWLEDGE = "UPDATE subscriber SET position = ?, seen = ? WHERE channel = ? AND name = ? AND position < ?"
SEEN = "UPDATE subscriber SET seen = ? WHERE channel = ? AND name = ?"
EVENTS = """
    SELECT position, at, message_id, content FROM event WHERE channel = ? AND position > ? AND at >= ?
    ORDER BY position LIMIT ?
"""
EVENT_KNOWN = "SELECT 1 FROM event WHERE channel = ? AND message_id = ?"
FIRST_EVENT = "SELECT position, at FROM event WHERE channel = ? ORDER BY position LIMIT 1"
OLDEST_EVENTS = """
    SELECT position, at, length(content) FROM event WHERE channel = ? AND position <= ? ORDER BY position LIMIT ?
"""
PRUNE_EVENTS = "DELETE FROM event WHERE channel = ? AND position <= ?"
EVENT = {count: f"INSERT INTO event ({EVENT_COLUMNS}) VALUES {_rows(count, 5)}" for count in SIZES}
SUBJECT = f"SELECT {SUBJECT_COLUMNS} FROM device WHERE key = ?"
TOLD = {count: _told(count) for count in SIZES}
UNCACHED = """
    SELECT message.seq, device.project FROM message JOIN device ON device.key = message.device
    WHERE message.ttl = 0 AND message.status = 'PENDING'
"""

PUSH_CONTENT = "SELECT content FROM push WHERE action = ? AND position = ?"
QUEUE_PUSH = (
    "INSERT INTO push (action, position, device, queued_at, content) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
END_PUSH = "DELETE FROM push WHERE action = ? AND position = ?"
POSTPONE_PUSH = "UPDATE push SET attempts = ?, due = ? WHERE action = ? AND position = ?"
FORGET_PUSHES = "DELETE FROM push WHERE rowid IN (SELECT rowid FROM push WHERE action = ? LIMIT ?)"
PUSH_RECORD = "SELECT dropped, error, failed_at FROM push_record WHERE action = ?"
KEEP_RECORD = "INSERT INTO push_record (action) VALUES (?) ON CONFLICT DO NOTHING"
COUNT_DROPPED = "UPDATE push_record SET dropped = dropped + ? WHERE action = ?"
NOTE_ERROR = "UPDATE push_record SET error = ?, failed_at = ? WHERE action = ?"
FORGET_RECORD = "DELETE FROM push_record WHERE action = ?"
DEAD_LETTERS = """
    SELECT key, action, position, device, attempts, failed_at, error, content FROM dead_letter
    WHERE action = ? AND key < ? ORDER BY key DESC LIMIT ? OFFSET ?
"""
COUNT_DEAD_LETTERS = "SELECT count(*) FROM dead_letter WHERE action = ?"
BURY_PUSH = """
    INSERT INTO dead_letter (action, position, device, attempts, failed_at, error, content)
    SELECT action, position, device, ?, ?, ?, content FROM push WHERE action = ? AND position = ?
"""
PRUNE_DEAD_LETTERS = """
    DELETE FROM dead_letter
    WHERE action = ? AND key <= (SELECT key FROM dead_letter WHERE action = ? ORDER BY key DESC LIMIT 1 OFFSET ?)
"""
OLDEST_DEAD_LETTERS = "SELECT key, position, device FROM dead_letter WHERE action = ? ORDER BY key LIMIT ?"
DEAD_LETTER = "SELECT key, position, device FROM dead_letter WHERE action = ? AND position = ?"
REPLAY_DEAD_LETTER = """
    INSERT INTO push (action, position, device, queued_at, content)
    SELECT action, position, device, ?, content FROM dead_letter WHERE key = ? ON CONFLICT DO NOTHING
"""
REMOVE_DEAD_LETTER = "DELETE FROM dead_letter WHERE key = ?"
FORGET_DEAD_LETTERS = "DELETE FROM dead_letter WHERE key IN (SELECT key FROM dead_letter WHERE action = ? LIMIT ?)"
