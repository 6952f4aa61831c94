"""Whatever the credentials look like: an answer, never a 5xx, and nothing gets in."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.api.signature import SignedRequest, canonical_request
from tests.api.client import MESSAGES
from tests.api.running import Running
from tests.api.signing import AK, DATE, REGION, SERVICE, Outgoing

TEXT = st.binary(max_size=80).map(lambda value: value.translate(None, b"\r\n\x00"))
FORM = (b"SDK-HMAC-SHA256 Access=", AK.encode(), b", SignedHeaders=", b"host;x-sdk-date", b", Signature=", b"0" * 64)
DERIVED = (b"V11-HMAC-SHA256 Credential=", AK.encode() + b"/20260420/r/s", *FORM[2:])


def spoiled(parts: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """The header with any of its parts replaced, repeated or left out."""
    pieces = [
        st.just(part) | st.sampled_from([b"", part * 2, part.lower(), part.upper(), part[:-1]]) | TEXT for part in parts
    ]
    return st.tuples(*pieces).map(b"".join)


AUTHORIZATION = TEXT | spoiled(FORM) | spoiled(DERIVED) | st.just(b"".join(FORM)) | TEXT.map(b"Bearer ".__add__)
DATES = st.just(DATE.encode()) | TEXT | st.integers(0, 10**14 - 1).map(lambda n: b"%08dT%06dZ" % divmod(n, 10**6))
QUERIES = st.text("abc=&+%;~/?0123456789ABCDEFüé", max_size=60).map(lambda text: text.encode())


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with Running.started() as running:
        yield running


@given(authorization=AUTHORIZATION, date=DATES, content_hash=TEXT | st.just(b"UNSIGNED-PAYLOAD"), query=QUERIES)
def test_never_a_5xx(running: Running, authorization: bytes, date: bytes, content_hash: bytes, query: bytes) -> None:
    lines = [
        b"GET %b?%b HTTP/1.1" % (MESSAGES.encode(), query),
        b"Host: bridge",
        b"Authorization: " + authorization,
        b"X-Sdk-Date: " + date,
        *([b"X-Sdk-Content-Sha256: " + content_hash] if content_hash else []),
    ]
    assert running.exchange(b"\r\n".join([*lines, b"", b""])).status in {400, 401}


@given(token=TEXT)
def test_any_token(running: Running, token: bytes) -> None:
    data = b"GET %b HTTP/1.1\r\nHost: bridge\r\nX-Auth-Token: %b\r\n\r\n" % (MESSAGES.encode(), b"of-nobody" + token)
    assert running.exchange(data).status in {400, 401}


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)


@given(params=st.lists(st.tuples(TEXTS, TEXTS), max_size=5).map(tuple), body=TEXTS, derived=st.booleans())
def test_whatever_is_signed_is_taken(
    running: Running, params: tuple[tuple[str, str], ...], body: str, *, derived: bool
) -> None:
    outgoing = Outgoing(method="GET", params=params, body=body)
    scope = f"{DATE[:8]}/{REGION}/{SERVICE}" if derived else None
    assert running.exchange(outgoing.signed(scope=scope).wire()).status == 200


@given(path=st.text(max_size=40), query=st.binary(max_size=80))
def test_any_target_has_a_canonical_form(path: str, query: bytes) -> None:
    text = canonical_request(SignedRequest("GET", path, query, []), [], b"")
    assert text.isascii()
    assert text.count(b"\n") == 5
