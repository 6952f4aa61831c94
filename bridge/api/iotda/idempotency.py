"""The header field Idempotency-Key (draft-ietf-httpapi-idempotency-key-header). Pure."""

import re
from hashlib import sha256

from bridge.api.iotda.errors import bad_parameter
from bridge.api.operation import Parameter
from bridge.api.resource import Call
from bridge.api.schema import text as text_of
from bridge.model.once import Once

FIELD = b"idempotency-key"
_KEY = re.compile(r"[!-~]{1,255}")
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
"""A string of RFC 8941, section 3.3.3."""
_ESCAPED = re.compile(r"\\(.)")

PARAMETER = Parameter(
    "Idempotency-Key",
    text_of(_KEY),
    "The request may be repeated for 24 hours with the same body and key, which is its device's own; bare or in quotes."
    " Not together with waiting for the reply.",
    "header",
)


def parse_once(call: Call, body: bytes) -> Once | None:
    """How the request says that it may be repeated; None: it does not. Errors: Refusal."""
    if FIELD not in call.fields:
        return None
    if sum(name == FIELD for name, _ in call.scope["headers"]) > 1:
        raise bad_parameter("Idempotency-Key", "given once")
    return Once(parse_key(call.fields[FIELD].decode("latin-1")), sha256(body).digest())


def parse_key(text: str) -> str:
    """A string in quotes, as the draft has it, and the same without them are the same key. Errors: Refusal."""
    key = text
    if text.startswith('"'):
        quoted = _STRING.fullmatch(text)
        key = _ESCAPED.sub(r"\1", quoted[1]) if quoted else ""
    if not _KEY.fullmatch(key):
        raise bad_parameter("Idempotency-Key", "1 to 255 visible ASCII characters, bare or as a string in quotes")
    return key
