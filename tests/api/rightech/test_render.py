import asyncio
import json
from typing import Any

import pytest

from bridge.api import faults
from bridge.api.error_fields import headers_of
from bridge.api.rightech.errors import error_body, status_of
from bridge.api.rightech.parse import parse_only
from bridge.api.rightech.render import entity, keep, render_bounds, render_entity, render_list
from bridge.model import errors
from bridge.model.notification import Bounds, Importance, Notice, Notification

NOTICE = Notice("home", "5a718f4543af42110079e8a4", Importance.INFORMATION, "It's too dark")
FRESH = Notification(0xC79FE347384CF531 >> 1, 1_569_468_083_027, NOTICE)
ENTITY = {
    "_id": "5d8c2eb363cff1a39c267a98",
    "type": "object",
    "time": 1_569_468_083_027,
    "id": "5a718f4543af42110079e8a4",
    "body": {"text": "It's too dark", "type": "text"},
    "importance": "information",
    "read": False,
}
TOO_BROAD = "begin: too much to look through; narrow the window, everything before 17 is left"
TOO_MANY = "wrong credentials, as too often before from this address"
UNKNOWN = "the disk failed, and it is not known whether anything was changed; look, then try again"
STOPPING = "the service is stopping; it is not known whether the request was carried out"


def test_an_entity() -> None:
    assert json.loads(render_entity(FRESH)) == ENTITY
    assert list(json.loads(render_entity(FRESH))) == list(ENTITY)


def test_a_confirmed_entity() -> None:
    waiting = Notification(1, 5, NOTICE, process_at=9)
    assert {name: entity(waiting)[name] for name in ("read", "process_time")} == {"read": False, "process_time": 9}
    assert "processed_time" not in entity(waiting)
    processed = Notification(1, 5, NOTICE, read=True, process_at=9, processed_at=10)
    assert (entity(processed)["process_time"], entity(processed)["processed_time"]) == (9, 10)


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        ((), ENTITY),
        ((("_id",),), {"_id": ENTITY["_id"]}),
        ((("body",),), {"body": ENTITY["body"]}),
        ((("body", "text"), ("read",)), {"body": {"text": "It's too dark"}, "read": False}),
        ((("body", "text"), ("body",)), {"body": ENTITY["body"]}),
        ((("nothing",), ("body", "nothing"), ("read", "deeper"), ("",)), {}),
    ],
)
def test_only(only: tuple[tuple[str, ...], ...], wanted: dict[str, Any]) -> None:
    assert keep(ENTITY, only) == wanted
    assert json.loads(render_list([FRESH], only)) == [wanted]


def test_bounds() -> None:
    assert render_bounds(Bounds(0), ()) == b'{"count":0,"min":null,"max":null,"success":true}'
    later = Notification(9, 1_569_468_083_028, NOTICE)
    whole = {"count": 2, "min": ENTITY, "max": entity(later), "success": True}
    assert json.loads(render_bounds(Bounds(2, FRESH, later), ())) == whole


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        ("count", {"count": 1}),
        ("min", {"min": ENTITY}),
        ("min.time,max.body.text", {"min": {"time": ENTITY["time"]}, "max": {"body": {"text": "It's too dark"}}}),
        ("_id", {"count": 1, "min": {"_id": ENTITY["_id"]}, "max": {"_id": ENTITY["_id"]}, "success": True}),
        ("count,read", {"count": 1, "min": {"read": False}, "max": {"read": False}}),
        ("nothing", {"count": 1, "success": True}),
    ],
)
def test_a_part_of_the_bounds(only: str, wanted: dict[str, Any]) -> None:
    assert json.loads(render_bounds(Bounds(1, FRESH, FRESH), parse_only(f"only={only}".encode()))) == wanted


@pytest.mark.parametrize(
    ("only", "wanted"), [("min.time", {"min": None}), ("_id", {"count": 0, "min": None, "max": None, "success": True})]
)
def test_a_part_of_no_bounds(only: str, wanted: dict[str, Any]) -> None:
    assert json.loads(render_bounds(Bounds(0), parse_only(f"only={only}".encode()))) == wanted


def test_the_form_of_an_error() -> None:
    assert json.loads(error_body(404, "")) == {
        "success": False,
        "name": "NotFoundError",
        "code": "404",
        "message": "Not Found",
        "tags": ["error_not_found", "error_messages"],
        "codes": ["error_not_found", "error_messages"],
    }


@pytest.mark.parametrize(
    ("error", "status", "detail", "headers"),
    [
        (errors.UnknownNotification("x"), 404, "", {}),
        (errors.TooBroad(17), 400, TOO_BROAD, {}),
        (errors.StoreUnavailable("x"), 503, "nothing was changed; try again", {"Retry-After": "1"}),
        (errors.OutcomeUnknown("x"), 503, UNKNOWN, {"Retry-After": "1"}),
        (faults.NoSuchPath(), 404, "", {}),
        (faults.WrongMethod("GET, HEAD"), 405, "", {"Allow": "GET, HEAD"}),
        (faults.NoCredentials("why"), 401, "why", {"WWW-Authenticate": "Bearer"}),
        (faults.BadSignature("why {x}"), 401, "why {x}", {"WWW-Authenticate": "Bearer"}),
        (faults.Forbidden("why"), 403, "why", {}),
        (faults.NotJson("why"), 400, "body: why", {}),
        (faults.BadField("limit", "a number"), 400, "limit: a number", {}),
        (faults.BodyTooLarge(5), 413, "body: larger than 5 bytes", {}),
        (faults.ClientGone(), 400, "body: it ended early", {}),
        (faults.TooManyFailures(), 429, TOO_MANY, {"Retry-After": "2"}),
        (asyncio.CancelledError(), 503, STOPPING, {"Connection": "close"}),
        (KeyError("secret"), 500, "", {}),
    ],
)
def test_errors(error: BaseException, status: int, detail: str, headers: dict[str, str]) -> None:
    assert (*status_of(error), headers_of(error)) == (status, detail, headers)
