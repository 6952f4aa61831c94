"""Section `[channels.jwt]`: how JSON Web Tokens are checked. Pure.

    [channels.jwt]
    iss = ["https://issuer.example.com"]      # who may have issued it
    aud = ["https://bridge.example.com"]      # one of these has to be among its audience; left out: not looked at
    project = "default"                       # whose channels its bearer uses
    leeway = 60                               # seconds by which clocks may differ
    [channels.jwt.keys]
    RS256 = ["/etc/device-bridge/issuer.pem"] # public key, PEM; for HS256 and the like a secret in Base64

Every token has to have `exp`. A `scope` claim limits its bearer to what it lists of events:read and events:write.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.model.device import DEFAULT_PROJECT, PROJECT

SECRET_SIZES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Bytes a secret has to have at least (RFC 7518, section 3.2)."""
ALGORITHMS = (
    *SECRET_SIZES,
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"),
)
MAX_LEEWAY = 3600


@dataclass(frozen=True, slots=True)
class TokenSettings:
    issuers: frozenset[str]
    audience: frozenset[str]
    """Empty: not looked at."""
    keys: Mapping[str, tuple[Path, ...]]
    """Algorithm → files."""
    project: str
    leeway: float
    """Seconds."""


def parse_token_settings(table: Mapping[str, Any]) -> TokenSettings | None:
    """None: there is nothing in the section. Error: ValueError, the second half of a sentence."""
    if not table:
        return None
    unknown = table.keys() - {"iss", "aud", "project", "leeway", "keys"}
    if unknown:
        raise ValueError(f'has "{min(unknown)}": use iss, aud, project, leeway and keys')
    project, leeway = table.get("project", DEFAULT_PROJECT), table.get("leeway", 60)
    if not isinstance(project, str) or not PROJECT.fullmatch(project):
        raise ValueError("has a project that is no project: use letters, digits, _ and -")
    if type(leeway) not in (int, float) or not 0 <= leeway <= MAX_LEEWAY:
        raise ValueError(f"has a leeway that is out of bounds: give a number of seconds, 0 to {MAX_LEEWAY}")
    issuers = _texts(table, "iss")
    if not issuers:
        raise ValueError('names no issuer: write iss = ["https://issuer.example.com"]')
    return TokenSettings(issuers, _texts(table, "aud"), _keys(table.get("keys")), project, leeway)


def _texts(table: Mapping[str, Any], name: str) -> frozenset[str]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f'has an {name} that is no list of texts: write {name} = ["…"]')
    return frozenset(value)


def _keys(table: Any) -> dict[str, tuple[Path, ...]]:
    if not isinstance(table, dict) or not table:
        raise ValueError('names no keys: write [channels.jwt.keys] and below it RS256 = ["FILE"]')
    for algorithm in table:
        if algorithm not in ALGORITHMS:
            raise ValueError(f'has keys for "{algorithm}": use {", ".join(ALGORITHMS)}')
    return {algorithm: tuple(Path(file) for file in _texts(table, algorithm)) for algorithm in table}
