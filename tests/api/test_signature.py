"""Signed requests: those of the vendor's SDK, those of a second implementation, and those changed on the way."""

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import unquote

import pytest

from bridge.api.faults import BadSignature
from bridge.api.settings import HttpSettings
from bridge.api.signature import (
    MAX_SIGNED,
    MAX_TARGET,
    TOLERANCE,
    SignedCredentials,
    SignedRequest,
    canonical_request,
    check_date,
    parse_authorization,
    signed_fields,
    verify,
)
from tests.api import signature_vectors as vectors
from tests.api.client import MESSAGES, Answer, Client
from tests.api.memory import MemoryMessages
from tests.api.signature_vectors import VECTORS, Vector
from tests.api.signing import (
    AK,
    DATE,
    HELLO,
    READER_AK,
    READER_SK,
    REGION,
    SERVICE,
    STRANGER_AK,
    Outgoing,
)
from tests.store.clock import HandClock

Change: TypeAlias = Callable[[Outgoing], Outgoing]

SCOPE = f"{DATE[:8]}/{REGION}/{SERVICE}"
AT = 1_776_675_755_000
"""DATE, in milliseconds."""
HASH = "x-sdk-content-sha256"
TEXT = "Authentication failed: unknown access key or wrong signature."


def arrived(vector: Vector) -> SignedRequest:
    path, _, query = vector.target.partition("?")
    return SignedRequest(vector.method, unquote(path), query.encode(), vector.fields)


def check(vector: Vector, *, sk: str = vectors.SK, body: bytes | None = None) -> None:
    credentials, request = parse_authorization(vector.authorization), arrived(vector)
    signed = signed_fields(credentials, request.fields)
    check_date(credentials, signed, AT)
    verify(credentials, sk, request, signed, vector.body if body is None else body)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_what_the_vendor_signed(vector: Vector) -> None:
    check(vector)
    with pytest.raises(BadSignature):
        check(vector, sk=vectors.SK + "x")
    with pytest.raises(BadSignature):
        check(vector, body=vector.body + b" ")
    last = "0" if vector.signature[-1] != "0" else "1"
    with pytest.raises(BadSignature):
        check(vector._replace(signature=vector.signature[:-1] + last))


def test_the_canonical_request_spelled_out() -> None:
    request = SignedRequest("GET", "/a b/ü~", b"b=2&a=%7e+*&b=1&c", [])
    signed = [(b"host", b"x:1"), (b"x-sdk-date", b"20260420T090235Z")]
    assert canonical_request(request, signed, b"e3b0").decode() == (
        "GET\n/a%20b/%C3%BC~/\na=~%20%2A&b=1&b=2&c=\nhost:x:1\nx-sdk-date:20260420T090235Z\n\nhost;x-sdk-date\ne3b0"
    )


@pytest.mark.parametrize(
    "value",
    [
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64,
        b"SDK-HMAC-SHA256  Access=A,SignedHeaders=host;x-sdk-date ,  Signature=" + b"0" * 64,
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=Host;X-Sdk-Date, Signature=" + b"0" * 64,
    ],
)
def test_the_form_of_the_header(value: bytes) -> None:
    assert parse_authorization(value) == SignedCredentials("A", None, (b"host", b"x-sdk-date"), b"0" * 64)


def test_the_form_of_the_derived_header() -> None:
    value = b"V11-HMAC-SHA256 Credential=A/20260420/r-1/s.x, SignedHeaders=x-sdk-date;host, Signature=" + b"f" * 64
    expected = SignedCredentials("A", b"20260420/r-1/s.x", (b"x-sdk-date", b"host"), b"f" * 64)
    assert parse_authorization(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"SDK-HMAC-SHA256",
        b"SDK-HMAC-SHA256 Access=A",
        b"SDK-HMAC-SHA256Access=A, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64,
        b"SDK-HMAC-SHA256 Access=, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64,
        b"SDK-HMAC-SHA256 Access=A/20260420/r/s, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64,
        b"SDK-HMAC-SHA256 Credential=A/20260420/r/s, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64,
        b"V11-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64,
        b"V11-HMAC-SHA256 Credential=A, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64,
        b"V11-HMAC-SHA256 Credential=A/2026042/r/s, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64,
        b"V11-HMAC-SHA256 Credential=A/20260420//s, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64,
        b"SDK-HMAC-SM3 Access=A, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64,
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 63,
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 65,
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, Signature=" + b"g" * 64,
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, Signature=" + b"0" * 64 + b"\n",
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=, Signature=" + b"0" * 64,
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature=" + b"0" * 64,
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=x-sdk-date, Signature=" + b"0" * 64,
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date;, Signature=" + b"0" * 63,
        b"SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date"
        + b"".join(b";x%d" % n for n in range(MAX_SIGNED - 1))
        + b", Signature="
        + b"0" * 64,
    ],
)
def test_what_is_not_of_that_form(value: bytes) -> None:
    with pytest.raises(BadSignature):
        parse_authorization(value)


@pytest.mark.parametrize("date", ["20260420T090235", "20260420 090235Z", "20260230T090235Z", "00000420T090235Z", ""])
def test_a_date_that_is_none(date: str) -> None:
    credentials = SignedCredentials("A", None, (b"host", b"x-sdk-date"), b"0" * 64)
    with pytest.raises(BadSignature, match="not a time"):
        check_date(credentials, [(b"x-sdk-date", date.encode())], AT)


@pytest.mark.parametrize(("path", "query"), [(MAX_TARGET, 0), (1, MAX_TARGET - 1)])
def test_the_longest_target(path: int, query: int) -> None:
    def canonical(more: int) -> bytes:
        return canonical_request(SignedRequest("GET", "/" * (path + more), b"a" * query, []), [], b"")

    assert len(canonical(0)) > MAX_TARGET
    with pytest.raises(BadSignature, match="longer than 8192"):
        canonical(1)


SENT = Outgoing(params=(("b", "2"), ("a", "ü ~/+*%")))
BOTH = pytest.mark.parametrize("scope", [None, SCOPE], ids=["plain", "derived"])


@BOTH
@pytest.mark.parametrize(
    "outgoing",
    [
        Outgoing(),
        SENT,
        Outgoing(params=(("k", "2"), ("k", "1"), ("k", ""), ("k", "ä"), ("K", "3"))),
        Outgoing(params=(("名", "灯"), ("é", "\U0001f600"), ("a=b", "c&d"), ("", ""))),
        Outgoing(body='{"message":"灯 \U0001f600"}'),
        Outgoing(method="GET", body=""),
        Outgoing(method="GET", body="", params=(("limit", "10"), ("status", "PENDING"))),
        Outgoing(method="GET", body='{"a":"body"}'),
        Outgoing().adding("X-Name", "灯").adding("Instance-Id", "a  b"),
        Outgoing().adding(HASH, hashlib.sha256(HELLO.encode()).hexdigest()),
    ],
)
async def test_a_second_implementation(client: Client, outgoing: Outgoing, scope: str | None) -> None:
    answer = await client.exchange(outgoing.signed(scope=scope).wire())
    assert answer.status == (201 if outgoing.method == "POST" else 200)


async def test_head_has_its_own_signature(client: Client) -> None:
    get = Outgoing(method="GET", body="").signed()
    head = Outgoing(method="HEAD", body="").signed()
    assert (await client.exchange(head.wire(), bodiless=True)).status == 200
    assert (await client.exchange(dataclasses.replace(get, method="HEAD").wire(), bodiless=True)).status == 401


async def test_a_signed_delete(client: Client, messages: MemoryMessages) -> None:
    await client.post('{"message":"x","message_id":"m-1"}')
    deletion = Outgoing("DELETE", MESSAGES + "/m-1", body="").signed()
    assert (await client.exchange(dataclasses.replace(deletion, target=MESSAGES + "/m-2").wire())).status == 401
    assert messages.stored
    assert (await client.exchange(deletion.wire())).status == 204
    assert not messages.stored


@pytest.mark.parametrize(
    "change",
    [
        lambda sent: dataclasses.replace(sent, fields=tuple(reversed(sent.fields))),
        lambda sent: dataclasses.replace(sent, fields=tuple((name.upper(), value) for name, value in sent.fields)),
        lambda sent: dataclasses.replace(sent, fields=tuple((name, f" \t{value}\t ") for name, value in sent.fields)),
        lambda sent: dataclasses.replace(sent, params=tuple(reversed(sent.params))),
        lambda sent: dataclasses.replace(sent, target=MESSAGES + "?b=2&a=%c3%bc+%7e/%2B*%25"),
        lambda sent: dataclasses.replace(sent, target=MESSAGES.replace("lamp", "%6camp") + "?b=2&a=%c3%bc+%7e/%2B*%25"),
        lambda sent: sent.adding("Accept", "*/*").adding("Accept", "text/plain"),
        lambda sent: sent.adding("X-Auth-Token", "nobody"),
        lambda sent: sent.adding(HASH, hashlib.sha256(HELLO.encode()).hexdigest()),
    ],
    ids=["order", "case", "space", "parameters", "encoding", "path", "unsigned fields", "wrong token", "hash"],
)
async def test_what_may_change_on_the_way(client: Client, change: Change) -> None:
    for scope in (None, SCOPE):
        assert (await client.exchange(change(SENT.signed(scope=scope)).wire())).status == 201


TAMPERED: dict[str, Change] = {
    "method": lambda sent: dataclasses.replace(sent, method="GET"),
    "path": lambda sent: dataclasses.replace(sent, path=MESSAGES.replace("lamp-1", "lamp-2")),
    "project": lambda sent: dataclasses.replace(sent, path=MESSAGES.replace("plant", "other")),
    "parameter changed": lambda sent: dataclasses.replace(sent, params=(("b", "3"), sent.params[1])),
    "parameter renamed": lambda sent: dataclasses.replace(sent, params=(("c", "2"), sent.params[1])),
    "parameter added": lambda sent: dataclasses.replace(sent, params=(*sent.params, ("limit", "1"))),
    "parameter repeated": lambda sent: dataclasses.replace(sent, params=(*sent.params, sent.params[0])),
    "parameter removed": lambda sent: dataclasses.replace(sent, params=sent.params[:1]),
    "query removed": lambda sent: dataclasses.replace(sent, params=()),
    "a space for a plus": lambda sent: dataclasses.replace(sent, target=MESSAGES + "?b=2&a=%C3%BC%20~/+*%25"),
    "host": lambda sent: sent.having("Host", "bridge.example"),
    "agent": lambda sent: sent.having("User-Agent", "another"),
    "project header": lambda sent: sent.having("X-Project-Id", "Plant"),
    "space inside": lambda sent: sent.having("User-Agent", "huaweicloud-usdk-python/ 3.0"),
    "date": lambda sent: sent.having("X-Sdk-Date", "20260420T090236Z"),
    "field removed": lambda sent: sent.lacking("X-Project-Id"),
    "field emptied": lambda sent: sent.having("X-Project-Id", ""),
    "field repeated": lambda sent: sent.adding("X-Project-Id", "plant"),
    "date removed": lambda sent: sent.lacking("X-Sdk-Date"),
    "date repeated": lambda sent: sent.adding("x-sdk-date", "20260420T090236Z"),
    "body changed": lambda sent: dataclasses.replace(sent, body=sent.body.replace("hello", "hullo")),
    "body longer": lambda sent: dataclasses.replace(sent, body=sent.body + " "),
    "body removed": lambda sent: dataclasses.replace(sent, body=""),
    "another key": lambda sent: sent.authorized(AK, READER_AK),
    "a key of nobody": lambda sent: sent.authorized(AK, "AKOFNOBODY0000000000"),
    "a key that cannot be": lambda sent: sent.authorized(AK, "ak"),
    "order of the names": lambda sent: sent.authorized("content-type;host", "host;content-type"),
    "a name less": lambda sent: sent.authorized("user-agent;", ""),
    "a name more": lambda sent: sent.authorized("host;", "host;content-length;"),
    "a name that is missing": lambda sent: sent.authorized("host;", "host;no-such-field;"),
    "a name twice": lambda sent: sent.authorized("host;", "host;host;"),
    "capitals": lambda sent: sent.having(
        "Authorization", dict(sent.fields)["Authorization"][:-64] + dict(sent.fields)["Authorization"][-64:].upper()
    ),
    "signature cut": lambda sent: sent.having("Authorization", dict(sent.fields)["Authorization"][:-1]),
    "signature gone": lambda sent: sent.having("Authorization", dict(sent.fields)["Authorization"][:-64]),
    "a hash that is none": lambda sent: sent.adding(HASH, "UNSIGNED-PAYLOAD"),
    "another hash": lambda sent: sent.adding(HASH, hashlib.sha256(b"").hexdigest()),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
async def test_what_was_changed_on_the_way(client: Client, messages: MemoryMessages, change: Change) -> None:
    for scope in (None, SCOPE):
        sent = SENT.signed(scope=scope)
        refused(await client.exchange(change(sent).wire()))
        assert not messages.stored
        assert (await client.exchange(sent.wire())).status == 201
        messages.stored.clear()


def refused(answer: Answer) -> None:
    assert (answer.status, answer.code) == (401, "IOTDA.000002")
    assert answer.text.startswith("Authentication failed: ")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (REGION, "cn-south-1"),
        (SERVICE, "ecs"),
        ("V11-HMAC-SHA256 Credential", "SDK-HMAC-SHA256 Access"),
        (f"V11-HMAC-SHA256 Credential={AK}/{SCOPE}", f"SDK-HMAC-SHA256 Access={AK}"),
    ],
)
async def test_what_a_key_was_derived_for(client: Client, old: str, new: str) -> None:
    refused(await client.exchange(Outgoing().signed(scope=SCOPE).authorized(old, new).wire()))


async def test_a_key_derived_for_another_day(client: Client) -> None:
    answer = await client.exchange(Outgoing().signed(scope=f"20260419/{REGION}/{SERVICE}").wire())
    refused(answer)
    assert "another day" in answer.text


@pytest.mark.parametrize("value", ["UNSIGNED-PAYLOAD", hashlib.sha256(b"another body").hexdigest(), ""])
async def test_a_signed_hash_has_to_be_the_truth(client: Client, messages: MemoryMessages, value: str) -> None:
    refused(await client.exchange(Outgoing().adding(HASH, value).signed(content_hash=value or "e3b0").wire()))
    assert not messages.stored


@pytest.mark.parametrize("names", [("host", "x-sdk-date"), ("x-sdk-date", "host"), ("x-sdk-date", "host", "accept")])
async def test_the_fewest_fields(client: Client, names: tuple[str, ...]) -> None:
    assert (await client.exchange(Outgoing().adding("Accept", "*/*").signed(names=names).wire())).status == 201


@pytest.mark.parametrize("names", [("host",), ("x-sdk-date",), ("content-type", "user-agent")])
async def test_host_and_date_have_to_be_signed(client: Client, names: tuple[str, ...]) -> None:
    answer = await client.exchange(Outgoing().signed(names=names).wire())
    refused(answer)
    assert "Host and X-Sdk-Date" in answer.text


@BOTH
@pytest.mark.parametrize(
    ("off", "accepted"),
    [(0, True), (TOLERANCE, True), (-TOLERANCE, True), (TOLERANCE + 1, False), (-TOLERANCE - 1, False)],
)
async def test_the_clock(client: Client, clock: HandClock, scope: str | None, off: int, *, accepted: bool) -> None:
    clock.now = AT + off
    answer = await client.exchange(Outgoing().signed(scope=scope).wire())
    assert answer.status == (201 if accepted else 401)
    assert accepted or "15 minutes" in answer.text
    assert TOLERANCE == 15 * 60 * 1000


async def test_rights_of_the_key(client: Client) -> None:
    reading = Outgoing(method="GET", body="").signed(ak=READER_AK, sk=READER_SK)
    assert (await client.exchange(reading.wire())).status == 200
    answer = await client.exchange(Outgoing().signed(ak=READER_AK, sk=READER_SK).wire())
    assert (answer.status, answer.code) == (403, "IOTDA.000021")
    assert "messages:send" in answer.text
    answer = await client.exchange(Outgoing().signed(ak=STRANGER_AK).wire())
    assert (answer.status, answer.code) == (403, "IOTDA.000021")
    assert "another project" in answer.text


@pytest.mark.parametrize(("token", "status"), [("app", 201), ("reader", 403)])
async def test_a_valid_token_decides_first(client: Client, token: str, status: int) -> None:
    for sent in (Outgoing().signed(ak="ak", sk="sk"), Outgoing().signed()):
        assert (await client.exchange(sent.adding("X-Auth-Token", token).wire())).status == status


async def test_who_is_unknown_learns_nothing(client: Client) -> None:
    for sent in (Outgoing().signed(sk="wrong"), Outgoing().signed(ak="AKOFNOBODY0000000000")):
        assert (await client.exchange(sent.wire())).text == TEXT


@pytest.mark.parametrize("settings", [HttpSettings(bind="127.0.0.1:0", max_body=1024)])
async def test_the_body_is_bounded(client: Client) -> None:
    assert (await client.exchange(Outgoing(body=HELLO.ljust(1024)).signed().wire())).status == 201
    answer = await client.exchange(Outgoing(body=HELLO.ljust(1025)).signed().wire())
    assert (answer.status, answer.code) == (400, "IOTDA.000006")
    assert (await client.get("/healthz")).status == 200


async def test_a_body_in_pieces(client: Client) -> None:
    data = Outgoing().signed().wire()
    head, end, body = data.partition(b"\r\n\r\n")
    client.writer.write(head.replace(b"Content-Length: 19", b"Transfer-Encoding: chunked") + end)
    for byte in body:
        client.writer.write(b"1\r\n%c\r\n" % byte)
        await client.writer.drain()
        await asyncio.sleep(0)
    assert (await client.exchange(b"0\r\n\r\n")).status == 201


async def test_expect(client: Client) -> None:
    head, end, body = Outgoing().signed().adding("Expect", "100-continue").wire().partition(b"\r\n\r\n")
    assert (await client.exchange(head + end)).status == 100
    assert (await client.exchange(body)).status == 201
