"""As `test_statements`, for those about notifications."""

import re

import pytest

from bridge.store import Store, inbox_statements

TEXTS = {
    name: text
    for name, text in vars(inbox_statements).items()
    if isinstance(text, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", text) and name != "INBOXES"
}
"""INBOXES reads all of a table that has a row for each project."""


async def plan(store: Store, text: str) -> str:
    count = len(set(re.findall(r"\?\d+", text))) or text.count("?")
    return "\n".join(row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {text}", [None] * count))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_no_statement_scans_or_sorts(store: Store, text: str) -> None:
    details = await plan(store, text)
    assert not re.search(r"SCAN (notification|inbox)\b|TEMP B-TREE", details)
    assert "SEARCH" in details or text.startswith("INSERT"), details


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("ABOUT", "notification_about (inbox=? AND about=? AND about_number>? AND about_number<?)"),
        ("ABOUT_KEY", "notification_about (inbox=? AND about=? AND about_number=?)"),
        ("ABOUT_LAST", "notification_about (inbox=? AND about=?)"),
        ("IMPORTANCE", "notification_importance (inbox=? AND importance=? AND importance_number>? AND"),
        ("IMPORTANCE_KEY", "notification_importance (inbox=? AND importance=? AND importance_number=?)"),
        ("READ", "notification_read (inbox=? AND read=? AND rowid>? AND rowid<?)"),
        ("COUNT_READ", "COVERING INDEX notification_read (inbox=? AND read=? AND rowid>? AND rowid<?)"),
        ("OLDEST_READ", "COVERING INDEX notification_read (inbox=? AND read=? AND rowid>? AND rowid<?)"),
        ("OF_MESSAGE", "notification_message (inbox=? AND message_id=?)"),
        ("DUE", "notification_due (process_at>? AND process_at<?)"),
        ("SERIES", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    ],
)
async def test_the_index_is_the_one_that_was_made_for_it(store: Store, name: str, index: str) -> None:
    assert index in await plan(store, TEXTS[name])
