"""Every statement about batch tasks that the daemon runs beside its hot path, held to the rules of `statements`.

A list of values comes as one parameter, a JSON array: the writer's thread has to win the interpreter back after every
step of a statement, so a thousand rows in one step hold up the messages around them the least.
"""

# ruff: noqa: S608 - the texts are put together from constants of this file, and values are always parameters

from bridge.store.statements import MOST_ROWS

CLAIM_WIDTH = 3
DOCUMENT_COLUMNS = (
    "ttl, message_id, message_name, encoding, payload_format, topic, suffix, correlation_data, response_topic, "
    "user_properties, content"
)
TASK_COLUMNS = "key, project, name, app_id, status, created_at, starts_at, retry_count, retry_interval"
SHOWN = "status NOT IN ('Initializing', 'Removed')"


def _claim(count: int) -> str:
    values = ", ".join([f"({', '.join('?' * CLAIM_WIDTH)})"] * count)
    return f"""
        UPDATE batch_target SET status = 'Processing', attempts = attempts + 1, seq = v.column3, reason = NULL,
            detail = NULL, retry_at = NULL
        FROM (VALUES {values}) AS v
        WHERE batch_target.task = v.column1 AND batch_target.number = v.column2 AND batch_target.status = 'Waitting'
    """


# Claims are merged like the messages they come with, see `writer`.
CLAIM = {count: _claim(count) for count in range(1, MOST_ROWS + 1)}

ADD_TASK = f"""
    INSERT INTO batch_task (project, name, app_id, created_at, starts_at, retry_count, retry_interval,
        {DOCUMENT_COLUMNS})
    VALUES ({", ".join("?" * 18)})
"""
COUNT_OPEN = "SELECT count(*) FROM batch_task WHERE project = ? AND finished_at IS NULL"
ADD_TARGETS = """
    INSERT INTO batch_target (task, number, device_id, status, retries)
    SELECT ?, ? + given.key, given.value, 'Waitting', ? FROM json_each(?) AS given
"""
REPEATED = """
    UPDATE batch_target SET status = 'Fail', reason = 'repeated'
    WHERE task = ? AND number IN (SELECT value FROM json_each(?))
"""
SET_STATUS = """
    UPDATE batch_task SET status = ?, finished_at = ?
    WHERE key = ? AND status IN (SELECT value FROM json_each(?))
"""

OPEN = """
    SELECT key, project, status, ifnull(starts_at, 0) FROM batch_task INDEXED BY batch_task_finished
    WHERE finished_at IS NULL AND status IN ('Waitting', 'Processing', 'Stopping')
"""
TASK = f"SELECT {TASK_COLUMNS}, {DOCUMENT_COLUMNS} FROM batch_task WHERE key = ? AND project = ? AND {SHOWN}"
DOCUMENT = f"SELECT {DOCUMENT_COLUMNS} FROM batch_task WHERE key = ?"
PROGRESS = "SELECT status, count(*) FROM batch_target WHERE task = ? GROUP BY status"
NAMED = "SELECT device_id FROM batch_target WHERE task = ? ORDER BY number LIMIT ?"

WAITING = """
    SELECT number, device_id, attempts, seq FROM batch_target INDEXED BY batch_target_by_status
    WHERE task = ? AND status = 'Waitting' ORDER BY number LIMIT ?
"""
PROCESSING = """
    SELECT number, device_id, attempts, seq FROM batch_target INDEXED BY batch_target_by_status
    WHERE task = ? AND status = 'Processing' AND number > ? ORDER BY number LIMIT ?
"""
UNFINISHED = """
    SELECT 1 FROM batch_target WHERE task = ? AND status IN ('Waitting', 'Processing', 'FailWaitRetry') LIMIT 1
"""
TO_RETRY = "SELECT 1 FROM batch_target WHERE task = ? AND status = 'FailWaitRetry' AND retry_at <= ? LIMIT 1"
RETRY_DUE = """
    UPDATE batch_target SET status = 'Waitting', retry_at = NULL
    WHERE task = ? AND number IN (
        SELECT number FROM batch_target WHERE task = ? AND status = 'FailWaitRetry' AND retry_at <= ? LIMIT ?
    )
"""

# The order of the joins is given: from the few that have ended to their targets.
SETTLE = """
    WITH ended AS MATERIALIZED (
        SELECT target.task, target.number, message.status, message.failure, message.detail
        FROM json_each(?) AS seqs
        CROSS JOIN batch_target AS target INDEXED BY batch_target_sent
        CROSS JOIN message
        WHERE target.seq = seqs.value AND target.status = 'Processing'
            AND message.seq = target.seq AND message.status <> 'PENDING'
    )
    UPDATE batch_target SET
        status = CASE
            WHEN ended.status = 'DELIVERED' THEN 'Success'
            WHEN retries AND NOT stopping THEN 'FailWaitRetry'
            ELSE 'Fail'
        END,
        retries = max(retries - (ended.status <> 'DELIVERED'), 0),
        retry_at = ?
            + (SELECT retry_interval FROM batch_task WHERE key = batch_target.task) * 60000,
        reason = CASE ended.status WHEN 'TIMEOUT' THEN 'timeout' ELSE ended.failure END,
        detail = ended.detail
    FROM ended
    WHERE batch_target.task = ended.task AND batch_target.number = ended.number
"""
REFUSE = """
    UPDATE batch_target SET
        status = CASE WHEN retries THEN 'FailWaitRetry' ELSE 'Fail' END, retries = max(retries - 1, 0),
        retry_at = ? + (SELECT retry_interval FROM batch_task WHERE key = batch_target.task) * 60000,
        reason = refused.reason, detail = NULL
    FROM (
        SELECT json_extract(value, '$[0]') AS task, json_extract(value, '$[1]') AS number,
            json_extract(value, '$[2]') AS reason
        FROM json_each(?)
    ) AS refused
    WHERE batch_target.task = refused.task AND batch_target.number = refused.number
        AND batch_target.status = 'Waitting'
"""
MARK_STOPPING = """
    UPDATE batch_target SET stopping = 1
    WHERE task = ? AND status = 'Processing' AND number IN (SELECT value FROM json_each(?))
"""
STOP_WAITING = """
    UPDATE batch_target SET status = 'Stopped', retry_at = NULL
    WHERE task = ? AND number IN (
        SELECT number FROM batch_target WHERE task = ? AND status IN ('Waitting', 'FailWaitRetry') LIMIT ?
    )
"""
STOP_THESE = """
    UPDATE batch_target SET status = 'Stopped', retry_at = NULL
    WHERE task = ? AND number IN (SELECT value FROM json_each(?)) AND status IN ('Waitting', 'FailWaitRetry')
"""
AGAIN = """
    status = 'Waitting', retry_at = NULL, stopping = 0, reason = NULL, detail = NULL,
    retries = (SELECT retry_count FROM batch_task WHERE key = batch_target.task)
"""
MAY_RETRY = "status IN ('Fail', 'FailWaitRetry', 'Stopped') AND ifnull(reason, '') <> 'repeated'"
RETRY_ALL = f"""
    UPDATE batch_target SET {AGAIN}
    WHERE task = ? AND number IN (
        SELECT number FROM batch_target INDEXED BY batch_target_by_status WHERE task = ? AND {MAY_RETRY} LIMIT ?
    )
"""
RETRY_THESE = f"""
    UPDATE batch_target SET {AGAIN}
    WHERE task = ? AND number IN (SELECT value FROM json_each(?)) AND {MAY_RETRY}
"""
CALLED = """
    SELECT number, device_id, status, attempts, reason, detail FROM batch_target INDEXED BY batch_target_called
    WHERE task = ? AND device_id = ? ORDER BY number
"""

# What is to be removed has finished_at 0: the first in the index of those that have ended.
REMOVE_TASK = """
    UPDATE batch_task SET status = 'Removed', finished_at = 0
    WHERE key = ? AND project = ? AND finished_at > 0 AND status <> 'Removed'
"""
REMOVE_OLD = """
    UPDATE batch_task SET status = 'Removed', finished_at = 0
    WHERE finished_at > 0 AND finished_at < ? AND status <> 'Removed'
"""
REMOVE_UNFINISHED = """
    UPDATE batch_task INDEXED BY batch_task_finished SET status = 'Removed', finished_at = 0
    WHERE finished_at IS NULL AND status = 'Initializing'
"""
REMOVED = "SELECT key FROM batch_task WHERE finished_at = 0 LIMIT 1"
PURGE_TARGETS = """
    DELETE FROM batch_target
    WHERE task = ? AND number IN (SELECT number FROM batch_target WHERE task = ? ORDER BY number LIMIT ?)
"""
PURGE_TASK = "DELETE FROM batch_task WHERE key = ?"
