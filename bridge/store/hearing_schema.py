"""What is still to be told, as migrations."""

from sqlite_utils import Database


def untold(database: Database) -> None:
    # Both are short and mostly empty. AUTOINCREMENT: what a gateway did first is told first.
    # orphan has the columns of the device, because the device is gone when it is told.
    database.executescript("""
        CREATE TABLE untold_riders (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            carrier INTEGER NOT NULL,
            online INTEGER NOT NULL,
            at INTEGER NOT NULL,
            last_online INTEGER,
            after INTEGER NOT NULL DEFAULT 0
        );
        CREATE TABLE orphan (
            seq INTEGER PRIMARY KEY,
            project TEXT NOT NULL,
            at INTEGER NOT NULL,
            message_id TEXT NOT NULL,
            name TEXT,
            topic TEXT,
            device_id TEXT NOT NULL,
            node_id TEXT NOT NULL,
            product_id TEXT NOT NULL,
            gateway_id TEXT,
            app_id TEXT,
            tags TEXT
        );
    """)


def untold_newest(database: Database) -> None:
    # Whoever is enrolled behind a gateway later is not told of. The key says so, whatever the clock was set to.
    database.execute(f"ALTER TABLE untold_riders ADD COLUMN newest INTEGER NOT NULL DEFAULT {2**63 - 1}")
