"""Addresses that events may be pushed to, as far as their text tells. What the host resolves to is another matter,
for whoever connects."""

import ipaddress
import re

MAX_URL = 2048

_URL = re.compile(
    r"(?i:https?)://(?P<host>\[[^\]]*\]|[^\[\]/?:@]*)(?::(?P<port>[^/?:@]*))?(?P<target>[/?].*)?", re.DOTALL
)
_TARGET = re.compile(r"(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
"""RFC 3986, sections 3.3 and 3.4: path and query."""
_NAME = re.compile(
    r"(?=.{1,253}\.?\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*"
    r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?"
)
_NUMERIC = re.compile(r"(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")
_PORT = re.compile(r"[0-9]{1,5}")


def check_push_url(url: str) -> None:
    """Error: ValueError, with what it has to be."""
    if len(url) > MAX_URL:
        raise ValueError(f"at most {MAX_URL} characters")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ValueError("http:// or https://, a host, perhaps a port; no user name or password")
    _check_host(parts["host"])
    if parts["port"] is not None and not (_PORT.fullmatch(parts["port"]) and 1 <= int(parts["port"]) <= 65_535):
        raise ValueError("a port from 1 to 65535")
    if not _TARGET.fullmatch(parts["target"] or ""):
        raise ValueError("a path and query with nothing but what a URL may hold (RFC 3986), and no fragment")


def _check_host(host: str) -> None:
    """A host that looks like a number must be an address in its one plain form: elsewhere 127.1 or 0x7f000001 might
    be understood, and by another part not as what was checked."""
    try:
        if host.startswith("["):
            address = ipaddress.IPv6Address(host[1:-1])
            if address.scope_id is not None:
                raise ValueError(host)
        elif _NUMERIC.fullmatch(host.removesuffix(".").rpartition(".")[2]):
            ipaddress.IPv4Address(host)
        elif not _NAME.fullmatch(host):
            raise ValueError(host)
    except ValueError:
        raise ValueError(
            "a host that is a name (letters, digits, - and _), an IPv4 address, or an IPv6 address in []"
        ) from None
