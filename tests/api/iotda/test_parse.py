"""Every rule for the body of CreateMessage: rows that pass, and rows with the code and the field of their refusal."""

import base64
import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.api.iotda.errors import Refusal
from bridge.api.iotda.parse import MAX_PAYLOAD, parse_message
from bridge.model.message import Draft

LONG = "a" * 128
RARE = "\U00020bb7\u3007中"


def parse(body: bytes | str, max_ttl: int = 1440) -> Draft:
    return parse_message(body.encode() if isinstance(body, str) else body, max_ttl)


def body(**fields: Any) -> bytes:
    return json.dumps({"message": "hello", **fields}).encode()


def refusal(text: bytes | str, max_ttl: int = 1440) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse(text, max_ttl)
    assert caught.value.status == 400
    return caught.value


def test_the_smallest_body() -> None:
    draft = parse('{"message":"hello"}')
    assert uuid.UUID(draft.message_id).version == 7
    assert draft == Draft(message_id=draft.message_id, content='"hello"', ttl=1440)


def test_everything_at_once() -> None:
    draft = parse(
        body(
            message_id="m-1",
            name="greeting",
            message={"a": 1},
            properties={
                "correlation_data": "c_1",
                "response_topic": "$oc/devices/+/x#?=-",
                "user_properties": [{"prop_key": "k", "prop_value": "v 中"}, {"prop_key": "k", "prop_value": "v2"}],
            },
            encoding="none",
            payload_format="raw",
            topic="orders/new",
            ttl=60,
        )
    )
    assert draft == Draft(
        message_id="m-1",
        content='{"a": 1}',
        ttl=60,
        name="greeting",
        encoding="none",
        payload_format="raw",
        suffix="orders/new",
        correlation_data="c_1",
        response_topic="$oc/devices/+/x#?=-",
        user_properties=(("k", "v 中"), ("k", "v2")),
    )


@pytest.mark.parametrize(
    "text",
    [
        '"plain"',
        '""',
        '"\\u4e2d \\ud83d\\ude00 \\n"',
        '"中😀"',
        "{}",
        '{"b":1.0,"a":1e400, "a" : 100000000000000000000000000000, "c":-0.0}',
        '{"long":' + "9" * 5000 + "}",
        '{"deep":' + "[" * 63 + "]" * 63 + "}",
        '{"brackets":"' + "[" * 1000 + '\\"[{"}',
        '{"many":[' + "[],{}," * 500 + "[]]}",
        "[]",
        '[1.0,1e400, "a" ,null]',
        "[" * 64 + "]" * 64,
        "true",
        "false",
        "0",
        "-0",
        "1.0",
        "1E+400",
        "12345678901234567890123",
    ],
)
def test_the_message_keeps_its_text(text: str) -> None:
    assert parse('{"x":1, "message":  ' + text + "  }").content == text


VALID = [
    {"message_id": LONG},
    {"message_id": "_-09azAZ"},
    {"name": ""},
    {"name": "aZ9" + RARE + "_?'#().,&%@!-"},
    {"name": "中" * 128},
    {"properties": {}},
    {"properties": {"correlation_data": LONG, "response_topic": LONG, "user_properties": []}},
    {"properties": {"correlation_data": "", "response_topic": ""}},
    {"properties": {"user_properties": [{"prop_key": LONG, "prop_value": "中" * 128}] * 20}},
    {"properties": {"user_properties": [{"prop_key": "k", "prop_value": ""}]}},
    {"encoding": "none", "payload_format": "standard"},
    {"encoding": "base64", "message": "aGVsbG8="},
    {"encoding": "base64", "message": ""},
    {"encoding": "base64", "message": "aGVsbG8=", "payload_format": "whatever"},
    {"topic": "t" * 128},
    {"topic": "中/a b/$x"},
    {"topic_full_name": "/"},
    {"topic_full_name": "$oc/devices/lamp-1/user/x"},
    {"topic_full_name": "$oc/broadcast/x"},
    {"ttl": 0},
    {"ttl": 5},
    {"ttl": 1440},
    {"unknown": [1, {"x": None}], "ttl2": 3},
    dict.fromkeys(
        ["message_id", "name", "properties", "encoding", "payload_format", "topic", "topic_full_name", "ttl"]
    ),
    {"properties": {"correlation_data": None, "response_topic": None, "user_properties": None}},
]


@pytest.mark.parametrize("fields", VALID)
def test_accepted(fields: dict[str, Any]) -> None:
    parse(body(**fields))


def test_a_user_property_may_lack_its_key_or_its_value() -> None:
    given = [{"prop_key": "k", "prop_value": None}, {"prop_value": "v"}, {"prop_key": ""}, {}]
    assert parse(body(properties={"user_properties": given})).user_properties == (
        ("k", ""),
        ("", "v"),
        ("", ""),
        ("", ""),
    )


PROPERTY = {"prop_key": "k", "prop_value": "v"}

WRONG_VALUES: list[tuple[str, list[Any], str]] = [
    ("message_id", [""], "1 to 128"),
    ("message_id", ["a" * 129, "a b", "a\n", "é", "a/b", "a\u0000", "\u0661"], "1 to 128"),
    ("message_id", [5, True, {}, []], "expected str"),
    ("name", ["a" * 129, "a b", "a\n", "a/b", "é", "😀", "\uff11", '"'], "at most 128"),
    ("name", [5, {}], "expected str"),
    ("encoding", ["", "BASE64", "gzip", "none "], "none or base64"),
    ("encoding", [1], "expected str"),
    ("payload_format", ["", "Raw", "json"], "standard or raw"),
    ("payload_format", [False], "expected str"),
    ("topic", ["", "t" * 129, "a/+/b", "#", "a\u0000b", "a\nb", "a\u0085", "a\uffff", "\ufdd0"], "no wildcards"),
    ("topic", [1], "expected str"),
    ("topic_full_name", ["", "t" * 129, "a/+/b", "#", "a\u0000b", "\u007f"], "no wildcards"),
    ("topic_full_name", [{}], "expected str"),
    ("ttl", [-5, 1, 7, 1445, 10**20, -(10**20)], "0 to 1440"),
    ("ttl", [True, 5.0, "5", 5.5, [], 1e300], "expected int"),
    ("properties", [1, "x", []], "expected object"),
]


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [(field, value, allowed) for field, values, allowed in WRONG_VALUES for value in values],
)
def test_wrong_value(field: str, value: Any, allowed: str) -> None:
    error = refusal(body(**{field: value}))
    assert error.code == "IOTDA.000006"
    assert error.text.startswith(f"Invalid input data. {field}: ")
    assert allowed in error.text


@pytest.mark.parametrize(
    ("properties", "field"),
    [
        ({"correlation_data": "a" * 129}, "correlation_data"),
        ({"correlation_data": "a b"}, "correlation_data"),
        ({"correlation_data": 1}, "correlation_data"),
        ({"response_topic": "a b"}, "response_topic"),
        ({"response_topic": "a" * 129}, "response_topic"),
        ({"user_properties": {}}, "user_properties"),
        ({"user_properties": [PROPERTY] * 21}, "user_properties"),
        ({"user_properties": [None]}, "user_properties[0]"),
        ({"user_properties": [PROPERTY, {"prop_key": "a" * 129, "prop_value": "v"}]}, "user_properties[1].prop_key"),
        ({"user_properties": [{"prop_key": 1}]}, "user_properties[0].prop_key"),
        ({"user_properties": [PROPERTY, {"prop_key": "k k", "prop_value": "v"}]}, "user_properties[1].prop_key"),
        ({"user_properties": [{"prop_key": "k", "prop_value": "v\n"}]}, "user_properties[0].prop_value"),
        ({"user_properties": [{"prop_key": "k", "prop_value": "a/b"}]}, "user_properties[0].prop_value"),
    ],
)
def test_wrong_property(properties: dict[str, Any], field: str) -> None:
    error = refusal(body(properties=properties))
    assert error.code == "IOTDA.000006"
    assert error.text.startswith(f"Invalid input data. properties.{field}: ")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"topic": "a", "topic_full_name": "b"}, "not together"),
        ({"topic_full_name": "$share/group/t"}, "shared subscription"),
    ],
)
def test_impossible_topic(fields: dict[str, Any], why: str) -> None:
    error = refusal(body(**fields))
    assert error.code == "IOTDA.014150"
    assert why in error.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "nonsense",
        "{}x",
        "[]",
        "null",
        "1",
        '"x"',
        "{'message':'x'}",
        '{"message":"x",}',
        '{"message":"\\ud800"}',
        '{"message":"\\ud800 and more text"}',
        '{"message":"\\udc00\\ud800"}',
        '{"message":{"a":["\\ud83dabcdefgh"]}}',
        '{"message":{"\\udc00":1}}',
        '{"message":"x","unknown":"\\ud800abcdefgh"}',
        '{"message":"x","name":"\\ud800abcdefgh"}',
        '{"message":"a\nb"}',
        '{"message":01}',
        '{"message":{"a":NaN}}',
        '{"message":{"a":' + "[" * 64 + "]" * 64 + "}}",
        '{"message":' + '{"a":' * 65 + "1" + "}" * 65 + "}",
        '{"message":' + "[" * 65 + "]" * 65 + "}",
        '{"message":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"message":"x","unknown":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"message":' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}",
        b"\xef\xbb\xbf" + b'{"message":"x"}',
        b'{"message":"\xff"}',
        b'{"message":"\xed\xa0\x80"}',
        b'{"message":{"\xc0\x80":1}}',
        b'{"message":"x","unknown":"\xff"}',
        b'{"message":"x","name":"\xff"}',
        '{"message":"x"}'.encode("utf-16"),
    ],
)
def test_not_a_json_object(text: bytes | str) -> None:
    assert refusal(text).code == "IOTDA.000008"


@pytest.mark.parametrize("text", ["{}", '{"message":null}'])
def test_the_message_is_required(text: str) -> None:
    assert refusal(text).text == "Invalid input data. message: required, any JSON but null."


def test_of_repeated_keys_the_last_counts() -> None:
    draft = parse('{"message":1,"message":"x","ttl":5,"ttl":10,"message_id":"a","message_id":"b"}')
    assert (draft.content, draft.ttl, draft.message_id) == ('"x"', 10, "b")


def test_a_number_of_5000_digits_is_no_ttl() -> None:
    assert refusal('{"message":"x","ttl":' + "9" * 5000 + "}").text.startswith("Invalid input data. ttl: ")


@pytest.mark.parametrize(
    ("message", "fits"),
    [
        (json.dumps("a" * MAX_PAYLOAD), True),
        (json.dumps("a" * (MAX_PAYLOAD + 1)), False),
        (json.dumps("中" * (MAX_PAYLOAD // 3)), True),
        (json.dumps("中" * (MAX_PAYLOAD // 3 + 1)), False),
        ('"' + "\\n" * MAX_PAYLOAD + '"', True),
        ('{"a":"' + "a" * (MAX_PAYLOAD - 8) + '"}', True),
        ('{"a":"' + "a" * (MAX_PAYLOAD - 7) + '"}', False),
        ('{"a":"' + "\\n" * (MAX_PAYLOAD // 2) + '"}', False),
    ],
)
def test_size_is_that_of_the_payload(message: str, *, fits: bool) -> None:
    text = '{"message":' + message + "}"
    if fits:
        assert parse(text).content == message
    else:
        assert refusal(text).text == f"Invalid input data. message: at most {MAX_PAYLOAD} bytes."


@pytest.mark.parametrize(("size", "fits"), [(MAX_PAYLOAD, True), (MAX_PAYLOAD + 1, False)])
def test_size_of_base64_is_that_of_the_bytes(size: int, *, fits: bool) -> None:
    text = body(message=base64.b64encode(bytes(size)).decode(), encoding="base64")
    if fits:
        parse(text)
    else:
        assert refusal(text).text.startswith("Invalid input data. message: at most")


@pytest.mark.parametrize(
    "message",
    [
        "QQ",
        "QQ=",
        "QQ===",
        "QQ==QQ==",
        "====",
        "=QQ=",
        "Q",
        "QQ==\n",
        " QQ==",
        "Q Q=",
        "QUJ-",
        "QUJ_",
        "é",
        "QUJDé",
        {},
    ],
)
def test_invalid_base64(message: Any) -> None:
    error = refusal(body(message=message, encoding="base64"))
    assert error.code == "IOTDA.000006"
    assert error.text.startswith("Invalid input data. message: ")


def test_base64_has_no_payload_format() -> None:
    draft = parse(body(message="QQ==", encoding="base64", payload_format="raw"))
    assert (draft.encoding, draft.payload_format) == ("base64", None)


@pytest.mark.parametrize(("max_ttl", "default"), [(1440, 1440), (10_080, 1440), (60, 60), (7, 7)])
def test_default_ttl(max_ttl: int, default: int) -> None:
    assert parse(body(), max_ttl).ttl == default


def test_the_largest_ttl_is_configured() -> None:
    assert parse(body(ttl=10_080), 10_080).ttl == 10_080
    assert "0 to 60" in refusal(body(ttl=65), 60).text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BODY = st.dictionaries(
    st.sampled_from(
        ["message_id", "name", "message", "properties", "encoding", "payload_format", "topic", "topic_full_name", "ttl"]
    )
    | st.text(max_size=4),
    JSON,
)


def parse_or_none(text: bytes) -> Draft | None:
    try:
        return parse(text)
    except Refusal:
        return None


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_parse_or_are_refused(text: bytes) -> None:
    draft = parse_or_none(text)
    assert draft is None or json.loads(draft.content) == json.loads(text)["message"]


@given(BODY)
def test_any_object_parses_or_is_refused(fields: dict[str, Any]) -> None:
    draft = parse_or_none(json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    assert draft is None or json.loads(draft.content) == fields["message"]


NOW = 1_776_675_755_123
"""20260420T090235Z and 123 ms."""
WEEK = 7 * 86_400_000


@pytest.mark.parametrize(
    ("text", "send_at"),
    [
        ("20260420T090236Z", NOW + 877),
        ("2026-04-20T09:02:35.123Z", NOW),
        ("20260420T090235Z", NOW - 123),  # a time without fraction stands for its whole second
        ("2026-04-27T09:02:35.123Z", NOW + WEEK),
        ("20260427T090235Z", NOW + WEEK - 123),
        (None, None),
    ],
)
def test_send_at(text: str | None, send_at: int | None) -> None:
    body = json.dumps({"message": "x", "send_at": text}).encode()
    assert parse_message(body, 1440, lambda: NOW).send_at == send_at


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"send_at": "2026-04-20T09:02:35.122Z"}, "IOTDA.000006"),
        ({"send_at": "20260420T090234Z"}, "IOTDA.000006"),
        ({"send_at": "20260427T090236Z"}, "IOTDA.000006"),
        ({"send_at": "2026-04-27T09:02:35.124Z"}, "IOTDA.000006"),
        ({"send_at": "99991231T235959Z"}, "IOTDA.000006"),
        ({"send_at": "20260420T090236Z", "ttl": 0}, "IOTDA.000006"),
        ({"send_at": 1_776_675_756}, "IOTDA.000006"),
        ({"send_at": ["20260420T090236Z"]}, "IOTDA.000006"),
        ({"send_at": ""}, "IOTDA.000009"),
        ({"send_at": "tomorrow"}, "IOTDA.000009"),
        ({"send_at": "20260420T090236Z\n"}, "IOTDA.000009"),
        ({"send_at": "2" * 5000}, "IOTDA.000009"),
        ({"send_at": "\ud800"}, "IOTDA.000008"),
    ],
)
def test_impossible_send_at(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_message(json.dumps({"message": "x", **fields}).encode(), 1440, lambda: NOW)
    assert caught.value.code == code
    assert code == "IOTDA.000008" or " send_at:" in caught.value.text
