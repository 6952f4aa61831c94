"""The tables, as migrations: each runs once per file, in order, and is never edited after a release."""

from sqlite_utils import Database, Migrations

from bridge.store.clock_state import steady_time
from bridge.store.hearing_schema import untold, untold_newest
from bridge.store.milestone_schema import milestones
from bridge.store.removed_schema import removed_messages
from bridge.store.retained_schema import retained_messages
from bridge.store.session_schema import sessions

MIGRATIONS = Migrations("bridge")


@MIGRATIONS()
def devices(database: Database) -> None:
    # AUTOINCREMENT: the key of a removed device must never come to mean another one.
    database.executescript("""
        CREATE TABLE device (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            project TEXT NOT NULL,
            device_id TEXT NOT NULL,
            secret TEXT NOT NULL,
            frozen INTEGER NOT NULL DEFAULT 0,
            created_at INTEGER NOT NULL,
            UNIQUE (project, device_id)
        );
        CREATE INDEX device_by_project ON device (project);
        CREATE INDEX device_called ON device (device_id);
    """)


@MIGRATIONS()
def messages(database: Database) -> None:
    # content stands last: SQLite walks the overflow pages of a large one to reach any column behind it.
    # Message ids begin with the time, so in (message_id, device) the inserts of all devices share their pages;
    # bridge/store/blocks.py tells the same of message_by_block. The partial indexes stay small by themselves.
    # No ON DELETE CASCADE: no index begins with device, so it would scan the table (see Devices.remove_device).
    database.executescript("""
        CREATE TABLE message (
            seq INTEGER PRIMARY KEY,
            device INTEGER NOT NULL REFERENCES device (key),
            message_id TEXT NOT NULL,
            ttl INTEGER NOT NULL,
            name TEXT,
            encoding TEXT,
            payload_format TEXT,
            topic TEXT,
            correlation_data TEXT,
            response_topic TEXT,
            user_properties TEXT,
            created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            status TEXT NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED', 'TIMEOUT')),
            finished_at INTEGER,
            acknowledged_by TEXT,
            failure TEXT,
            detail TEXT,
            content TEXT NOT NULL
        );
        CREATE UNIQUE INDEX message_by_id ON message (message_id, device);
        CREATE INDEX message_by_block ON message (seq >> 12, device);
        CREATE INDEX message_pending ON message (device, seq) WHERE status = 'PENDING';
        CREATE INDEX message_due ON message (expires_at, device) WHERE status = 'PENDING';
        CREATE INDEX message_uncached ON message (ttl) WHERE ttl = 0 AND status = 'PENDING';
        CREATE INDEX message_missed ON message (device, seq) WHERE status = 'FAILED' OR status = 'TIMEOUT';
    """)


@MIGRATIONS()
def tokens(database: Database) -> None:
    # A UNIQUE over project alone would let two NULLs ("every project") through.
    database.executescript("""
        CREATE TABLE token (
            hash BLOB PRIMARY KEY,
            name TEXT NOT NULL,
            project TEXT,
            scopes TEXT NOT NULL,
            created_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX token_by_name ON token (name, ifnull(project, ''));
    """)


@MIGRATIONS()
def changes(database: Database) -> None:
    # AUTOINCREMENT: readers remember the last seq they saw, also when older rows are gone.
    database.executescript("""
        CREATE TABLE change (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            kind TEXT NOT NULL,
            device INTEGER,
            project TEXT,
            name TEXT NOT NULL
        );
        CREATE INDEX change_at ON change (at);
    """)


@MIGRATIONS()
def access_keys(database: Database) -> None:
    database.executescript("""
        CREATE TABLE access_key (
            ak TEXT PRIMARY KEY,
            sk TEXT NOT NULL,
            name TEXT NOT NULL,
            project TEXT,
            scopes TEXT NOT NULL,
            created_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX access_key_by_name ON access_key (name, ifnull(project, ''));
    """)


@MIGRATIONS()
def device_records(database: Database) -> None:
    # The partial indexes hold only devices behind a gateway, and only those that are connected.
    database.executescript("""
        ALTER TABLE device ADD COLUMN secondary_secret TEXT NOT NULL DEFAULT '';
        ALTER TABLE device ADD COLUMN auth_type TEXT NOT NULL DEFAULT 'SECRET'
            CHECK (auth_type IN ('SECRET', 'CERTIFICATES'));
        ALTER TABLE device ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
        ALTER TABLE device ADD COLUMN secondary_fingerprint TEXT NOT NULL DEFAULT '';
        ALTER TABLE device ADD COLUMN secure_access INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE device ADD COLUMN gateway_id TEXT;
        ALTER TABLE device ADD COLUMN carrier INTEGER;
        ALTER TABLE device ADD COLUMN online INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE device ADD COLUMN changed_at INTEGER;
        ALTER TABLE device ADD COLUMN active_at INTEGER;
        ALTER TABLE device ADD COLUMN node_id TEXT NOT NULL DEFAULT '';
        ALTER TABLE device ADD COLUMN product_id TEXT NOT NULL DEFAULT 'default';
        ALTER TABLE device ADD COLUMN name TEXT;
        ALTER TABLE device ADD COLUMN description TEXT;
        ALTER TABLE device ADD COLUMN app_id TEXT;
        ALTER TABLE device ADD COLUMN extension_info TEXT;
        ALTER TABLE device ADD COLUMN tags TEXT;
        ALTER TABLE device ADD COLUMN fw_version TEXT;
        ALTER TABLE device ADD COLUMN sw_version TEXT;
        ALTER TABLE device ADD COLUMN timeout INTEGER NOT NULL DEFAULT 0;
        UPDATE device SET node_id = device_id;
        CREATE INDEX device_behind ON device (project, gateway_id) WHERE gateway_id IS NOT NULL;
        CREATE INDEX device_carried ON device (carrier) WHERE carrier IS NOT NULL;
        CREATE INDEX device_online ON device (online) WHERE online = 1;
    """)


@MIGRATIONS()
def rules(database: Database) -> None:
    # AUTOINCREMENT: whoever pushes remembers how far by the key of an action.
    database.executescript("""
        CREATE TABLE rule (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            project TEXT NOT NULL,
            rule_id TEXT NOT NULL UNIQUE,
            resource TEXT NOT NULL,
            event TEXT NOT NULL,
            name TEXT,
            description TEXT,
            app_type TEXT NOT NULL,
            app_id TEXT,
            selected TEXT,
            active INTEGER NOT NULL DEFAULT 0,
            created_at INTEGER NOT NULL
        );
        CREATE INDEX rule_by_project ON rule (project);
        CREATE TABLE rule_action (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            rule INTEGER NOT NULL REFERENCES rule (key),
            action_id TEXT NOT NULL UNIQUE,
            channel TEXT NOT NULL,
            url TEXT NOT NULL,
            secrets TEXT NOT NULL,
            created_at INTEGER NOT NULL
        );
        CREATE INDEX rule_action_by_rule ON rule_action (rule);
    """)


@MIGRATIONS()
def channels(database: Database) -> None:
    # AUTOINCREMENT: a channel that is gone and comes back is another one, and its events have greater positions.
    # event has no foreign key: each of its inserts would look the channel up, which was just updated for it.
    database.executescript("""
        CREATE TABLE channel (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            project TEXT NOT NULL,
            name TEXT NOT NULL,
            last INTEGER NOT NULL,
            UNIQUE (project, name)
        );
        CREATE TABLE subscriber (
            channel INTEGER NOT NULL REFERENCES channel (key),
            name TEXT NOT NULL,
            position INTEGER NOT NULL,
            seen INTEGER NOT NULL,
            PRIMARY KEY (channel, name)
        ) WITHOUT ROWID;
        CREATE TABLE event (
            seq INTEGER PRIMARY KEY,
            channel INTEGER NOT NULL,
            position INTEGER NOT NULL,
            at INTEGER NOT NULL,
            message_id TEXT,
            content TEXT NOT NULL
        );
        CREATE UNIQUE INDEX event_by_position ON event (channel, position);
        CREATE UNIQUE INDEX event_by_id ON event (channel, message_id) WHERE message_id IS NOT NULL;
    """)


@MIGRATIONS()
def scheduled_messages(database: Database) -> None:
    # send_at stays for the record, held ends when that moment has come: so a device's queue holds what may be sent, in
    # order, and does not pay for what waits. Behind content, but NULL and 1 are in the header of a row.
    database.executescript("""
        ALTER TABLE message ADD COLUMN send_at INTEGER;
        ALTER TABLE message ADD COLUMN held INTEGER CHECK (held = 1);
        DROP INDEX message_pending;
        CREATE INDEX message_pending ON message (device, seq) WHERE status = 'PENDING' AND held IS NULL;
        CREATE INDEX message_held ON message (device, seq) WHERE held = 1 AND status = 'PENDING';
        CREATE INDEX message_scheduled ON message (send_at, device) WHERE held = 1 AND status = 'PENDING';
    """)


@MIGRATIONS()
def idempotency_keys(database: Database) -> None:
    # No reference to the message: the key outlives it.
    database.executescript("""
        CREATE TABLE idempotency_key (
            id INTEGER PRIMARY KEY,
            device INTEGER NOT NULL,
            key TEXT NOT NULL,
            digest BLOB NOT NULL,
            seq INTEGER NOT NULL,
            message_id TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            UNIQUE (device, key)
        );
        CREATE INDEX idempotency_key_by_age ON idempotency_key (created_at);
    """)


@MIGRATIONS()
def batch_tasks(database: Database) -> None:
    # A task that is 'Removed' is deleted in pieces. The trigger keeps a target from waiting for the end of a message
    # that is gone, whoever deleted it; one that had ended just before counts as it ended.
    database.executescript("""
        CREATE TABLE batch_task (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            project TEXT NOT NULL,
            name TEXT NOT NULL,
            app_id TEXT,
            status TEXT NOT NULL DEFAULT 'Initializing',
            created_at INTEGER NOT NULL,
            starts_at INTEGER,
            retry_count INTEGER NOT NULL,
            retry_interval INTEGER NOT NULL,
            finished_at INTEGER,
            ttl INTEGER NOT NULL,
            message_id TEXT,
            message_name TEXT,
            encoding TEXT,
            payload_format TEXT,
            topic TEXT,
            suffix TEXT,
            correlation_data TEXT,
            response_topic TEXT,
            user_properties TEXT,
            content TEXT NOT NULL
        );
        CREATE INDEX batch_task_of_project ON batch_task (project);
        CREATE INDEX batch_task_open ON batch_task (project) WHERE finished_at IS NULL;
        CREATE INDEX batch_task_finished ON batch_task (finished_at);
        CREATE TABLE batch_target (
            task INTEGER NOT NULL REFERENCES batch_task (key),
            number INTEGER NOT NULL,
            device_id TEXT NOT NULL,
            status TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            retries INTEGER NOT NULL,
            stopping INTEGER NOT NULL DEFAULT 0,
            seq INTEGER,
            retry_at INTEGER,
            reason TEXT,
            detail TEXT,
            PRIMARY KEY (task, number)
        ) WITHOUT ROWID;
        CREATE INDEX batch_target_by_status ON batch_target (task, status);
        CREATE INDEX batch_target_called ON batch_target (task, device_id);
        CREATE INDEX batch_target_sent ON batch_target (seq) WHERE status = 'Processing';
        CREATE INDEX batch_target_to_retry ON batch_target (task, retry_at) WHERE status = 'FailWaitRetry';
        CREATE TRIGGER batch_target_bereft AFTER DELETE ON message BEGIN
            UPDATE batch_target SET
                status = CASE
                    WHEN OLD.status = 'DELIVERED' THEN 'Success'
                    WHEN OLD.status = 'PENDING' AND stopping THEN 'Stopped'
                    ELSE 'Fail'
                END,
                reason = CASE
                    WHEN OLD.status = 'DELIVERED' OR OLD.status = 'PENDING' AND stopping THEN NULL
                    WHEN OLD.status = 'TIMEOUT' THEN 'timeout'
                    ELSE ifnull(OLD.failure, 'removed')
                END
            WHERE seq = OLD.seq AND status = 'Processing';
        END;
    """)


@MIGRATIONS()
def revoked_jwts(database: Database) -> None:
    database.executescript("""
        CREATE TABLE revoked_jwt (jti TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX revoked_jwt_until ON revoked_jwt (until);
    """)


@MIGRATIONS()
def notifications(database: Database) -> None:
    # bridge/store/series.py says what the numbers are for. key is the inbox and, in its lower 40 bits, the number in
    # it: a project is a range of keys, so neither that nor the time needs an index. text stands last, see messages.
    database.executescript("""
        CREATE TABLE inbox (
            key INTEGER PRIMARY KEY,
            project TEXT NOT NULL UNIQUE,
            first INTEGER NOT NULL DEFAULT 1,
            last INTEGER NOT NULL DEFAULT 0,
            cleared INTEGER NOT NULL DEFAULT 0,
            latest_at INTEGER NOT NULL DEFAULT 0
        );
        CREATE TABLE notification (
            key INTEGER PRIMARY KEY,
            inbox INTEGER NOT NULL,
            at INTEGER NOT NULL,
            importance INTEGER NOT NULL,
            importance_number INTEGER NOT NULL,
            about_number INTEGER NOT NULL,
            read INTEGER NOT NULL DEFAULT 0,
            confirmed_at INTEGER,
            confirmed_by TEXT,
            process_at INTEGER,
            processed_at INTEGER,
            about TEXT NOT NULL,
            message_id TEXT,
            text TEXT NOT NULL
        );
        CREATE UNIQUE INDEX notification_about ON notification (inbox, about, about_number);
        CREATE UNIQUE INDEX notification_importance ON notification (inbox, importance, importance_number);
        CREATE INDEX notification_read ON notification (inbox, read);
        CREATE INDEX notification_message ON notification (inbox, message_id) WHERE message_id IS NOT NULL;
        CREATE INDEX notification_due ON notification (process_at)
            WHERE process_at IS NOT NULL AND processed_at IS NULL;
    """)


@MIGRATIONS()
def webhooks(database: Database) -> None:
    # No foreign keys: an action is removed at once, what is kept of it in small parts afterwards.
    database.executescript("""
        CREATE TABLE push (
            action INTEGER NOT NULL,
            position INTEGER NOT NULL,
            device TEXT NOT NULL,
            queued_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            due INTEGER NOT NULL DEFAULT 0,
            content TEXT NOT NULL
        );
        CREATE UNIQUE INDEX push_by_position ON push (action, position);
        CREATE TABLE dead_letter (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            action INTEGER NOT NULL,
            position INTEGER NOT NULL,
            device TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            failed_at INTEGER NOT NULL,
            error TEXT NOT NULL,
            content TEXT NOT NULL
        );
        CREATE INDEX dead_letter_by_action ON dead_letter (action, key);
        CREATE UNIQUE INDEX dead_letter_by_position ON dead_letter (action, position);
        CREATE TABLE push_record (
            action INTEGER PRIMARY KEY,
            dropped INTEGER NOT NULL DEFAULT 0,
            error TEXT,
            failed_at INTEGER
        );
    """)


@MIGRATIONS()
def channel_sizes(database: Database) -> None:
    database.executescript("""
        ALTER TABLE channel ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE channel ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
        UPDATE channel SET size = (SELECT ifnull(sum(length(content)), 0) FROM event WHERE channel = channel.key);
    """)


MIGRATIONS()(retained_messages)
MIGRATIONS()(untold)

NAMES = {
    devices.__name__,
    messages.__name__,
    tokens.__name__,
    changes.__name__,
    access_keys.__name__,
    device_records.__name__,
    rules.__name__,
    channels.__name__,
    scheduled_messages.__name__,
    idempotency_keys.__name__,
    batch_tasks.__name__,
    revoked_jwts.__name__,
    notifications.__name__,
    webhooks.__name__,
    channel_sizes.__name__,
    retained_messages.__name__,
    untold.__name__,
}
"""Every migration this version knows."""

MIGRATIONS()(sessions)
NAMES.add(sessions.__name__)

MIGRATIONS()(milestones)
NAMES.add(milestones.__name__)
MIGRATIONS()(removed_messages)
NAMES.add(removed_messages.__name__)
MIGRATIONS()(steady_time)
NAMES.add(steady_time.__name__)
MIGRATIONS()(untold_newest)
NAMES.add(untold_newest.__name__)
