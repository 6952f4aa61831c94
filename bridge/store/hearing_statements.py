"""The statements about devices that come and go, and about messages that go with them. A test holds them to plans
without scans, as those of `statements`."""

# ruff: noqa: S608 - the texts are put together from constants, and values are always parameters

from bridge.store.statements import SIZES, SUBJECT_COLUMNS, TOLD_TOPIC

LINES = {
    count: f"""
        SELECT device.key, device.project, device.online, device.changed_at,
            EXISTS (SELECT 1 FROM device AS rider WHERE rider.carrier = device.key), {SUBJECT_COLUMNS}
        FROM device WHERE device.key IN ({", ".join("?" * count)})
    """
    for count in SIZES
}
"""What is written about the connections of devices, by key."""
STILL_ONLINE = "SELECT key FROM device WHERE online = 1 LIMIT ?"

OWE_RIDERS = """
    INSERT INTO untold_riders (carrier, online, at, last_online, newest)
    VALUES (?, ?, ?, ?, (SELECT max(key) FROM device))
"""
OWED_RIDERS = """
    SELECT seq, carrier, online, at, last_online, after, newest FROM untold_riders
    WHERE seq = (SELECT min(seq) FROM untold_riders)
"""
RIDERS = f"""
    SELECT device.key, device.project, device.created_at, {SUBJECT_COLUMNS} FROM device
    WHERE carrier = ? AND key > ? AND key <= ? ORDER BY key LIMIT ?
"""
RIDERS_TOLD = "UPDATE untold_riders SET after = ? WHERE seq = ?"
ALL_RIDERS_TOLD = "DELETE FROM untold_riders WHERE seq = ?"

ORPHAN_BLOCK = f"""
    INSERT INTO orphan (seq, project, at, message_id, name, topic, device_id, node_id, product_id, gateway_id, app_id,
        tags)
    SELECT 1 + ifnull((SELECT max(seq) FROM orphan), 0) + row_number() OVER (ORDER BY message.seq), device.project, ?,
        message.message_id, message.name, {TOLD_TOPIC}, {SUBJECT_COLUMNS}
    FROM message JOIN device ON device.key = message.device
    WHERE seq >> 12 = ? AND message.device = ? AND +message.status = 'PENDING'
"""
ORPHANS = f"""
    SELECT seq, project, at, message_id, name, topic, {SUBJECT_COLUMNS.replace("device.", "")} FROM orphan
    WHERE seq > 0 ORDER BY seq LIMIT ?
"""
ORPHANS_TOLD = "DELETE FROM orphan WHERE seq <= ?"
