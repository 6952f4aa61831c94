"""JSON Web Tokens that were revoked, each until it expires by itself."""

from bridge.model.clock import Timekeeper
from bridge.store import statements
from bridge.store.administration import Administration
from bridge.store.connection import transaction

REVOKE = """
    INSERT INTO revoked_jwt (jti, until) VALUES (?, ?)
    ON CONFLICT (jti) DO UPDATE SET until = max(until, excluded.until)
"""
GRACE = 7 * 86_400
"""Seconds a revocation is kept longer than it has to be: a token is accepted for some leeway after it has expired, and
a clock that was set ahead may be set back."""
FORGET = "DELETE FROM revoked_jwt WHERE jti IN (SELECT jti FROM revoked_jwt WHERE until < ? ORDER BY until LIMIT 100)"


class Revocations(Administration):
    """All methods may raise StoreUnavailable."""

    def add_revocation(self, jti: str, until: int) -> None:
        """`until`: seconds since the epoch. Repeating it may only make it longer."""
        with transaction(self._connection):
            now = Timekeeper.of(self._clock).now_within(GRACE * 1000) // 1000
            self._connection.execute(FORGET, (now - GRACE,))
            self._connection.execute(REVOKE, (jti, until))

    def is_revoked(self, jti: str) -> bool:
        return bool(self._query(statements.REVOKED_JWT, (jti,)))
