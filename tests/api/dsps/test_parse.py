"""Ids, parameters and contents, as tables."""

import json

import pytest

from bridge.api.dsps.duration import parse_duration
from bridge.api.dsps.errors import Refusal
from bridge.api.dsps.parse import (
    MAX_DEPTH,
    MAX_LINES,
    Post,
    Revocation,
    check_id,
    parameters,
    parse_ack_handle,
    parse_batch,
    parse_content,
    parse_max,
    parse_revocation,
    parse_timeout,
)

NOT_JSON = (400, "Request body is not JSON", None)


def refusal(caught: pytest.ExceptionInfo[Refusal]) -> tuple[int, str, str | None]:
    return caught.value.status, caught.value.text, caught.value.code


@pytest.mark.parametrize("text", ["a", "0", "a-b_c", "9-", "0__", "z" * 63])
def test_an_id(text: str) -> None:
    assert check_id("channelID", text) == text


@pytest.mark.parametrize(
    "text", ["", "A", "-a", "_a", "a" * 64, "a\n", "\na", "a b", "a.b", "é", "٣", "a/b", "a\x00", "a\ufffd", "%61"]
)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_id("subscriberID", text)
    assert refusal(caught) == (400, 'Invalid "subscriberID" parameter', None)


# Values and errors of Go's own test table (time_test.go), and what ours adds: bounds.
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("5s", 5),
        ("30s", 30),
        ("1478s", 1478),
        ("-5s", -5),
        ("+5s", 5),
        ("-0", 0),
        ("+0", 0),
        ("5.0s", 5),
        ("5.6s", 5.6),
        ("5.s", 5),
        (".5s", 0.5),
        ("1.0s", 1),
        ("1.00s", 1),
        ("1.004s", 1.004),
        ("1.0040s", 1.004),
        ("100.00100s", 100.001),
        ("10ns", 10e-9),
        ("11us", 11e-6),
        ("12µs", 12e-6),
        ("12μs", 12e-6),
        ("13ms", 13e-3),
        ("300ms", 0.3),
        ("14s", 14),
        ("15m", 900),
        ("16h", 57_600),
        ("1h30m", 5400),
        ("3h30m", 12_600),
        ("10.5s4m", 250.5),
        ("-2m3.4s", -123.4),
        ("1h2m3s4ms5us6ns", 3723.004005006),
        ("39h9m14.425s", 140_954.425),
        ("52763797000ns", 52.763797),
        ("0.3333333333333333333h", 1200),
        ("9223372036854775807ns", 9_223_372_036.854775807),
        ("0.100000000000000000000h", 360),
        ("0.830103483285477580700h", 2988.372539),
        ("00000000000000000000001s", 1),
        ("2562047h", 9_223_369_200),
    ],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "3",
            "5",
            "-",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "1d",
            "5S",
            "1 s",
            " 1s",
            "1s ",
            "1s\n",
            "1e3s",
            "--1s",
            "1.2.3s",
        ),
        *("\x85\x85", "٣s", "1_0s", "0x1s", "inf", "nan", "1h30", "30h1", "00", "0.0", "s1"),
        *("9223372036854775808ns", "2562048h", "9" * 20 + "s", "9" * 5000 + "ns", "9223372036854775807ns1ns"),
    ],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is of no interest
        parse_duration(text)


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        (b"", 0),
        (b"timeout=0", 0),
        (b"timeout=300ms", 0.3),
        (b"timeout=1h", 30),
        (b"timeout=-5s", 0),
        (b"timeout=%2B1s", 1),
    ],
)
def test_a_timeout_is_clamped(query: bytes, seconds: float) -> None:
    assert parse_timeout(parameters(query), 30) == seconds


@pytest.mark.parametrize(
    "query", [b"timeout=5", b"timeout=", b"timeout=abc", b"timeout=+1s", b"timeout=%ff", b"timeout"]
)
def test_an_invalid_timeout(query: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_timeout(parameters(query), 30)
    assert refusal(caught) == (400, 'Invalid "timeout" parameter', None)


@pytest.mark.parametrize(
    ("query", "most"),
    [
        (b"", 64),
        (b"max=1", 1),
        (b"max=0", 0),
        (b"max=-0", 0),
        (b"max=007", 7),
        (b"max=10000", 10_000),
        (b"max=10001", 10_000),
        (b"max=1000000000000", 10_000),
        (b"max=3&max=abc", 3),
    ],
)
def test_how_many(query: bytes, most: int) -> None:
    assert parse_max(parameters(query)) == most


@pytest.mark.parametrize(
    "text", ["", "abc", "1.5", "-1", "1e3", "1_0", "%201", "1%0A", "0x1", "%D9%A3", "9" * 20, "9" * 5000, "%ff"]
)
def test_not_how_many(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_max(parameters(f"max={text}".encode()))
    assert refusal(caught) == (400, 'Invalid "max" parameter', None)


@pytest.mark.parametrize("query", [b"", b"ackHandle=", b"ackhandle=x"])
def test_a_missing_handle(query: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_ack_handle(parameters(query))
    assert refusal(caught) == (400, 'Missing "ackHandle" parameter', None)


@pytest.mark.parametrize(
    "text",
    [
        *("1", "1.0", "-0", "1e400", "12345678901234567890123", "0.1e-5", "true", "null", '""', "[]", "{}"),
        *(
            '{"a":1,"a":2}',
            '{ "a" : [ 1 , 2 ] }',
            '"\\ud83d\\ude00"',
            '"\\u0000"',
            '"\\/"',
            '"é\u2028\x7f"',
            "[\n1\r\n]",
        ),
        "[" * MAX_DEPTH + "]" * MAX_DEPTH,
        json.dumps(["[" * 100, {"{": '"' + "}" * 100}]),
    ],
)
def test_a_content_stays_as_it_is(text: str) -> None:
    assert parse_content(text.encode()) == text
    assert parse_content(f" \n\t{text}\r\n".encode()) == text


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b" ",
            b"hello",
            b"{",
            b"[1,]",
            b"01",
            b"1.",
            b".5",
            b"+1",
            b"-",
            b"1e",
            b"NaN",
            b"Infinity",
            b"nul",
            b"1 2",
        ),
        *(
            b"'a'",
            b'"a',
            b'"a\nb"',
            b'"\x00"',
            b'"\\x"',
            b'"\\u12"',
            b'{"a" 1}',
            b"{1:2}",
            b"{,}",
            b"//\n1",
            b"\xef\xbb\xbf1",
        ),
        *(b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'["\xf5"]', b'{"\xff":1}', b"\xff\xfe1\x00"),
        *(
            b'"\\ud800"',
            b'"\\udc00 and more"',
            b'"\\ud800\\ud800 and more"',
            b'{"\\ud800 and more":1}',
            b'"\\ud800\\u0041 more"',
        ),
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b"[" * 500_000,
        b"[" * 500_000 + b"]" * 500_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_content(body)
    assert refusal(caught) == NOT_JSON


def test_a_batch() -> None:
    body = b'{"messageID":"a","content":1.0}\r\n\n {"content": {"x": 1e400} , "messageID":"b","other":[]} \n'
    assert parse_batch(body) == [Post("a", "1.0"), Post("b", '{"x": 1e400}')]
    assert parse_batch(b"") == []


BAD_LINE = 'Line 2: Not a JSON object with "messageID" and "content"'


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"hello", BAD_LINE),
        (b"1", BAD_LINE),
        (b'{"messageID":"b"}', BAD_LINE),
        (b'{"content":1}', BAD_LINE),
        (b'{"messageID":1,"content":1}', BAD_LINE),
        (b'{"messageID":"\xff","content":1}', BAD_LINE),
        (b'{"messageID":"b","content":1}{"messageID":"c","content":1}', BAD_LINE),
        (b'{"messageID":"B","content":1}', 'Line 2: Invalid "messageID" parameter'),
        (b'{"messageID":"b\\n","content":1}', 'Line 2: Invalid "messageID" parameter'),
        (b'{"messageID":"b","content":"\xff"}', "Line 2: The content is not JSON"),
        (b'{"messageID":"b","content":' + b"[" * 65 + b"]" * 65 + b"}", "Line 2: The content is not JSON"),
        (b'{"messageID":"b","content":' + b"[" * 100_000 + b"]" * 100_000 + b"}", BAD_LINE),
        (b'{"messageID":"b","content":1,"x":' + b"[" * 100_000 + b"}", BAD_LINE),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_a_bad_line(line: bytes, text: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_batch(b'{"messageID":"a","content":1}\n' + line)
    assert refusal(caught)[:2] == (400, text)


def test_too_many_lines() -> None:
    line = b'{"messageID":"a","content":1}\n'
    assert len(parse_batch(line * MAX_LINES)) == MAX_LINES
    with pytest.raises(Refusal, match="More than 1000 messages"):
        parse_batch(line * (MAX_LINES + 1))


def test_a_revocation() -> None:
    assert parse_revocation(parameters(b"jti=a%20b&exp=1776675755")) == Revocation("a b", 1_776_675_755)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (b"", 'Missing "jti" parameter'),
        (b"jti=&exp=1", 'Missing "jti" parameter'),
        (b"jti=" + b"a" * 513 + b"&exp=1", 'Invalid "jti" parameter'),
        (b"jti=%ff&exp=1", 'Invalid "jti" parameter'),
        (b"jti=a", 'Invalid "exp" parameter'),
        (b"jti=a&exp=", 'Invalid "exp" parameter'),
        (b"jti=a&exp=1.5", 'Invalid "exp" parameter'),
        (b"jti=a&exp=-1", 'Invalid "exp" parameter'),
        (b"jti=a&exp=999999999999", 'Invalid "exp" parameter'),
        (b"jti=a&exp=" + b"9" * 5000, 'Invalid "exp" parameter'),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_a_bad_revocation(query: bytes, text: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_revocation(parameters(query))
    assert refusal(caught) == (400, text, None)
