"""JSON Web Tokens (RFC 7519)."""

import base64
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jwt

from bridge.api.dsps.token_settings import SECRET_SIZES, TokenSettings
from bridge.api.faults import NoCredentials
from bridge.model.clock import Clock
from bridge.model.errors import BadSettings
from bridge.model.principal import Principal

SCOPES = frozenset(("events:read", "events:write"))
_SIGNATURE_ALONE = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
"""The claims are checked here, by the daemon's clock."""


class Bearer(NamedTuple):
    """Who has shown a valid token."""

    principal: Principal
    claims: Mapping[str, Any]


class TokenCheck:
    """Reads its keys once. Error: BadSettings, a sentence about the key that cannot be used."""

    def __init__(self, settings: TokenSettings, revoked: Callable[[str], bool], clock: Clock) -> None:
        """`revoked` says so of the `jti` of a token."""
        self._settings = settings
        self._revoked = revoked
        self._clock = clock
        self._keys = {
            algorithm: [_read_key(algorithm, file) for file in files] for algorithm, files in settings.keys.items()
        }

    def bearer(self, token: str) -> Bearer | None:
        """Who bears this token; None when it is no JSON Web Token. Error: NoCredentials, which says what is wrong."""
        if token.count(".") != 2:
            return None
        claims = self._signed(token)
        self._check_times(claims)
        self._check_names(claims)
        name = claims.get("sub")
        scopes = SCOPES & set(_scopes(claims))
        principal = Principal(name if isinstance(name, str) else "jwt", self._settings.project, scopes)
        return Bearer(principal, claims)

    def _signed(self, token: str) -> dict[str, Any]:
        try:
            algorithm = jwt.get_unverified_header(token).get("alg")
            for key in self._keys.get(algorithm, ()) if isinstance(algorithm, str) else ():
                try:
                    return jwt.decode(token, key, algorithms=[algorithm], options=_SIGNATURE_ALONE)  # type: ignore[arg-type, list-item]
                except jwt.InvalidSignatureError:
                    continue
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise NoCredentials("the JSON Web Token is malformed") from None
        raise NoCredentials("the JSON Web Token is not signed with a known key")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now, leeway = self._clock() / 1000, self._settings.leeway
        if not _is_time(claims.get("exp")):
            raise NoCredentials("the JSON Web Token has no exp")
        if claims["exp"] + leeway <= now:
            raise NoCredentials("the JSON Web Token has expired")
        not_before = claims.get("nbf", 0)
        if not _is_time(not_before) or not_before - leeway > now:
            raise NoCredentials("the JSON Web Token is not valid yet")

    def _check_names(self, claims: Mapping[str, Any]) -> None:
        issuer, audience, jti = claims.get("iss"), claims.get("aud"), claims.get("jti")
        if not isinstance(issuer, str) or issuer not in self._settings.issuers:
            raise NoCredentials("the JSON Web Token has another iss")
        named = audience if isinstance(audience, list) else [audience]
        known = {name for name in named if isinstance(name, str)} & self._settings.audience
        if self._settings.audience and not known:
            raise NoCredentials("the JSON Web Token has another aud")
        if jti is not None and self._revoked(str(jti)):
            raise NoCredentials("the JSON Web Token has been revoked")


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    scope = claims.get("scope", "events:read events:write")
    return scope.split() if isinstance(scope, str) else []


def _is_time(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _read_key(algorithm: str, file: Path) -> Any:
    try:
        data = file.read_bytes()
        size = SECRET_SIZES.get(algorithm)
        if size is None:
            key: Any = jwt.get_algorithm_by_name(algorithm).prepare_key(data)
            if hasattr(key, "private_bytes"):
                raise ValueError("it is a private key; only its issuer needs that. Give the public key")
            return key
        secret = base64.b64decode(data.strip(), validate=True)
        if len(secret) < size:
            raise ValueError(f"it has {len(secret)} bytes after decoding its Base64, and needs {size}")
    except (OSError, ValueError, TypeError, jwt.PyJWTError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadSettings(f"The key {file} in channels.jwt.keys.{algorithm} cannot be used: {reason}.") from None
    return secret
