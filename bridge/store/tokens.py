"""Access tokens. Only their SHA-256 is stored: they have 256 random bits, so there is nothing to guess or to salt."""

import hashlib
import secrets
from dataclasses import dataclass

from bridge.model.errors import DuplicateToken, UnknownToken
from bridge.model.principal import ADMIN_NAME, Principal
from bridge.store import statements
from bridge.store.administration import Administration
from bridge.store.connection import transaction
from bridge.store.milestone_schema import ADMIN_REGISTERED

FIND = "SELECT hash, scopes FROM token WHERE name = ? AND project IS ?"
ADD = "INSERT INTO token (hash, name, project, scopes, created_at) VALUES (?, ?, ?, ?, ?)"
REPLACE = "DELETE FROM token WHERE hash = ? OR (name = ? AND project IS ?)"
ROTATE = "UPDATE token SET hash = ?, created_at = ? WHERE name = ? AND project IS ?"
REVOKE = "DELETE FROM token WHERE name = ?"
REACHED = "SELECT 1 FROM milestone WHERE name = ?"
REACH = "INSERT INTO milestone (name, at) VALUES (?, ?) ON CONFLICT DO NOTHING"
LIST = "SELECT name, project, scopes, created_at FROM token ORDER BY name, project"


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of an access token; not the token itself."""

    name: str
    project: str | None
    """None: every project."""
    scopes: frozenset[str]
    created_at: int
    """Milliseconds since the epoch; of one that was rotated, when that was."""

    @property
    def is_admins(self) -> bool:
        """Whether its text is kept in the data folder (`ADMIN_NAME`)."""
        return self.name == ADMIN_NAME and self.project is None and "admin" in self.scopes


def new_token() -> str:
    """256 random bits, 43 characters."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Tokens(Administration):
    """A name is unique in its project, and among the tokens for every project.

    All methods may raise StoreUnavailable.
    """

    def add_token(self, name: str, project: str | None, scopes: frozenset[str], token: str = "") -> str:
        """Returns the new token, which is not stored and cannot be shown again. `token`: its text; empty: a random one.

        Raises DuplicateToken.
        """
        token = token or new_token()
        with transaction(self._connection):
            if self._query(FIND, (name, project)):
                raise DuplicateToken(f"there is a token {name}")
            self._insert(digest(token), name, project, scopes)
        self._written()
        return token

    def put_token(self, name: str, token: str, project: str | None, scopes: frozenset[str]) -> None:
        """Makes `token` the token of that name; whatever had the name or was this token before is replaced."""
        if self._query(FIND, (name, project)) == [(digest(token), join_scopes(scopes))]:
            return
        with transaction(self._connection):
            self._put(digest(token), name, project, scopes)
        self._written()

    def has_registered_admin(self) -> bool:
        """Whether `register_admin` was called in the life of this database, whatever became of the token since."""
        return bool(self._query(REACHED, (ADMIN_REGISTERED,)))

    def register_admin(self, token: str) -> None:
        """Makes `token` the admin's, once: `has_registered_admin` is true from then on."""
        with transaction(self._connection):
            self._put(digest(token), ADMIN_NAME, None, frozenset(("admin",)))
            self._connection.execute(REACH, (ADMIN_REGISTERED, self._clock()))
        self._written()

    def rotate_token(self, name: str, project: str | None, token: str) -> None:
        """Gives the token of that name a new text; project and scopes stay, the old text opens nothing any more.

        Raises UnknownToken.
        """
        with transaction(self._connection):
            changed = self._connection.execute(ROTATE, (digest(token), self._clock(), name, project))
            if not changed.rowcount:
                raise UnknownToken(f"there is no token {name}")
            self._announce("token", name=name, project=project)
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

    def _put(self, known: bytes, name: str, project: str | None, scopes: frozenset[str]) -> None:
        self._connection.execute(REPLACE, (known, name, project))
        self._insert(known, name, project, scopes)

    def _insert(self, known: bytes, name: str, project: str | None, scopes: frozenset[str]) -> None:
        self._connection.execute(ADD, (known, name, project, join_scopes(scopes), self._clock()))
        self._announce("token", name=name, project=project)


def join_scopes(scopes: frozenset[str]) -> str:
    return " ".join(sorted(scopes))


def split_scopes(text: str) -> frozenset[str]:
    return frozenset(text.split())
