"""Where removed messages stood in their lists, as a migration."""

from sqlite_utils import Database


def removed_messages(database: Database) -> None:
    # Who pages by message ids may hold the id of one that is gone meanwhile.
    database.executescript("""
        CREATE TABLE removed_message (
            device INTEGER NOT NULL,
            message_id TEXT NOT NULL,
            seq INTEGER NOT NULL,
            removed_at INTEGER NOT NULL,
            PRIMARY KEY (device, message_id)
        ) WITHOUT ROWID;
        CREATE INDEX removed_message_by_age ON removed_message (removed_at);
    """)
