import json

import pytest

from bridge.api.dataarts.errors import TABLE
from bridge.api.dataarts.render import record, render_record, render_records
from bridge.model.notification import Importance, Notice, Notification

NOTICE = Notice("home", "lamp", Importance.IMPORTANT, "Message m-1 failed.", "m-1")
OPEN = {
    "id": "000000050000000000000001",
    "api_apply_status": "STATUS_TYPE_PENDING_CHECK",
    "api_id": "m-1",
    "api_name": "lamp",
    "apply_time": 5000,
    "comment": "Message m-1 failed.",
    "user_name": "lamp",
}


def test_an_open_one() -> None:
    assert json.loads(render_record(Notification(1, 5000, NOTICE))) == OPEN


def test_one_that_waits() -> None:
    waiting = Notification(1, 5000, NOTICE, confirmed_at=6, confirmed_by="app", process_at=9)
    more = {"api_apply_status": "STATUS_TYPE_PENDING_EXECUTE", "api_using_time": 9, "approver_name": "app"}
    assert record(waiting) == {**OPEN, **more}


@pytest.mark.parametrize("process_at", [None, 9])
def test_a_processed_one(process_at: int | None) -> None:
    done = Notification(1, 5000, NOTICE, True, 6, "app", process_at, 10)
    shown = record(done)
    assert (shown["api_apply_status"], shown["approval_time"]) == ("STATUS_TYPE_PASSED", 10)
    assert shown.get("api_using_time") == process_at


def test_a_list() -> None:
    assert json.loads(render_records(7, [Notification(1, 5000, NOTICE)])) == {"total": 7, "records": [OPEN]}
    assert render_records(0, []) == b'{"total":0,"records":[]}'


def test_every_code_is_of_the_family_and_says_something() -> None:
    for status, code, text in TABLE.values():
        assert code.startswith("DLS.1")
        assert 400 <= status < 600
        assert text
