"""JSON Web Tokens that were revoked: durable, until they have expired."""

from pathlib import Path

from bridge.store import Store
from bridge.store.revocations import GRACE
from tests.store.clock import HandClock


async def test_a_revocation_survives_a_restart(store: Store, path: Path, clock: HandClock) -> None:
    until = clock.now // 1000 + 60
    assert not store.is_revoked("one")
    await store.revoke_jwt("one", until)
    assert store.is_revoked("one")
    assert not store.is_revoked("One")
    await store.close()
    again = Store.open(path, clock=clock)
    assert again.is_revoked("one")
    await again.close()


async def test_a_revocation_is_kept_until_the_token_has_expired(store: Store, clock: HandClock) -> None:
    now = clock.now // 1000
    await store.revoke_jwt("long", now + 60)
    await store.revoke_jwt("long", now + 10)  # does not make it shorter
    await store.revoke_jwt("short", now + 10)
    clock.now += (10 + GRACE + 1) * 1000
    await store.revoke_jwt("new", now + 9999)
    assert [store.is_revoked(jti) for jti in ("long", "short", "new")] == [True, False, True]
    clock.now += 60_000
    await store.revoke_jwt("new", now + 9999)
    assert [store.is_revoked(jti) for jti in ("long", "new")] == [False, True]
