"""The vendors' contracts of hearing back, line by line against a real daemon: DSPS, Rightech, DataArts."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.caller import APP, CHANNEL, CONFIRM, DATA_ARTS, INBOX, Caller, confirm, posted
from tests.acceptance.waiting import eventually

OBJECT_ID = re.compile(r"[0-9a-f]{24}")


def scoped(ask: Caller, name: str, *scopes: str) -> str:
    token = f"{name}-{'x' * 40}"
    with ask.daemon.admin() as admin:
        admin.put_token(name, token, "default", frozenset(scopes))
    eventually(lambda: ask("GET", "/channel", token=token).status != 401)
    return token


# DSPS


def test_subscribing(ask: Caller) -> None:
    path = "/channel/c1/subscription/polling/s1"
    named = {"channelID": "c1", "subscriberID": "s1"}
    for body in (None, b"ignored, and no JSON"):
        answer = ask("PUT", path, body)
        assert (answer.status, answer.body) == (200, named)
        assert answer.content == b'{"channelID":"c1","subscriberID":"s1"}'
    assert ask("PUT", "/channel/c1/message/m1", b"1").status == 200
    ask("PUT", path)
    assert len(ask("GET", path).body["messages"]) == 1
    for _ in range(2):
        answer = ask("DELETE", path)
        assert (answer.status, answer.body) == (200, named)
    not_found = (404, "dsps.storage.subscription-not-found")
    assert (ask("GET", path).status, ask("GET", path).body["code"]) == not_found
    answer = ask("DELETE", f"{path}/message?ackHandle={'A' * 24}")
    assert answer.status == 400  # the handle is looked at first


def test_polling_and_acknowledging(news: Caller) -> None:
    assert news("GET", APP).content == b'{"channelID":"news","messages":[],"moreMessages":false}'
    for number in range(3):
        answer = news("PUT", f"/channel/news/message/m{number}", b'{"n": 1.0}')
        assert answer.content == b'{"channelID":"news","messageID":"m%d"}' % number
    first = news("GET", f"{APP}?max=2").body
    assert [each["messageID"] for each in first["messages"]] == ["m0", "m1"]
    assert first["moreMessages"] is True
    assert re.fullmatch(r"[A-Za-z0-9_.~-]+", first["ackHandle"])
    everything = news("GET", APP).body
    assert (len(everything["messages"]), everything["moreMessages"]) == (3, False)
    for handle, left in ((first["ackHandle"], 1), (everything["ackHandle"], 0), (first["ackHandle"], 0)):
        answer = news("DELETE", f"{APP}/message?ackHandle={handle}")
        assert (answer.status, answer.content) == (204, b"")
        assert len(news("GET", APP).body["messages"]) == left


def test_a_duplicate_is_answered_alike_and_not_delivered(news: Caller) -> None:
    for content in (b'"first"', b'"second"'):
        assert news("PUT", f"{CHANNEL}/message/twice", content).status == 200
    assert [each["content"] for each in news("GET", APP).body["messages"]] == ["first"]


@pytest.mark.parametrize(
    "content", [b"1.0", b"12345678901234567890123", b"1e400", b'{"a":1,"a":2}', b'"\\u00e9\xc3\xa9"', b"null", b'""']
)
def test_content_comes_back_as_it_was_sent(news: Caller, content: bytes) -> None:
    news.publish(content)
    assert b'"content":' + content + b"}]" in news("GET", APP).content


def test_probes_and_administration(ask: Caller) -> None:
    for probe in ("liveness", "readiness"):
        assert ask("GET", f"/probe/{probe}", token=None).status == 200
    assert ask("PUT", "/admin/log/level?category=bridge.api&level=INFO").status == 204
    assert ask("PUT", "/admin/jwt/revoke?jti=j1&exp=1900000000").body == {"jti": "j1", "exp": 1_900_000_000}
    for path in ("/admin/log/level?category=bridge.api&level=loud", "/admin/log/level", "/admin/jwt/revoke"):
        assert ask("PUT", path).status == 400
    token = scoped(ask, "no-admin", "events:read")
    assert ask("PUT", "/admin/jwt/revoke?jti=j1&exp=1", token=token).error[::2] == (403, "dsps.auth.rejected")


def test_unknown_paths_and_methods(ask: Caller) -> None:
    answer = ask("GET", "/channel/a/b/c/d")
    assert (answer.status, answer.headers.get_content_type()) == (404, "text/plain")
    answer = ask("POST", APP)
    assert (answer.status, set(answer.headers["Allow"].split(", "))) == (405, {"GET", "HEAD", "PUT", "DELETE"})


ORDER = (
    ("/channel/Z/subscription/polling/S?timeout=5&max=x", None, (400, 'Invalid "channelID" parameter', None)),
    ("/channel/z/subscription/polling/S?timeout=5&max=x", None, (400, None, "dsps.storage.invalid-channel")),
    ("/channel/a/subscription/polling/S?timeout=5&max=x", None, (403, None, "dsps.auth.rejected")),
    ("/channel/a/subscription/polling/S?timeout=5&max=x", "", (400, 'Invalid "subscriberID" parameter', None)),
    ("/channel/a/subscription/polling/s?timeout=5&max=x", "", (400, 'Invalid "timeout" parameter', None)),
    ("/channel/a/subscription/polling/s?timeout=5s&max=x", "", (400, 'Invalid "max" parameter', None)),
    ("/channel/a/subscription/polling/s?timeout=5s&max=1", "", (404, None, "dsps.storage.subscription-not-found")),
)


@pytest.mark.parametrize(("path", "token", "expected"), ORDER)
def test_the_order_of_checks(ask: Caller, path: str, token: str | None, expected: tuple[Any, ...]) -> None:
    answer = ask("GET", path, token=token)
    assert answer.error == tuple(
        wanted if wanted is not None or place == 2 else found
        for place, (found, wanted) in enumerate(zip(answer.error, expected, strict=True))
    )


def test_the_order_of_checks_of_an_acknowledgement(ask: Caller) -> None:
    nobody = "/channel/a/subscription/polling/s/message"
    assert ask("DELETE", nobody).error == (400, 'Missing "ackHandle" parameter', None)
    assert ask("DELETE", f"{nobody}?ackHandle=x").error[::2] == (400, "dsps.storage.ack-handle-malformed")
    ask("PUT", "/channel/a/subscription/polling/s")
    ask("PUT", "/channel/a/message/m1", b"1")
    handle = ask("GET", "/channel/a/subscription/polling/s").body["ackHandle"]
    ask("DELETE", "/channel/a/subscription/polling/s")
    gone = ask("DELETE", f"{nobody}?ackHandle={handle}")
    assert gone.error[::2] == (404, "dsps.storage.subscription-not-found")
    assert ask("PUT", "/channel/a/message/M", b"{").error == (400, 'Invalid "messageID" parameter', None)
    assert ask("PUT", "/channel/a/message/m", b"{").error == (400, "Request body is not JSON", None)


def test_what_only_the_daemon_publishes(ask: Caller) -> None:
    for channel in ("device-message-status", "device-status", "device-message-report", "service-message"):
        assert ask("PUT", f"/channel/{channel}/subscription/polling/app").status == 200
        assert ask("PUT", f"/channel/{channel}/message/m1", b"1").error[::2] == (403, "dsps.auth.rejected")


def test_later_subscribers_get_what_comes_later(news: Caller) -> None:
    first = news.publish()
    later = "/channel/news/subscription/polling/later"
    news("DELETE", later)
    news("PUT", later)
    second = news.publish()
    for path, expected in ((APP, [first, second]), (later, [second])):
        for _ in range(2):  # two consumers of one subscriber both get everything
            assert [each["messageID"] for each in news("GET", path).body["messages"]] == expected


# Rightech


def test_posting_a_notification(ask: Caller) -> None:
    entity = posted(ask, " kept\n exactly ", _id="x", time=1, read=True)
    assert OBJECT_ID.fullmatch(entity["_id"])
    assert int(entity["_id"][:8], 16) == entity["time"] // 1000
    assert {**entity, "_id": "", "time": 0} == {
        "_id": "",
        "time": 0,
        "type": "object",
        "id": "pump",
        "body": {"text": " kept\n exactly ", "type": "text"},
        "importance": "important",
        "read": False,
    }
    assert ask("GET", INBOX).body[0] == entity
    assert ask("POST", INBOX, {"id": "p", "importance": "critical", "body": {"text": "x"}}).status == 200


@pytest.mark.parametrize("value", [True, False])
def test_read_and_unread(ask: Caller, value: bool) -> None:
    entity = posted(ask)
    answer = ask("PATCH", f"{INBOX}/read/{entity['_id']}", {"read": value})
    assert (answer.status, answer.body) == (200, {**entity, "read": value})


def test_windows_pages_and_fields(ask: Caller) -> None:
    ids = [posted(ask, f"window {number}")["_id"] for number in range(3)]
    begin = ask("GET", f"{INBOX}?limit=1").body[0]["time"]
    assert ids[-1] in [each["_id"] for each in ask("GET", f"{INBOX}?begin={begin}&end={begin}").body]
    assert ask("GET", f"{INBOX}?from={begin + 60_000}").body == []
    assert ask("GET", f"{INBOX}?to=1").body == []
    assert [each["_id"] for each in ask("GET", f"{INBOX}?offset=1&limit=2").body] == ids[1::-1]
    assert ask("GET", f"{INBOX}?limit=1&only=_id,body.text").body == [{"_id": ids[-1], "body": {"text": "window 2"}}]
    for query in ("read=false", "importance=important", "id=pump", "search=WINDOW%202"):
        assert ask("GET", f"{INBOX}?limit=1&{query}").body[0]["_id"] == ids[-1]


def test_clearing_leaves_the_history(ask: Caller) -> None:
    entity = posted(ask)
    answer = ask("DELETE", f"{INBOX}/clear")
    assert (answer.status, answer.body) == (200, {"success": True})
    assert ask("GET", INBOX).body == []
    assert ask("GET", f"{INBOX}/history?limit=1").body == [entity]
    bounds = ask("GET", f"{INBOX}/history/bounds?begin={entity['time']}&id=pump").body
    assert (bounds["success"], bounds["max"]) == (True, entity)
    nothing = {"count": 0, "min": None, "max": None, "success": True}
    assert ask("GET", f"{INBOX}/history/bounds?id=nobody").body == nothing


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "tag"),
    [
        ("PATCH", f"{INBOX}/read/{'0' * 24}", {"read": True}, 404, "error_not_found"),
        ("GET", f"{INBOX}?begin=-1", None, 400, "error_bad_request"),
        ("POST", INBOX, {"id": "p", "importance": "loud", "text": "x"}, 400, "error_bad_request"),
        ("POST", INBOX, b"{", 400, "error_bad_request"),
        ("PUT", INBOX, {}, 405, "error_method_not_allowed"),
    ],
)
def test_errors_of_the_inbox(ask: Caller, method: str, path: str, body: Any, status: int, tag: str) -> None:
    answer = ask(method, path, body)
    error = answer.body
    assert answer.status == status
    assert (error["success"], error["code"], error["tags"]) == (False, str(status), error["codes"])
    assert error["tags"][-1] == "error_messages"
    assert error["tags"][0].startswith("error_")
    assert {"name", "message"} <= error.keys()


# DataArts


def test_confirming_at_once_is_told(ask: Caller) -> None:
    app = "/channel/service-message/subscription/polling/clerk"
    ask("PUT", app)
    entity = posted(ask)
    answer = confirm(ask, message_id=entity["_id"], action=0, time="2022-03-23T10:00:00.000Z")
    assert (answer.status, answer.content) == (204, b"")
    shown = ask("GET", f"{INBOX}?limit=1").body[0]
    assert shown["read"] is True
    assert "processed_time" in shown
    told = [each["content"] for each in ask("GET", app).body["messages"]][-2:]
    assert [each["event"] for each in told] == ["posted", "processed"]
    assert {each["notify_data"]["body"]["notification_id"] for each in told} == {entity["_id"]}
    again = confirm(ask, message_id=entity["_id"], action=0)
    assert (again.status, again.body["error_code"]) == (400, "DLS.1004")


def test_confirming_for_a_time(ask: Caller) -> None:
    entity = posted(ask)
    soon = datetime.now(UTC) + timedelta(days=3)
    assert confirm(ask, message_id=entity["_id"], action=1).status == 204
    shown = ask("GET", f"{INBOX}?limit=1").body[0]
    assert shown["read"] is False
    assert abs(shown["process_time"] / 1000 - soon.timestamp()) < 60
    in_a_second = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"
    assert confirm(ask, message_id=entity["_id"], action=1, time=in_a_second).status == 204
    eventually(lambda: ask("GET", f"{INBOX}?limit=1").body[0]["read"])


def test_listing_confirmations(ask: Caller) -> None:
    entity = posted(ask, id="listed")
    page = ask("GET", f"{CONFIRM}?offset=0&limit=1&api_name=listed", **DATA_ARTS).body
    assert page["total"] == 1
    record = ask("GET", f"{CONFIRM}/{entity['_id']}", **DATA_ARTS).body
    assert record == page["records"][0]
    assert (record["id"], record["api_apply_status"]) == (entity["_id"], "STATUS_TYPE_PENDING_CHECK")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"action": 0}, "DLS.1002"),
        ({"message_id": "nobody", "action": 0}, "DLS.1003"),
        ({"message_id": "x", "action": 2}, "DLS.1002"),
        ({"message_id": "x", "action": 1, "time": "soon"}, "DLS.1002"),
        ({"message_id": "x", "action": 1, "time": "2022-03-23T10:00:00.000Z"}, "DLS.1005"),
    ],
)
def test_confirmations_that_cannot_be(ask: Caller, fields: dict[str, object], code: str) -> None:
    answer = confirm(ask, **fields)
    assert (answer.status, answer.body["error_code"]) == (400, code)
    assert answer.body["error_msg"]


@pytest.mark.parametrize(
    ("fields", "token", "status"),
    [({"Dlm_Type": "SHARED"}, "", 400), ({**DATA_ARTS, "Dlm-Type": "x"}, "", 400), (DATA_ARTS, None, 401)],
)
def test_who_may_confirm(ask: Caller, fields: dict[str, str], token: str | None, status: int) -> None:
    answer = ask("POST", CONFIRM, {"message_id": "x", "action": 0}, token=token, **fields)
    assert (answer.status, answer.body["error_code"][:4]) == (status, "DLS.")
