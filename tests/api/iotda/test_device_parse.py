"""Bodies about devices → what the core speaks, as a table for every field."""

import json
from typing import Any

import pytest

from bridge.api.iotda.device_parse import (
    Reset,
    parse_amendment,
    parse_enrolment,
    parse_reset_fingerprint,
    parse_reset_secret,
)
from bridge.api.iotda.errors import Refusal
from bridge.model.device import AuthType, Slot
from bridge.model.record import Amendment, Enrolment, Profile

PRINT = "0123456789abcdef" * 4
COLONS = ":".join(PRINT[at : at + 2] for at in range(0, 64, 2)).upper()
CERTIFICATES = {"auth_type": "CERTIFICATES", "fingerprint": PRINT}
CONTROLS = [
    "\x00",
    "\n",
    "\r",
    "\t",
    "\x7f",
    "\x85",
    "\u2028",
    "\ud800",
    "\u202e",
    "\U0001f600",
    '"',
    "<",
    "\\",
    "`",
    "$",
]


def body(**fields: Any) -> bytes:
    return json.dumps({"node_id": "n1", **fields}).encode()


def refusal(parse: Any, data: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse(data)
    return caught.value


def test_the_least() -> None:
    assert parse_enrolment(b'{"node_id":"n1"}') == Enrolment("default_n1", Profile("n1"))


def test_everything() -> None:
    data = {
        "device_id": "lamp-1",
        "node_id": "aa:bb:cc",
        "device_name": "Lampe #1 灯",
        "product_id": "lamps",
        "auth_info": {"auth_type": "SECRET", "secret": "12345678", "secure_access": True, "timeout": 300},
        "description": "over the door, 2nd floor (left)",
        "gateway_id": "hub-1",
        "app_id": "app_1",
        "extension_info": {"n": 1.0},
        "shadow": [],
        "anything": "ignored",
    }
    text = json.dumps(data).replace("1.0", "1.0e0").encode()
    profile = Profile(
        "aa:bb:cc",
        "lamps",
        "Lampe #1 灯",
        "over the door, 2nd floor (left)",
        "app_1",
        '{"n": 1.0e0}',
        timeout=300,
    )
    assert parse_enrolment(text) == Enrolment(
        "lamp-1", profile, secret="12345678", secure_access=True, gateway_id="hub-1"
    )


def test_null_is_absent() -> None:
    names = ("device_id", "device_name", "product_id", "auth_info", "description", "gateway_id", "app_id")
    assert parse_enrolment(body(**dict.fromkeys((*names, "extension_info")))) == Enrolment("default_n1", Profile("n1"))
    auth = dict.fromkeys(("auth_type", "secret", "fingerprint", "secure_access", "timeout"))
    assert parse_enrolment(body(auth_info=auth)) == Enrolment("default_n1", Profile("n1"))


@pytest.mark.parametrize(
    ("fields", "device_id"),
    [
        ({"node_id": "n"}, "default_n"),
        ({"product_id": "p"}, "p_n1"),
        ({"product_id": "p" * 36, "node_id": "n" * 64}, "p" * 36 + "_" + "n" * 64),
        ({"device_id": "d", "product_id": "p"}, "d"),
        ({"device_id": "d" * 128}, "d" * 128),
        ({"device_id": "d", "node_id": "a:b"}, "d"),
    ],
)
def test_the_device_id(fields: dict[str, Any], device_id: str) -> None:
    assert parse_enrolment(body(**fields)).device_id == device_id


@pytest.mark.parametrize("fingerprint", [PRINT, PRINT.upper(), COLONS, COLONS.lower()])
def test_a_certificate(fingerprint: str) -> None:
    enrolment = parse_enrolment(body(auth_info={"auth_type": "CERTIFICATES", "fingerprint": fingerprint}))
    assert (enrolment.auth_type, enrolment.fingerprint, enrolment.secret) == (AuthType.CERTIFICATES, PRINT, "")


def test_its_own_gateway_is_none() -> None:
    """So the vendor shows a device that is not behind a gateway."""
    assert parse_enrolment(body(device_id="d", gateway_id="d")).gateway_id is None
    assert parse_enrolment(body(gateway_id="default_n1")).gateway_id is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("node_id", None),
        ("node_id", ""),
        ("node_id", "n" * 65),
        ("node_id", "a b"),
        ("node_id", "n1\n"),
        ("node_id", "é"),
        ("device_id", ""),
        ("device_id", "d" * 129),
        ("device_id", "a:b"),
        ("device_id", "a/b"),
        ("device_id", "d\n"),
        ("product_id", ""),
        ("product_id", "p" * 37),
        ("product_id", "a:b"),
        ("app_id", ""),
        ("app_id", "a" * 37),
        ("app_id", "a b"),
        ("gateway_id", ""),
        ("gateway_id", "../x"),
        ("gateway_id", "g" * 129),
        ("device_name", "x" * 257),
        ("description", "x" * 2049),
        *(("device_name", f"a{char}") for char in CONTROLS),
        *(("description", f"a{char}") for char in CONTROLS),
        ("extension_info", "text"),
        ("extension_info", []),
        ("extension_info", 1),
        ("extension_info", True),
        ("extension_info", {"x": "y" * 1024}),
        ("auth_info.auth_type", {"auth_type": "secret"}),
        ("auth_info.auth_type", {"auth_type": ""}),
        ("auth_info.auth_type", {"auth_type": "PSK"}),
        ("auth_info.secret", {"secret": "1234567"}),
        ("auth_info.secret", {"secret": "x" * 33}),
        ("auth_info.secret", {"secret": "with space"}),
        ("auth_info.secret", {"secret": "12345678\n"}),
        ("auth_info.secret", {"secret": ""}),
        ("auth_info.secret", {"secret": "12345678", **CERTIFICATES}),
        ("auth_info.fingerprint", {"auth_type": "CERTIFICATES"}),
        ("auth_info.fingerprint", {"fingerprint": PRINT}),
        ("auth_info.fingerprint", {**CERTIFICATES, "fingerprint": PRINT[:40]}),
        ("auth_info.fingerprint", {**CERTIFICATES, "fingerprint": PRINT + "00"}),
        ("auth_info.fingerprint", {**CERTIFICATES, "fingerprint": PRINT[:-1] + "g"}),
        ("auth_info.fingerprint", {**CERTIFICATES, "fingerprint": COLONS + ":"}),
        ("auth_info.fingerprint", {**CERTIFICATES, "fingerprint": PRINT[:2] + ":" + PRINT[2:]}),
        ("auth_info.fingerprint", {**CERTIFICATES, "fingerprint": ""}),
        ("auth_info.timeout", {"timeout": -1}),
        ("auth_info.timeout", {"timeout": 2_147_483_648}),
    ],
)
def test_a_value_that_is_none_of_the_field(field: str, value: Any) -> None:
    refused = refusal(parse_enrolment, body(**{field.partition(".")[0]: value}))
    assert (refused.status, refused.headers) == (400, None)
    if "\ud800" in str(value):  # no JSON string stands for it
        assert refused.code in {"IOTDA.000006", "IOTDA.000008"}
    else:
        assert refused.code == "IOTDA.000006"
        assert refused.text.startswith(f"Invalid input data. {field}: ")


WRONG_TYPES: dict[str, list[Any]] = {
    **{
        name: [1, 1.5, True, [], {}]
        for name in ("device_id", "node_id", "device_name", "product_id", "description", "gateway_id", "app_id")
    },
    "auth_info": ["x", 1, True, []],
    "auth_info.auth_type": [1, [], {}],
    "auth_info.secret": [12345678, [], {}],
    "auth_info.fingerprint": [1, [], {}],
    "auth_info.secure_access": ["true", 1, 0, [], {}],
    "auth_info.timeout": ["5", 1.5, True, [], {}, 2**70],
}


@pytest.mark.parametrize(("field", "value"), [(name, value) for name in WRONG_TYPES for value in WRONG_TYPES[name]])
def test_a_value_of_another_type(field: str, value: Any) -> None:
    outer, _, inner = field.partition(".")
    refused = refusal(parse_enrolment, body(**{outer: {inner: value} if inner else value}))
    assert refused.code == "IOTDA.000006"
    assert refused.text.startswith(f"Invalid input data. {field}: ")


def test_a_colon_is_for_node_ids_only() -> None:
    refused = refusal(parse_enrolment, body(node_id="aa:bb"))
    assert refused.text.startswith("Invalid input data. device_id: required when node_id has a colon")


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"[]", b'"x"', b"\xff", b'{"node_id":"n1"}x', b"[" * 100_000])
def test_a_body_that_is_no_object(data: bytes) -> None:
    for parse in (parse_enrolment, parse_amendment):
        assert refusal(parse, data).code == "IOTDA.000008"


def test_extension_info_is_bounded_in_size_and_depth() -> None:
    exactly = '{"x":"' + "y" * (1024 - 8) + '"}'
    enrolment = parse_enrolment(b'{"node_id":"n1","extension_info":%b}' % exactly.encode())
    assert enrolment.profile.extension_info == exactly
    deep = b'{"node_id":"n1","extension_info":' + b'{"a":' * 65 + b"1" + b"}" * 66
    assert refusal(parse_enrolment, deep).code == "IOTDA.000008"


def test_amendments() -> None:
    assert parse_amendment(b"{}") == Amendment()
    nothing = dict.fromkeys(("device_name", "description", "extension_info", "auth_info"))
    assert parse_amendment(json.dumps(nothing).encode()) == Amendment()
    everything = {
        "device_name": "new",
        "description": "",
        "extension_info": {},
        "auth_info": {"secure_access": False, "timeout": 0, "secret": "ignored"},
        "device_id": 5,
    }
    assert parse_amendment(json.dumps(everything).encode()) == Amendment("new", "", "{}", False, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device_name", "x" * 257),
        ("device_name", 1),
        ("description", "\x00"),
        ("extension_info", []),
        ("extension_info", {"x": "y" * 1024}),
        ("auth_info", "x"),
        ("auth_info.timeout", {"timeout": -1}),
        ("auth_info.timeout", {"timeout": "1"}),
        ("auth_info.secure_access", {"secure_access": "yes"}),
    ],
)
def test_amendments_that_cannot_be(field: str, value: Any) -> None:
    refused = refusal(parse_amendment, json.dumps({field.partition(".")[0]: value}).encode())
    assert (refused.code, refused.text.split(": ")[0]) == ("IOTDA.000006", f"Invalid input data. {field}")


@pytest.mark.parametrize(
    ("data", "reset"),
    [
        (b"", Reset(None, Slot.PRIMARY, disconnect=False)),
        (b"{}", Reset(None, Slot.PRIMARY, disconnect=False)),
        (b'{"secret":null,"force_disconnect":null,"secret_type":null}', Reset(None, Slot.PRIMARY, disconnect=False)),
        (b'{"secret":"12345678"}', Reset("12345678", Slot.PRIMARY, disconnect=False)),
        (b'{"secret_type":"SECONDARY","force_disconnect":true}', Reset(None, Slot.SECONDARY, disconnect=True)),
    ],
)
def test_a_secret_to_be_replaced(data: bytes, reset: Reset) -> None:
    assert parse_reset_secret(data) == reset


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("secret", "short"),
        ("secret", ""),
        ("secret", 12345678),
        ("secret", "x" * 33),
        ("secret", "12345678\x00"),
        ("force_disconnect", "true"),
        ("force_disconnect", 1),
        ("secret_type", "primary"),
        ("secret_type", ""),
        ("secret_type", 1),
    ],
)
def test_a_secret_that_cannot_be(field: str, value: Any) -> None:
    refused = refusal(parse_reset_secret, json.dumps({field: value}).encode())
    assert (refused.code, refused.text.split(": ")[0]) == ("IOTDA.000006", f"Invalid input data. {field}")


def test_a_fingerprint_to_be_replaced() -> None:
    data = {"fingerprint": COLONS, "fingerprint_type": "SECONDARY", "force_disconnect": True}
    assert parse_reset_fingerprint(json.dumps(data).encode()) == Reset(PRINT, Slot.SECONDARY, disconnect=True)


@pytest.mark.parametrize(
    ("field", "data"),
    [
        ("fingerprint", b""),
        ("fingerprint", b"{}"),
        ("fingerprint", b'{"fingerprint":"ab"}'),
        ("fingerprint_type", b'{"fingerprint":"%b","fingerprint_type":"x"}' % PRINT.encode()),
    ],
)
def test_a_fingerprint_that_cannot_be(field: str, data: bytes) -> None:
    refused = refusal(parse_reset_fingerprint, data)
    assert (refused.code, refused.text.split(": ")[0]) == ("IOTDA.000006", f"Invalid input data. {field}")
