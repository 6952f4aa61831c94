"""What no application should send to hear back, in each dialect: the documented answer, nothing stored, flat memory."""

from collections.abc import Iterator

import pytest

from tests.acceptance.caller import APP, CHANNEL, CONFIRM, DATA_ARTS, INBOX, Caller, confirm, posted
from tests.acceptance.described import operations, undescribed

POLL = APP + "?"


@pytest.fixture(autouse=True, scope="module")
def _every_answer_is_described(ask: Caller) -> Iterator[None]:
    yield
    assert undescribed(operations(ask.daemon), ask.seen) == []


TIMEOUTS = (
    "5",
    "",
    "-",
    "1",
    "s",
    "1d",
    "1s1",
    "1,5s",
    "1e3s",
    "%201s",
    "1s%0a",
    "%D9%A1s",
    "9" * 400 + "s",
    "0x1s",
    "%2B%2B1s",
)


@pytest.mark.parametrize("text", TIMEOUTS)
def test_timeouts_that_are_none(news: Caller, text: str) -> None:
    assert news("GET", f"{POLL}timeout={text}").error == (400, 'Invalid "timeout" parameter', None)


@pytest.mark.parametrize("text", ["0", "1ns", "1.5ms", ".5ms", "1us1ns", "-1h", "%2B1ms", "1%C2%B5s"])
def test_timeouts(news: Caller, text: str) -> None:
    assert news("GET", f"{POLL}timeout={text}").status == 200


@pytest.mark.parametrize("text", ["-1", "abc", "1.5", "", "%D9%A1", "1%0a", "1e3", "0x10", "9" * 400])
def test_numbers_of_messages_that_are_none(news: Caller, text: str) -> None:
    assert news("GET", f"{POLL}max={text}").error == (400, 'Invalid "max" parameter', None)


def test_very_many_messages(news: Caller) -> None:
    news.publish()
    assert len(news("GET", f"{POLL}max=1000000000000").body["messages"]) == 1
    nothing = news("GET", f"{POLL}max=0").body
    assert (nothing["messages"], nothing["moreMessages"], "ackHandle" in nothing) == ([], True, False)


NUMBERS = ["-1", "1000000000000000000000", "abc", "1.5", "%D9%A1", "1%0a", "9" * 400]


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize("field", ["begin", "end", "offset", "limit"])
def test_numbers_of_the_inbox(ask: Caller, field: str, text: str) -> None:
    for path in (INBOX, f"{INBOX}/history", f"{INBOX}/history/bounds"):
        answer = ask("GET", f"{path}?{field}={text}")
        assert (answer.status, answer.body["code"]) == (400, "400")
        assert field in answer.body["message"]


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize("field", ["offset", "limit"])
def test_numbers_of_confirmations(ask: Caller, field: str, text: str) -> None:
    answer = ask("GET", f"{CONFIRM}?{field}={text}", **DATA_ARTS)
    assert (answer.status, answer.body["error_code"]) == (400, "DLS.1002")
    assert field in answer.body["error_msg"]


@pytest.mark.parametrize("offset", ["0", "1000000000000"])
def test_an_offset_behind_the_end(ask: Caller, offset: str) -> None:
    posted(ask)
    assert ask("GET", f"{INBOX}?offset={offset}&limit=1").status == 200
    assert ask("GET", f"{CONFIRM}?offset={offset}&limit=1", **DATA_ARTS).status == 200


BAD_IDS = ("a%0a", "%0aa", "A", "_a", "a" * 64, "a%2Fb", "%C3%A9", "a%00", "%FF")


@pytest.mark.parametrize("text", BAD_IDS)
def test_ids(news: Caller, text: str) -> None:
    news.publish()
    for method, path, parameter in (
        ("GET", f"/channel/{text}/subscription/polling/app", "channelID"),
        ("GET", f"/channel/news/subscription/polling/{text}", "subscriberID"),
        ("PUT", f"/channel/news/message/{text}", "messageID"),
    ):
        answer = news(method, path, b"1" if method == "PUT" else None)
        if answer.status == 404:  # %2F is a slash: there is no such path
            assert text == "a%2Fb"
        else:
            assert answer.error == (400, f'Invalid "{parameter}" parameter', None)
    assert len(news("GET", APP).body["messages"]) == 1


@pytest.mark.parametrize("text", ["a%0a", "%0a", "0" * 23, "0" * 25, "f" * 24, "g" * 24, "%FF", "%00"])
def test_ids_of_notifications(ask: Caller, text: str) -> None:
    posted(ask)
    answer = ask("PATCH", f"{INBOX}/read/{text}", {"read": True})
    assert (answer.status, answer.body["code"]) == (404, "404")
    answer = ask("GET", f"{CONFIRM}/{text}", **DATA_ARTS)
    assert (answer.status, answer.body["error_code"]) == (400, "DLS.1003")


def test_ids_in_bodies(ask: Caller) -> None:
    for text in ("a\n", "", "a" * 129, "\ud800", 1, None, ["a"], "a\x00"):
        answer = confirm(ask, message_id=text, action=0)
        assert answer.status == 400
        assert answer.body["error_code"] in {"DLS.1001", "DLS.1002", "DLS.1003"}
    for text in ("a\n", "", "a" * 129, "\ud800", 1, None, ["a"], "a\x00"):
        answer = ask("POST", INBOX, {"id": text, "importance": "critical", "text": "x"})
        assert (answer.status, answer.body["code"]) == (400, "400"), text


def test_handles(news: Caller) -> None:
    """Cut, changed, of another subscriber, channel or project, and of what is not there yet."""
    other = "/channel/news/subscription/polling/other"
    elsewhere = "/channel/old/subscription/polling/app"
    for path in (other, elsewhere, f"{APP}?project=elsewhere"):
        news("PUT", path)
    news.publish()
    news.publish(channel="/channel/old")
    news.publish(query="?project=elsewhere")
    own = news("GET", APP).body["ackHandle"]
    foreign = [news("GET", path).body["ackHandle"] for path in (other, elsewhere, f"{APP}?project=elsewhere")]
    changed = own[:-1] + ("A" if own[-1] != "A" else "B")
    cut = [own[:length] for length in range(1, len(own))]
    for handle in [*cut, changed, own + "A", own + "%0a", own + "=", *foreign, "A" * 24, "%FF" * 8, "x" * 5000]:
        answer = news("DELETE", f"{APP}/message?ackHandle={handle}")
        assert answer.error[::2] == (400, "dsps.storage.ack-handle-malformed"), handle
    assert len(news("GET", APP).body["messages"]) == 1
    for path in (other, elsewhere, f"{APP}?project=elsewhere"):
        news("DELETE", path)


DEEP = b"[" * 200_000
BROKEN = {
    "cut": b'{"id": "x',
    "empty": b"",
    "invalid UTF-8": b'{"id": "\xff", "message_id": "\xff"}',
    "lone surrogate": b'{"id": "\\ud800", "message_id": "\\ud800"}',
    "invalid UTF-8 as a whole": b'"\xc3\x28"',
    "deep": DEEP,
    "deep and closed": DEEP + b"]" * 200_000,
    "deep objects": b'{"id":' * 100_000 + b"1" + b"}" * 100_000,
    "UTF-16": '{"id": "x"}'.encode("utf-16"),
    "NaN": b"NaN",
    "zero bytes": b"\x00" * 1000,
}
TEN_MIB = b'"' + b"x" * (10 * 1024 * 1024) + b'"'


@pytest.mark.parametrize("name", BROKEN)
def test_bodies(news: Caller, name: str) -> None:
    body = BROKEN[name]
    assert news("PUT", f"{CHANNEL}/message/refused", body).error == (400, "Request body is not JSON", None)
    line = b'{"messageID": "m1", "content": ' + body.replace(b"\n", b" ") + b"}"
    status, error, _ = news("POST", f"{CHANNEL}/message", line).error
    assert (status, error[:6]) == (400, "Line 1")
    assert news("GET", APP).body["messages"] == []
    before = news("GET", f"{INBOX}/history/bounds").body["count"]
    for method, path in (("POST", INBOX), ("PATCH", f"{INBOX}/read/{'0' * 24}")):
        answer = news(method, path, body)
        assert (answer.status, answer.body["code"]) in {(400, "400"), (404, "404")}
    assert news("GET", f"{INBOX}/history/bounds").body["count"] == before
    answer = news("POST", CONFIRM, body, **DATA_ARTS)
    assert (answer.status, answer.body["error_code"][:6]) == (400, "DLS.10")


def test_ten_mebibytes(news: Caller) -> None:
    memory = news.daemon.memory
    for _ in range(20):
        for method, path, status, sentence in (
            ("PUT", f"{CHANNEL}/message/refused", 413, "error"),
            ("POST", f"{CHANNEL}/message", 413, "error"),
            ("POST", INBOX, 413, "message"),
            ("POST", CONFIRM, 400, "error_msg"),
        ):
            answer = news(method, path, TEN_MIB, **DATA_ARTS)
            assert (answer.status, bool(answer.body[sentence])) == (status, True)
    assert news("GET", APP).body["messages"] == []
    assert news.daemon.memory - memory < 30 * 1024 * 1024


def test_none_of_it_has_hurt(ask: Caller) -> None:
    assert ask("GET", "/readyz", token=None).status == 200
