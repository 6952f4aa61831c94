"""The Prefer header field (RFC 7240). Pure, and never an error: a preference that is not understood is ignored."""

import re
from collections.abc import Iterable, Mapping

_QUOTED = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)', re.DOTALL)
"""A string without its end goes on to the last byte: so the search is linear."""


def preferences(fields: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Name, in lower case → value, "" for none; parameters are left out. Of a repeated preference the first counts
    (section 2). `fields`: all header fields, names in lower case."""
    given = b",".join(value for name, value in fields if name == b"prefer")
    found: dict[str, str] = {}
    for preference in _QUOTED.sub(_bare, given).decode("latin-1").split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip())
    return found


def _bare(quoted: re.Match[bytes]) -> bytes:
    """What the quotes hold, if it could as well stand without them; else nothing, so that it separates nothing."""
    return quoted[1] if quoted[1].isalnum() else b""
