import re
import sqlite3
from collections.abc import Iterator
from itertools import chain

import pytest

from bridge.store import batch_statements, hearing_statements, retained, session_statements, statements
from bridge.store.connection import open_connection
from tests.store.template import prepared


def texts() -> dict[str, str]:
    """Every statement of the module: a new one is held to these rules by being there."""
    found = {}
    modules = (statements, batch_statements, hearing_statements, retained, session_statements)
    for name, value in chain.from_iterable(vars(module).items() for module in modules):
        for key, text in value.items() if isinstance(value, dict) and name.isupper() else [("", value)]:
            if isinstance(text, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", text):
                found[f"{name} {key}".strip()] = text
    return found


TABLES = (
    "message device token access_key change channel subscriber event idempotency_key batch_task batch_target target "
    "removed_message revoked_jwt notification inbox push dead_letter push_record retained untold_riders orphan rider "
    "session session_copy session_message session_subscription session_received session_downlink sqlite_sequence"
)
TABLE = rf"({TABLES.replace(' ', '|')})\b"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """An empty one: a plan does not depend on rows, and no test here writes."""
    connection = open_connection(prepared(tmp_path_factory.mktemp("plans") / "bridge.db"))
    yield connection
    connection.close()


def plan(database: sqlite3.Connection, text: str) -> str:
    rows = database.execute(f"EXPLAIN QUERY PLAN {text}", [None] * text.count("?")).fetchall()
    return "\n".join(row[3] for row in rows)


@pytest.mark.parametrize("text", texts().values(), ids=texts())
def test_no_hot_statement_scans_or_sorts(database: sqlite3.Connection, text: str) -> None:
    details = plan(database, text)
    assert not re.search(rf"SCAN {TABLE}|TEMP B-TREE", details), details
    assert re.search(rf"SEARCH {TABLE}", details) or text.lstrip().startswith("INSERT"), details


def test_statements_are_found() -> None:
    assert {"MESSAGE", "ADD 64", "FINISH 1", "MESSAGES_IN_BLOCK None", "BLOCKS", "PRUNE"} <= texts().keys()


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("MESSAGE", "message_by_id (message_id=? AND device=?)"),
        ("PENDING", "message_pending (device=? AND seq>?)"),
        ("COUNT_PENDING", "message_pending (device=?)"),
        ("DUE", "message_due (expires_at<?)"),
        ("FAIL_UNCACHED", "message_uncached (ttl=?)"),
        ("MESSAGES FAILED", "message_missed (device=? AND seq<?)"),
        ("MESSAGES TIMEOUT", "message_missed (device=? AND seq<?)"),
        ("WAITING", "batch_target_by_status (task=? AND status=?)"),
        ("SETTLE", "batch_target_sent (seq=?)"),
        ("TO_RETRY", "batch_target_to_retry (task=? AND retry_at<?)"),
        ("BLOCKS", "message_by_block (<expr>=? AND device=?)"),
        ("MESSAGES_PENDING", "message_pending (device=? AND seq<?)"),
        ("MESSAGES_PENDING", "message_held (device=? AND seq<?)"),
        ("MESSAGES_PENDING", "MERGE (UNION ALL)"),
        ("COUNT_PENDING", "message_held (device=?)"),
        ("CARRIED_PENDING", "message_pending (device=?)"),
        ("NEXT_SCHEDULED", "message_scheduled (send_at>?)"),
        ("TO_RELEASE", "message_scheduled (send_at<?)"),
        ("RELEASE", "message_scheduled (send_at<?)"),
        ("SEARCH_DEVICE", "message_by_block (<expr>=? AND device=?"),
        ("SEARCH_PROJECT", "message USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("SEARCH_PROJECT", "device USING INTEGER PRIMARY KEY (rowid=?)"),
        ("BOUNDS", "message USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("REMEMBERED", "sqlite_autoindex_idempotency_key_1 (device=? AND key=?)"),
        ("EXPIRED", "retained_due (expires_at<?)"),
        ("DROP_TREE", "(project=? AND topic>? AND topic<?)"),
        ("RIDERS", "device_carried (carrier=? AND rowid>? AND rowid<?)"),
        ("STILL_ONLINE", "device_online (online=?)"),
        ("LINES 64", "device_carried (carrier=?)"),
        ("FORGET", "idempotency_key_by_age (created_at<?)"),
        ("FORGET_PLACES", "removed_message_by_age (removed_at<?)"),
        ("PLACE", "message_by_id (message_id=? AND device=?)"),
        ("PLACE", "removed_message USING PRIMARY KEY (device=? AND message_id=?)"),
    ],
)
def test_the_index_is_the_one_that_was_made_for_it(database: sqlite3.Connection, name: str, index: str) -> None:
    assert index in plan(database, texts()[name])
