"""The start of the daemon: the sessions of the last one are there before the first client is."""

import asyncio
import logging
from collections.abc import Sequence

from bridge.broker.grant import Grant
from bridge.broker.identity import Identity
from bridge.broker.keeping import Keeping
from bridge.broker.kept import KeptState
from bridge.broker.recall import count, recall_shared, wake
from bridge.broker.router import Router
from bridge.broker.session import Session
from bridge.broker.sessions import Sessions
from bridge.broker.wills import stored_will
from bridge.model.session import StoredSession, StoredSubscription
from bridge.mqtt import Subscription

_log = logging.getLogger(__name__)
_PAGE = 1000


async def restore(sessions: Sessions, router: Router, keeping: Keeping) -> None:
    """Queued messages stay in the store. Raises StoreUnavailable."""
    due: list[tuple[Session, float]] = []
    after = total = 0
    now = keeping.now()
    while page := keeping.store.stored_sessions(after, _PAGE):
        restored: dict[int, Session] = {}
        for row, orphan in page:
            session = restored[row.key] = _session(keeping, row)
            sessions.restore(session)
            # Nobody can resume the session of a device that was removed.
            due.append((session, session.expiry if orphan else _since(row, now)))
        _subscribe(router, restored, keeping.store.stored_subscriptions(page[0][0].key, page[-1][0].key))
        for session in restored.values():
            if session.shares and session.kept is not None:
                count(session, session.kept)
                wake(session, session.kept)
                recall_shared(session, session.kept)
        after = page[-1][0].key
        total += len(page)
        await asyncio.sleep(0)
    keeping.store.note_all_left(now)
    for session, since in due:
        sessions.resume(session, since)
    if total:
        _log.info("sessions restored", extra={"count": total})


def _since(row: StoredSession, now: int) -> float:
    """Seconds. One that was connected when the daemon ended is away since now: it had no chance to be back earlier."""
    return 0.0 if row.left_at is None else max(0.0, (now - row.left_at) / 1000)


def _session(keeping: Keeping, row: StoredSession) -> Session:
    identity = Identity(row.project, None, bool(row.unrestricted), row.device)
    session = Session(row.client_id, identity)
    session.expiry = row.expiry
    session.will = stored_will(row)
    kept = session.kept = KeptState(keeping, row.key)
    kept.asleep = True
    kept.place = -1
    kept.left_at = keeping.now() if row.left_at is None else row.left_at
    return session


def _subscribe(router: Router, restored: dict[int, Session], rows: Sequence[StoredSubscription]) -> None:
    for key, topic_filter, options, identifier in rows:
        session = restored.get(key)
        if session is not None:
            asked = Subscription(topic_filter, options & 3, bool(options & 4), bool(options & 8), options >> 4)
            router.restore(session, Grant.of(asked, identifier))
