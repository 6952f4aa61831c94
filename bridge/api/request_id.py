"""X-Request-Id: on every answer, and in the log where something went wrong."""

import itertools
import re
import secrets
from collections.abc import Mapping

KEY = "bridge.request_id"
"""Where the id stands in the ASGI scope."""
FIELD = b"x-request-id"

_ACCEPTED = re.compile(rb"[A-Za-z0-9_.-]{1,128}")
_START = secrets.token_hex(8)
_NUMBER = itertools.count()


def new_request_id() -> str:
    """Unlike any other one of this or another process, and cheaper than a UUID."""
    return f"{_START}{next(_NUMBER):08x}"


def request_id_of(fields: Mapping[bytes, bytes]) -> str:
    """The caller's X-Request-Id if it is well formed, else a new one. `fields`: header fields, names in lower case."""
    given = fields.get(FIELD)
    if given is not None and _ACCEPTED.fullmatch(given):
        return given.decode()
    return new_request_id()
