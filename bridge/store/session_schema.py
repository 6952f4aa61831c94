"""The tables of MQTT sessions that outlive their connections."""

from sqlite_utils import Database


def sessions(database: Database) -> None:
    # The broker knows all sessions and asks for what belongs to one of them by its key, so no name needs an index. Two
    # sessions of one name are there for a moment when one replaces the other; the greater key counts.
    # Several sessions are owed the same message: it goes with the last of them, whoever removes that.
    # Places are numbered per session, so copies stand in the order in which they are sent. content stands last in
    # session_message, see messages.
    database.executescript("""
        CREATE TABLE session (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            project TEXT NOT NULL,
            client_id TEXT NOT NULL,
            device INTEGER,
            unrestricted INTEGER NOT NULL,
            expiry INTEGER NOT NULL,
            left_at INTEGER,
            will_delay INTEGER NOT NULL,
            will BLOB
        );
        CREATE TABLE session_subscription (
            session INTEGER NOT NULL,
            filter TEXT NOT NULL,
            options INTEGER NOT NULL,
            identifier INTEGER NOT NULL,
            PRIMARY KEY (session, filter)
        ) WITHOUT ROWID;
        CREATE TABLE session_message (
            key INTEGER PRIMARY KEY,
            expires_at INTEGER NOT NULL,
            packet BLOB NOT NULL
        );
        CREATE TABLE session_copy (
            session INTEGER NOT NULL,
            place INTEGER NOT NULL,
            message INTEGER NOT NULL,
            size INTEGER NOT NULL,
            packet_id INTEGER NOT NULL,
            released INTEGER NOT NULL,
            share TEXT NOT NULL,
            PRIMARY KEY (session, place)
        ) WITHOUT ROWID;
        CREATE INDEX session_copy_of ON session_copy (message);
        CREATE TRIGGER session_message_settled AFTER DELETE ON session_copy BEGIN
            DELETE FROM session_message
            WHERE key = OLD.message AND NOT EXISTS (SELECT 1 FROM session_copy WHERE message = OLD.message);
        END;
        CREATE TABLE session_received (
            session INTEGER NOT NULL,
            packet_id INTEGER NOT NULL,
            PRIMARY KEY (session, packet_id)
        ) WITHOUT ROWID;
        CREATE TABLE session_downlink (
            session INTEGER NOT NULL,
            packet_id INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            qos INTEGER NOT NULL,
            PRIMARY KEY (session, packet_id)
        ) WITHOUT ROWID;
    """)
