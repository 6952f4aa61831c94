"""Every statement about MQTT sessions, held to the rules of `statements`.

Rows of numbers and texts come as one parameter, a JSON array of arrays, see `batch_statements`. Rows with bytes come as
values.
"""

# ruff: noqa: S608 - the texts are put together from constants of this file, and values are always parameters

from bridge.store.statements import SIZES

SESSION_COLUMNS = "key, project, client_id, device, unrestricted, expiry, left_at, will_delay, will"
SESSION_WIDTH = 9
MESSAGE_WIDTH = 3
COPY_COLUMNS = "session, place, message, size, packet_id, released, share"
OWED = """
    session, place, message, size, packet_id, released, share, expires_at, packet
    FROM session_copy JOIN session_message ON session_message.key = session_copy.message
"""


def _values(count: int, width: int) -> str:
    return ", ".join([f"({', '.join('?' * width)})"] * count)


def _items(width: int) -> str:
    return ", ".join(f"json_extract(value, '$[{index}]') AS column{index + 1}" for index in range(width))


KEEP_SESSIONS = {
    count: f"INSERT OR REPLACE INTO session ({SESSION_COLUMNS}) VALUES {_values(count, SESSION_WIDTH)}"
    for count in SIZES
}
KEEP_SESSION_MESSAGES = {
    count: f"INSERT OR REPLACE INTO session_message (key, expires_at, packet) VALUES {_values(count, MESSAGE_WIDTH)}"
    for count in SIZES
}
SUBSCRIBE_SESSIONS = f"""
    INSERT OR REPLACE INTO session_subscription (session, filter, options, identifier)
    SELECT {_items(4)} FROM json_each(?)
"""
KEEP_COPIES = f"INSERT OR REPLACE INTO session_copy ({COPY_COLUMNS}) SELECT {_items(7)} FROM json_each(?)"
KEEP_RECEIVED = f"INSERT OR REPLACE INTO session_received (session, packet_id) SELECT {_items(2)} FROM json_each(?)"
KEEP_DOWNLINKS = f"""
    INSERT OR REPLACE INTO session_downlink (session, packet_id, seq, qos) SELECT {_items(4)} FROM json_each(?)
"""

MOVE_COPIES = f"""
    UPDATE session_copy SET packet_id = moved.column3, released = moved.column4
    FROM (SELECT {_items(4)} FROM json_each(?)) AS moved
    WHERE session_copy.session = moved.column1 AND session_copy.place = moved.column2
"""
SETTLE_COPIES = f"DELETE FROM session_copy WHERE (session, place) IN (SELECT {_items(2)} FROM json_each(?))"
UNSUBSCRIBE_SESSIONS = f"""
    DELETE FROM session_subscription WHERE (session, filter) IN (SELECT {_items(2)} FROM json_each(?))
"""
FORGET_RECEIVED = f"DELETE FROM session_received WHERE (session, packet_id) IN (SELECT {_items(2)} FROM json_each(?))"
RELEASE_DOWNLINKS = f"""
    UPDATE session_downlink SET seq = -seq
    WHERE seq > 0 AND (session, packet_id) IN (SELECT {_items(2)} FROM json_each(?))
"""
# As long as the end of a message is not stored, that its device has it is known from here alone.
FORGET_DOWNLINKS = f"""
    DELETE FROM session_downlink WHERE (session, packet_id) IN (SELECT {_items(2)} FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM message WHERE message.seq = -session_downlink.seq AND status = 'PENDING')
"""
END_SESSIONS = {
    table: f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))"
    for table, column in (
        ("session_copy", "session"),
        ("session_subscription", "session"),
        ("session_received", "session"),
        ("session_downlink", "session"),
        ("session", "key"),
    )
}

# For the start, in pages. A device that was removed without the daemon has left its sessions behind.
SESSIONS = """
    SELECT session.key, session.project, session.client_id, session.device, unrestricted, expiry, left_at, will_delay,
        will, session.device IS NOT NULL AND device.key IS NULL
    FROM session LEFT JOIN device ON device.key = session.device
    WHERE session.key > ? ORDER BY session.key LIMIT ?
"""
SUBSCRIPTIONS = """
    SELECT session, filter, options, identifier FROM session_subscription WHERE session >= ? AND session <= ?
"""
LAST_SESSION = "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'session'"
LAST_MESSAGE = "SELECT ifnull(max(key), 0) FROM session_message"

SENT_COPIES = f"SELECT {OWED} WHERE session = ? AND packet_id > 0 ORDER BY place"
WAITING_COPIES = (
    f"SELECT {OWED} WHERE session = ? AND place > ? AND packet_id = 0 AND share = '' ORDER BY place LIMIT ?"
)
SHARED_COPIES = f"SELECT {OWED} WHERE session = ? AND packet_id = 0 AND share <> '' ORDER BY place"
BACKLOG = """
    SELECT ifnull(sum(packet_id = 0), 0), ifnull(sum(size) FILTER (WHERE packet_id = 0), 0), ifnull(max(place), 0)
    FROM session_copy WHERE session = ?
"""
RECEIVED = "SELECT packet_id FROM session_received WHERE session = ?"
DOWNLINKS = "SELECT session, packet_id, seq, qos FROM session_downlink WHERE session = ?"
