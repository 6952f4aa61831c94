"""Pages of other origins that may call: the CORS protocol of the Fetch standard (section 3.3).

Credentials are header fields that a page sets itself, never cookies, so Access-Control-Allow-Credentials is never said.
Starlette's middleware has one list of methods for all paths, and does not see the answers that are given outside of
ASGI; a browser shows a page none of the answers without these fields, and least of all why it was refused.
"""

import re
from collections.abc import Iterable, Sequence

from starlette.responses import Response

from bridge.api.direct import Fields

ANY = "*"
REQUEST_FIELDS = (
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "DLM-Type",
    "Idempotency-Key",
    "Last-Event-ID",
    "Prefer",
    "Workspace",
    "X-Auth-Token",
    "X-Project-Id",
    "X-Request-Id",
    "X-Sdk-Content-Sha256",
    "X-Sdk-Date",
)
"""What is read of a request, or signed by the vendor's SDKs, and a page may not set unasked."""
ANSWER_FIELDS = ("Accept-Encoding", "Allow", "Preference-Applied", "Retry-After", "WWW-Authenticate", "X-Request-Id")
"""What is said beside the answer, and a page may not read unasked."""
MAX_AGE = 7200
"""Seconds that a browser may remember the answer to a preflight; Chromium remembers none for longer."""

_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ASKED = b"access-control-request-method"
_VARY = (b"vary", b"Origin")


class Cors:
    """What answers say about who may read them. `origins`: those allowed, as browsers write them, or `*` alone."""

    def __init__(self, origins: Sequence[str]) -> None:
        allowed = [origin.encode("ascii") for origin in origins]
        exposed = (b"access-control-expose-headers", ", ".join(ANSWER_FIELDS).encode())
        self._of: dict[bytes, Fields] = {
            origin: [(b"access-control-allow-origin", origin), exposed, _VARY] for origin in allowed
        }
        self._others: Fields = [_VARY]
        if ANY in origins:
            self._of, self._others = {}, [(b"access-control-allow-origin", b"*"), exposed]

    def fields(self, request: Fields) -> Fields:
        """What the answer to a request has, however it ends. `request`: its header fields, names in lower case."""
        return self._of.get(_value(request, b"origin"), self._others)

    def allows(self, origin: bytes) -> bool:
        return not self._of or origin in self._of


def is_preflight(method: str, request: Fields) -> bool:
    """Whether a browser asks what a page may send. Its answer needs no credentials: none can be sent with it."""
    return method == "OPTIONS" and bool(_value(request, b"origin")) and bool(_value(request, _ASKED))


def preflight(methods: Iterable[str]) -> Response:
    """The answer to an allowed origin: the methods of the path, and every header field that anything here reads."""
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
            "Access-Control-Allow-Headers": ", ".join(REQUEST_FIELDS),
            "Access-Control-Max-Age": str(MAX_AGE),
        },
    )


def check_origins(origins: Sequence[str]) -> None:
    """ValueError, the second half of a sentence, for what no browser would send as Origin."""
    for origin in origins:
        if origin == ANY:
            if len(origins) > 1:
                raise ValueError('has "*" beside other origins: give it alone, or leave it out')
        else:
            _check_origin(origin)


def _check_origin(origin: str) -> None:
    shape = _ORIGIN.fullmatch(origin)
    if shape is None or int(shape["port"] or 1) > 65_535:
        raise ValueError(
            f'has "{origin}", which is no origin: write scheme://host or scheme://host:port, in lower case and with'
            " nothing behind it"
        )
    if shape["port"] == _DEFAULT_PORTS.get(shape["scheme"], ""):
        raise ValueError(f'has "{origin}", but browsers leave the default port out: remove :{shape["port"]}')


def _value(request: Fields, name: bytes) -> bytes:
    return next((value for field, value in request if field == name), b"")
