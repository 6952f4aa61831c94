"""The statements about notifications. A test holds them to plans without scans, as those of `statements`."""

# ruff: noqa: S608 - the texts are put together from constants of this file, and values are always parameters

WHOLE = "key, at, importance, about, text, message_id, read, confirmed_at, confirmed_by, process_at, processed_at"
OF_PROJECT = ", ".join(f"notification.{column}" for column in WHOLE.split(", "))
OPEN = "process_at IS NOT NULL AND processed_at IS NULL"
"""Confirmed, and waiting for its time."""

INBOX = "SELECT key, first, last, cleared, latest_at FROM inbox WHERE project = ?"
OPEN_INBOX = "INSERT INTO inbox (project) VALUES (?)"
ADVANCE = "UPDATE inbox SET last = ?, latest_at = ? WHERE key = ?"
CLEAR = "UPDATE inbox SET cleared = last WHERE project = ?"

ENTER = """
    INSERT INTO notification (key, inbox, at, importance, about, text, message_id, importance_number, about_number)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
        1 + ifnull((SELECT max(importance_number) FROM notification WHERE inbox = ?2 AND importance = ?4), 0),
        1 + ifnull((SELECT max(about_number) FROM notification WHERE inbox = ?2 AND about = ?5), 0))
"""
NOTIFICATION = f"SELECT {WHOLE} FROM notification WHERE key = ?"
AT = "SELECT at FROM notification WHERE key = ?"

# The three kinds of series. Of each: its first number, passing over stragglers, its last, the key of a number, a range.
SERIES = f"SELECT {WHOLE} FROM notification WHERE key BETWEEN ? AND ? ORDER BY key DESC"
ABOUT_FIRST = """
    SELECT about_number FROM notification WHERE inbox = ? AND about = ? AND key >= ? ORDER BY about_number LIMIT 1
"""
ABOUT_LAST = "SELECT max(about_number) FROM notification WHERE inbox = ? AND about = ?"
ABOUT_KEY = "SELECT key FROM notification WHERE inbox = ? AND about = ? AND about_number = ?"
ABOUT = f"""
    SELECT {WHOLE} FROM notification
    WHERE inbox = ? AND about = ? AND about_number BETWEEN ? AND ? ORDER BY about_number DESC
"""
IMPORTANCE_FIRST = """
    SELECT importance_number FROM notification
    WHERE inbox = ? AND importance = ? AND key >= ? ORDER BY importance_number LIMIT 1
"""
IMPORTANCE_LAST = "SELECT max(importance_number) FROM notification WHERE inbox = ? AND importance = ?"
IMPORTANCE_KEY = "SELECT key FROM notification WHERE inbox = ? AND importance = ? AND importance_number = ?"
IMPORTANCE = f"""
    SELECT {WHOLE} FROM notification
    WHERE inbox = ? AND importance = ? AND importance_number BETWEEN ? AND ? ORDER BY importance_number DESC
"""

READ = f"""
    SELECT {WHOLE} FROM notification
    WHERE inbox = ? AND read = ? AND key BETWEEN ? AND ? ORDER BY key DESC LIMIT ? OFFSET ?
"""
COUNT_READ = "SELECT count(*) FROM notification WHERE inbox = ? AND read = 1 AND key BETWEEN ? AND ?"
OLDEST_READ = "SELECT min(key) FROM notification WHERE inbox = ? AND read = ? AND key BETWEEN ? AND ?"
NEWEST_READ = "SELECT max(key) FROM notification WHERE inbox = ? AND read = ? AND key BETWEEN ? AND ?"

MARK = "UPDATE notification SET read = ? WHERE key = ?"
CONFIRM = """
    UPDATE notification SET confirmed_at = ?, confirmed_by = ?, process_at = ?, processed_at = ?, read = read OR ?
    WHERE key = ? AND processed_at IS NULL
"""
OF_MESSAGE = "SELECT key, processed_at FROM notification WHERE inbox = ? AND message_id = ?"
ENDED = """
    SELECT device.project, device.device_id, message.message_id
    FROM message JOIN device ON device.key = message.device WHERE message.seq = ?
"""
NEXT_DUE = f"SELECT min(process_at) FROM notification WHERE {OPEN}"
DUE = f"""
    SELECT inbox.project, {OF_PROJECT} FROM notification JOIN inbox ON inbox.key = notification.inbox
    WHERE {OPEN} AND process_at <= ? ORDER BY process_at LIMIT ?
"""
PROCESS = "UPDATE notification SET processed_at = ?, read = 1 WHERE key = ? AND processed_at IS NULL"

INBOXES = "SELECT key, first, last FROM inbox"
LAST_OLD = """
    SELECT max(key) FROM (SELECT key, at FROM notification WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?) WHERE at < ?
"""
PRUNE = f"DELETE FROM notification WHERE key BETWEEN ? AND ? AND NOT ({OPEN})"
BEGIN_AT = "UPDATE inbox SET first = ? WHERE key = ?"
