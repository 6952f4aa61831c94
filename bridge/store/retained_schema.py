"""The table of retained messages."""

from sqlite_utils import Database


def retained_messages(database: Database) -> None:
    # With a rowid, because payloads are large: without one they would stand in the inner pages of the primary key.
    # payload stands last, see messages. Only what expires costs an entry in the index on expires_at.
    database.executescript("""
        CREATE TABLE retained (
            key INTEGER PRIMARY KEY,
            project TEXT NOT NULL,
            topic TEXT NOT NULL,
            qos INTEGER NOT NULL,
            sender TEXT NOT NULL,
            expires_at INTEGER,
            payload_format INTEGER,
            content_type TEXT,
            response_topic TEXT,
            correlation_data BLOB,
            user_properties TEXT,
            payload BLOB NOT NULL,
            UNIQUE (project, topic)
        );
        CREATE INDEX retained_due ON retained (expires_at) WHERE expires_at IS NOT NULL;
    """)
