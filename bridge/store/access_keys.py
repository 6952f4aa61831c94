"""Access keys. The SK is stored as it is: whoever checks an HMAC needs the key it was made with."""

import secrets
import string
from dataclasses import dataclass

from bridge.model.access_key import AccessKey
from bridge.model.errors import DuplicateAccessKey, UnknownAccessKey
from bridge.store import statements
from bridge.store.administration import Administration
from bridge.store.connection import transaction
from bridge.store.tokens import join_scopes, split_scopes

FIND = "SELECT ak FROM access_key WHERE name = ? AND project IS ?"
ADD = "INSERT INTO access_key (ak, sk, name, project, scopes, created_at) VALUES (?, ?, ?, ?, ?, ?)"
REVOKE = "DELETE FROM access_key WHERE name = ?"
LIST = "SELECT ak, name, project, scopes, created_at FROM access_key ORDER BY name, project"

AK_LETTERS = string.ascii_uppercase + string.digits
AK_LENGTH = 20
SK_BYTES = 30
"""240 random bits, 40 characters."""


@dataclass(frozen=True, slots=True)
class ListedKey:
    """What may be shown of an access key."""

    ak: str
    name: str
    project: str | None
    """None: every project."""
    scopes: frozenset[str]
    created_at: int
    """Milliseconds since the epoch."""


class AccessKeys(Administration):
    """A name is unique in its project, and among the keys for every project.

    All methods may raise StoreUnavailable.
    """

    def add_access_key(self, name: str, project: str | None, scopes: frozenset[str]) -> AccessKey:
        """A new random key. Raises DuplicateAccessKey."""
        ak = "".join(secrets.choice(AK_LETTERS) for _ in range(AK_LENGTH))
        key = AccessKey(ak, secrets.token_urlsafe(SK_BYTES), name, project, scopes)
        with transaction(self._connection):
            if self._query(FIND, (name, project)):
                raise DuplicateAccessKey(f"there is an access key {name}")
            self._connection.execute(ADD, (ak, key.sk, name, project, join_scopes(scopes), self._clock()))
            self._announce("key", name=name, project=project)
        self._written()
        return key

    def revoke_access_key(self, name: str) -> None:
        """Every access key of that name, whatever its project. Raises UnknownAccessKey."""
        with transaction(self._connection):
            if not self._connection.execute(REVOKE, (name,)).rowcount:
                raise UnknownAccessKey(f"there is no access key {name}")
            self._announce("key", name=name, project=None)
        self._written()

    def access_keys(self) -> list[ListedKey]:
        return [
            ListedKey(ak, name, project, split_scopes(scopes), created_at)
            for ak, name, project, scopes, created_at in self._query(LIST)
        ]

    def access_key(self, ak: str) -> AccessKey | None:
        rows = self._query(statements.ACCESS_KEY, (ak,))
        if not rows:
            return None
        sk, name, project, scopes = rows[0]
        return AccessKey(ak, sk, name, project, split_scopes(scopes))
