"""Access tokens. Only their SHA-256 is stored: they have 256 random bits, so there is nothing to guess or to salt."""

import hashlib
import secrets
from dataclasses import dataclass

from bridge.model.errors import DuplicateToken, UnknownToken
from bridge.model.principal import Principal
from bridge.store import statements
from bridge.store.administration import Administration
from bridge.store.connection import transaction

FIND = "SELECT hash, scopes FROM token WHERE name = ? AND project IS ?"
ADD = "INSERT INTO token (hash, name, project, scopes, created_at) VALUES (?, ?, ?, ?, ?)"
REPLACE = "DELETE FROM token WHERE hash = ? OR (name = ? AND project IS ?)"
REVOKE = "DELETE FROM token WHERE name = ?"
LIST = "SELECT name, project, scopes, created_at FROM token ORDER BY name, project"


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of an access token; not the token itself."""

    name: str
    project: str | None
    """None: every project."""
    scopes: frozenset[str]
    created_at: int
    """Milliseconds since the epoch."""


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Tokens(Administration):
    """A name is unique in its project, and among the tokens for every project.

    All methods may raise StoreUnavailable.
    """

    def add_token(self, name: str, project: str | None, scopes: frozenset[str]) -> str:
        """Returns the new token, which is not stored and cannot be shown again. Raises DuplicateToken."""
        token = secrets.token_urlsafe(32)
        with transaction(self._connection):
            if self._query(FIND, (name, project)):
                raise DuplicateToken(f"there is a token {name}")
            self._insert(digest(token), name, project, scopes)
        self._written()
        return token

    def put_token(self, name: str, token: str, project: str | None, scopes: frozenset[str]) -> None:
        """Makes `token` the token of that name; whatever had the name or was this token before is replaced."""
        known = digest(token)
        if self._query(FIND, (name, project)) == [(known, join_scopes(scopes))]:
            return
        with transaction(self._connection):
            self._connection.execute(REPLACE, (known, name, project))
            self._insert(known, name, project, scopes)
        self._written()

    def revoke_token(self, name: str) -> None:
        """Every token of that name, whatever its project. Raises UnknownToken."""
        with transaction(self._connection):
            if not self._connection.execute(REVOKE, (name,)).rowcount:
                raise UnknownToken(f"there is no token {name}")
            self._announce("token", name=name, project=None)
        self._written()

    def tokens(self) -> list[Token]:
        return [
            Token(name, project, split_scopes(scopes), created_at)
            for name, project, scopes, created_at in self._query(LIST)
        ]

    def principal(self, token: str) -> Principal | None:
        return self._principal(digest(token))

    def _principal(self, known: bytes) -> Principal | None:
        rows = self._query(statements.PRINCIPAL, (known,))
        if not rows:
            return None
        name, project, scopes = rows[0]
        return Principal(name, project, split_scopes(scopes))

    def _insert(self, known: bytes, name: str, project: str | None, scopes: frozenset[str]) -> None:
        self._connection.execute(ADD, (known, name, project, join_scopes(scopes), self._clock()))
        self._announce("token", name=name, project=project)


def join_scopes(scopes: frozenset[str]) -> str:
    return " ".join(sorted(scopes))


def split_scopes(text: str) -> frozenset[str]:
    return frozenset(text.split())
