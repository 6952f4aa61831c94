"""Requests signed by the vendor's SDKs: SDK-HMAC-SHA256 with the SK itself, V11-HMAC-SHA256 with a key derived from it.

Pure: no clock, no keys of its own. The only exception that leaves is BadSignature. What is signed is what the rest of
the daemon goes by (the decoded path, the parsed query, header fields without repeats, the whole body), so that nothing
that matters can be exchanged under a signature that stays valid.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qsl, quote

from bridge.api.faults import BadSignature

Fields: TypeAlias = Sequence[tuple[bytes, bytes]]

PLAIN = b"SDK-HMAC-SHA256"
DERIVED = b"V11-HMAC-SHA256"
DATE = b"x-sdk-date"
CONTENT_HASH = b"x-sdk-content-sha256"
TOLERANCE = 900_000
"""Milliseconds that X-Sdk-Date may differ from the clock, either way."""
MAX_SIGNED = 64
"""Header fields a signature may cover. The SDKs sign about six."""
MAX_TARGET = 8192
"""Characters of path and query: to decode, sort and encode a longer one takes milliseconds of everybody's time."""

_AUTHORIZATION = re.compile(
    rb"(?:SDK-HMAC-SHA256 +Access=(?P<plain>[A-Za-z0-9_-]+)"
    rb"|V11-HMAC-SHA256 +Credential=(?P<derived>[A-Za-z0-9_-]+)/(?P<scope>[0-9]{8}/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+))"
    rb" *, *SignedHeaders=(?P<names>[^\s,]+) *, *Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE = re.compile(rb"[0-9]{8}T[0-9]{6}Z")


@dataclass(frozen=True, slots=True)
class SignedCredentials:
    """What the Authorization header says."""

    ak: str
    scope: bytes | None
    """`<YYYYMMDD>/<region>/<service>` that the key was derived for; None: signed with the SK itself."""
    names: tuple[bytes, ...]
    """The signed header fields, in lower case, in the order they were signed."""
    signature: bytes
    """In hexadecimal, lower case."""


class SignedRequest(NamedTuple):
    """The request as it arrived, except for its body."""

    method: str
    path: str
    """Percent-decoded."""
    query: bytes
    fields: Fields
    """All header fields, names in lower case."""


def is_signature(authorization: bytes) -> bool:
    """Whether the Authorization header is of one of the two schemes."""
    return authorization.startswith((PLAIN, DERIVED))


def parse_authorization(value: bytes) -> SignedCredentials:
    """`<scheme> Access=<AK>, SignedHeaders=<a;b;c>, Signature=<hex>`, or Credential=<AK>/<scope> when derived."""
    match = _AUTHORIZATION.fullmatch(value.strip(b" \t"))
    if match is None:
        raise BadSignature("the Authorization header is not of the form the SDKs send")
    names = tuple(match["names"].lower().split(b";"))
    if len(names) > MAX_SIGNED:
        raise BadSignature(f"more than {MAX_SIGNED} signed header fields")
    if not {b"host", DATE} <= set(names):
        raise BadSignature("Host and X-Sdk-Date must be among the signed header fields")
    return SignedCredentials((match["plain"] or match["derived"]).decode(), match["scope"], names, match["signature"])


def signed_fields(credentials: SignedCredentials, fields: Fields) -> Fields:
    """The signed header fields with their values, in the order they were signed; each has to be there once."""
    names = set(credentials.names)
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        if name in names:
            if name in found:
                raise BadSignature("a signed header field is repeated")
            found[name] = value.strip(b" \t")
    if len(found) < len(names):
        raise BadSignature("a signed header field is missing")
    return [(name, found[name]) for name in credentials.names]


def check_date(credentials: SignedCredentials, signed: Fields, now: int) -> None:
    """`now` in milliseconds since the epoch."""
    date = dict(signed)[DATE]
    if abs(now - _milliseconds(date)) > TOLERANCE:
        raise BadSignature("X-Sdk-Date is more than 15 minutes away from the time here")
    if credentials.scope is not None and not credentials.scope.startswith(date[:8]):
        raise BadSignature("the key was derived for another day than X-Sdk-Date")


def verify(credentials: SignedCredentials, sk: str, request: SignedRequest, signed: Fields, body: bytes) -> None:
    """Returns if the holder of `sk` has signed this request; `signed` are its `signed_fields`."""
    canonical = canonical_request(request, signed, _content_hash(request.fields, body))
    digest, date = hashlib.sha256(canonical).hexdigest().encode(), dict(signed)[DATE]
    if credentials.scope is None:
        key, text = sk.encode(), b"\n".join([PLAIN, date, digest])
    else:
        key = _derived_key(credentials.ak, sk, credentials.scope)
        text = b"\n".join([DERIVED, date, credentials.scope, digest])
    if not hmac.compare_digest(_hmac(key, text).hex().encode(), credentials.signature):
        raise BadSignature


def canonical_request(request: SignedRequest, signed: Fields, content_hash: bytes) -> bytes:
    """The text that both sides make of a request. `content_hash`: SHA-256 of the body in hexadecimal."""
    if len(request.path) + len(request.query) > MAX_TARGET:
        raise BadSignature(f"path and query are longer than {MAX_TARGET} characters")
    return b"\n".join(
        [
            request.method.encode(),
            _canonical_path(request.path),
            _canonical_query(request.query),
            *(b"%b:%b" % field for field in signed),
            b"",
            b";".join(name for name, _ in signed),
            content_hash,
        ]
    )


def _canonical_path(path: str) -> bytes:
    """Encoded again segment by segment, always with a slash at the end."""
    encoded = quote(path, safe="/~", errors="surrogatepass")
    return (encoded if encoded.endswith("/") else f"{encoded}/").encode()


def _canonical_query(query: bytes) -> bytes:
    """Sorted by name and value as they are decoded, then encoded again: a space is %20, and "name" is "name="."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(pairs)).encode()


def _encoded(text: str) -> str:
    return quote(text, safe="~", errors="surrogateescape")


def _content_hash(fields: Fields, body: bytes) -> bytes:
    """The value of X-Sdk-Content-Sha256 if it was sent, which has to be the truth.

    The SDKs send UNSIGNED-PAYLOAD there with bodies that are not JSON. There are none here, and a body that anybody
    could exchange is not taken.
    """
    true = hashlib.sha256(body).hexdigest().encode()
    claimed = [value.strip(b" \t") for name, value in fields if name == CONTENT_HASH]
    if any(value.lower() != true for value in claimed):
        raise BadSignature
    return claimed[-1] if claimed else true


def _derived_key(ak: str, sk: str, scope: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) with one block of output, as hexadecimal text."""
    extracted = _hmac(ak.encode(), sk.encode())
    return _hmac(extracted, scope + b"\x01").hex().encode()


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _milliseconds(date: bytes) -> int:
    try:
        if _DATE.fullmatch(date):
            return int(datetime.strptime(date.decode(), "%Y%m%dT%H%M%S%z").timestamp()) * 1000
    except ValueError:  # a 30th of February
        pass
    raise BadSignature("X-Sdk-Date is not a time like 20260102T030405Z")
